// SPDX-License-Identifier: Apache-2.0
// A trace that somebody watches: its request, as long as this object lives, and which of its packets have ended.
#pragma once
#include <vector>

#include "control/trace_requests.h"

namespace sluice::trace {

class LiveTrace {
 public:
  struct Seen {
    unsigned worker;
    const TraceBuffer::Slot* slot;
  };

  /// requests.check() has said yes.
  LiveTrace(TraceRequests& requests, Dataplane& dataplane, TraceRequests::Request request, std::uint32_t packets);
  ~LiveTrace();
  LiveTrace(const LiveTrace&) = delete;
  LiveTrace& operator=(const LiveTrace&) = delete;

  /// The packets whose trace has ended since the last look, in the order in which they came in. With all, those too
  /// that are held or on their way.
  std::vector<Seen> look(bool all);
  /// Takes no more packets.
  void stop() { request_->remaining = 0; }
  // After a look: whether more may come than what it has returned.
  bool has_running() const { return running_ > 0 || !is_settled_; }
  bool has_held() const { return held_ > 0; }

 private:
  struct Progress {
    std::uint32_t steps = 0;
    std::uint64_t loops = 0;  // of the worker, when the last of these steps was seen
    bool is_known = false, is_done = false;
  };
  bool has_settled();
  bool is_resting(const Worker& worker, const TraceBuffer::Slot& slot, Progress& progress) const;

  TraceRequests& requests_;
  Dataplane& dataplane_;
  const TraceRequests::Request request_;
  std::vector<std::vector<Progress>> progress_;  // by worker and slot
  std::size_t running_ = 0, held_ = 0;
  std::vector<std::uint64_t> loops_at_stop_;  // by worker, when no more packets were seen to be wanted
  bool is_settled_ = false;                   // no worker takes a packet any more
};

}  // namespace sluice::trace
