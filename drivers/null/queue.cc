// SPDX-License-Identifier: Apache-2.0
#include "queue.h"

#include <sluice/clock.h>
#include <sluice/net/endian.h>

#include <algorithm>
#include <cstring>

namespace sluice::null {
namespace {

constexpr std::uint64_t kFirstPort = 1024;

}  // namespace

std::size_t SourceQueue::receive(Worker& worker, std::span<Packet*> packets) noexcept {
  Source& source = *source_;
  std::size_t most = packets.size();
  if (source.limit) most = std::min<std::uint64_t>(most, source.limit - source.sent);
  const std::size_t due = source.pacer.due(tsc_to_ns(worker.now()), most);
  const std::size_t n = worker.buffers().alloc(packets.subspan(0, due));
  if (n < due) no_buffers.add(due - n);
  for (std::size_t i = 0; i < n; ++i) {
    Packet& packet = *packets[i];
    std::memcpy(packet.data, source.packet.data(), source.packet.size());
    packet.trim(source.packet.size());
    if (source.flows > 1) {
      const be16 port(static_cast<std::uint16_t>(kFirstPort + (source.sent + i) % source.flows));
      std::memcpy(packet.data + source.port_at, &port, sizeof port);
    }
  }
  source.sent += due;
  more = n < due;  // a source without a rate has one event only
  return n;
}

std::size_t SinkQueue::transmit(Worker& worker, std::span<Packet* const> packets) noexcept {
  worker.buffers().free(packets);
  return packets.size();
}

}  // namespace sluice::null
