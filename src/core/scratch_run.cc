// SPDX-License-Identifier: Apache-2.0
#include "core/scratch_run.h"

#include <algorithm>

#include "sluice/packet_bytes.h"

namespace sluice {
namespace {

/// Every table by worker has a place for it. Kernels keep what they remember in their members, never by this index.
constexpr unsigned kIndex = 0;
/// A packet that nodes hand to each other for ever would keep the control thread; on a worker it takes only its share.
constexpr int kMostPasses = 64;

std::vector<std::uint8_t> first_bytes(const Packet& packet, std::size_t most) {
  std::vector<std::uint8_t> bytes;
  for (const Packet* segment = &packet; segment && bytes.size() < most; segment = segment->next_segment) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(segment->data);
    bytes.insert(bytes.end(), data, data + std::min<std::size_t>(segment->length, most - bytes.size()));
  }
  return bytes;
}

}  // namespace

/// Every interface's transmit queue.
class ScratchRun::Discard final : public TxQueue {
 public:
  std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override {
    for (Packet* packet : packets) {
      ++count;
      if (kept.size() < kKeptPackets) {
        kept.push_back(
            {packet->tx_interface, packet->chain_length, first_bytes(*packet, kKeptBytes), packet->has(kLocal)});
      }
      worker.buffers().free(packet);
    }
    return packets.size();
  }

  std::vector<Sent> kept;
  std::size_t count = 0;
};

namespace {

/// A queue for every interface that has one.
std::unique_ptr<TxBindings> bindings_of(const TxBindings& live, TxQueue& queue) {
  auto own = std::make_unique<TxBindings>();
  own->by_worker.resize(kIndex + 1);
  if (live.by_worker.empty()) return own;
  own->by_worker[kIndex] = live.by_worker.front();
  for (TxBinding& binding : own->by_worker[kIndex]) {
    if (binding.queue) binding = {&queue, kIndex};
  }
  return own;
}

/// Traces one packet, from where it comes in.
std::shared_ptr<TraceRequest> one_packet() {
  auto request = std::make_shared<TraceRequest>();
  request->at_input = true;
  request->remaining = 1;
  for (unsigned i = 0; i <= kIndex; ++i) request->buffers.push_back(std::make_unique<TraceBuffer>(1));
  return request;
}

std::unique_ptr<TraceState> tracing(const std::shared_ptr<TraceRequest>& request) {
  auto state = std::make_unique<TraceState>();
  state->requests.push_back(request);
  return state;
}

}  // namespace

ScratchRun::ScratchRun(Rcu& rcu, const WorkerShared& live)
    : discard_(std::make_unique<Discard>()),
      tx_(rcu, bindings_of(live.tx.get(), *discard_)),
      request_(one_packet()),
      trace_(rcu, tracing(request_)),
      capture_(rcu),
      worker_(std::make_unique<Worker>(
          kIndex, kIndex + 1,
          WorkerShared{live.pool, live.graph, live.interfaces, live.features, tx_, trace_, capture_})) {
  // What is meant for another worker comes back to this one.
  worker_->set_peers(std::vector<Worker*>(std::max<std::size_t>(1, live.tx.get().by_worker.size()), worker_.get()));
}

ScratchRun::~ScratchRun() = default;

Packet* ScratchRun::make(std::span<const std::uint8_t> bytes) {
  return packet_with(worker_->buffers(), std::as_bytes(bytes));
}

void ScratchRun::run(InterfaceIndex interface, NodeIndex node, Packet* packet) {
  worker_->begin_pass();
  packet->rx_interface = interface;
  request_->node = node;
  worker_->trace_start(node, std::span<Packet* const>(&packet, 1), true);
  HandOff next{packet, node};
  int passes = 0;
  do {
    worker_->graph().enqueue(*worker_, next.node, std::span<Packet* const>(&next.packet, 1));
    worker_->graph().run(*worker_);
  } while (++passes < kMostPasses && worker_->ring_from(kIndex).pop(next));
}

std::span<const TraceStep> ScratchRun::steps() const {
  const TraceBuffer::Slot& slot = request_->buffers[kIndex]->slot(0);
  return {slot.step.data(), slot.steps.load(std::memory_order_acquire)};
}

bool ScratchRun::cut() const { return request_->buffers[kIndex]->slot(0).cut.load(std::memory_order_relaxed); }

const std::vector<ScratchRun::Sent>& ScratchRun::sent() const { return discard_->kept; }

std::size_t ScratchRun::sent_packets() const { return discard_->count; }

std::vector<NodeIndex> ScratchRun::holders() const {
  std::vector<NodeIndex> nodes;
  const Graph& graph = worker_->graph().graph();
  for (std::uint32_t i = 0; i < graph.nodes().size(); ++i) {
    const auto held = graph.nodes()[i].description.held;
    if (held && held(worker_->graph().node(NodeIndex{i})) > 0) nodes.push_back(NodeIndex{i});
  }
  return nodes;
}

}  // namespace sluice
