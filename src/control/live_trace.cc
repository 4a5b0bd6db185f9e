// SPDX-License-Identifier: Apache-2.0
#include "control/live_trace.h"

#include <algorithm>

namespace sluice::trace {

LiveTrace::LiveTrace(TraceRequests& requests, Dataplane& dataplane, TraceRequests::Request request,
                     std::uint32_t packets)
    : requests_(requests), dataplane_(dataplane), request_(std::move(request)), progress_(dataplane.worker_count()) {
  requests_.begin(request_, packets, true);
}

LiveTrace::~LiveTrace() { requests_.end(request_); }

/// A packet rests when the pass in which its last step was written has ended: a pass takes a packet to its end, or to a
/// node that holds it.
bool LiveTrace::is_resting(const Worker& worker, const TraceBuffer::Slot& slot, Progress& progress) const {
  // In this order: a step that is seen now was written in a pass that had not ended when loops was read.
  const bool asleep = worker.sleeping.load(std::memory_order_acquire);
  const std::uint64_t loops = worker.loops.get();
  std::atomic_thread_fence(std::memory_order_acquire);
  const std::uint32_t steps = slot.steps.load(std::memory_order_acquire);
  if (progress.is_known && steps == progress.steps) return asleep || loops != progress.loops;
  progress = {.steps = steps, .loops = worker.loops.get(), .is_known = true};
  return false;
}

/// A worker may have taken the last packet and not yet a slot for it, until its pass has ended.
bool LiveTrace::has_settled() {
  if (is_settled_ || request_->wants_more()) return is_settled_;
  std::atomic_thread_fence(std::memory_order_acquire);
  const auto& workers = dataplane_.workers();
  if (loops_at_stop_.empty()) {
    for (const auto& thread : workers) loops_at_stop_.push_back(thread->worker().loops.get());
    return false;
  }
  for (std::size_t w = 0; w < workers.size(); ++w) {
    const Worker& worker = workers[w]->worker();
    if (!worker.sleeping.load(std::memory_order_acquire) && worker.loops.get() == loops_at_stop_[w]) return false;
  }
  return true;
}

std::vector<LiveTrace::Seen> LiveTrace::look(bool all) {
  is_settled_ = has_settled();  // before the packets are looked at
  std::vector<Seen> ended;
  running_ = held_ = 0;
  for (unsigned w = 0; w < progress_.size(); ++w) {
    const TraceBuffer& buffer = *request_->buffers[w];
    const Worker& worker = dataplane_.workers()[w]->worker();
    progress_[w].resize(buffer.packets());
    for (std::size_t i = 0; i < progress_[w].size(); ++i) {
      Progress& progress = progress_[w][i];
      if (progress.is_done) continue;
      const TraceBuffer::Slot& slot = buffer.slot(i);
      const bool resting = is_resting(worker, slot, progress);
      const bool held = resting && requests_.is_held(slot);
      progress.is_done = all || (resting && !held);
      held_ += !progress.is_done && held;
      running_ += !progress.is_done && !held;
      if (progress.is_done && progress.steps > 0) ended.push_back({w, &slot});  // else: lost before the first node
    }
  }
  std::stable_sort(ended.begin(), ended.end(),
                   [](const Seen& a, const Seen& b) { return a.slot->step[0].tsc < b.slot->step[0].tsc; });
  return ended;
}

}  // namespace sluice::trace
