// SPDX-License-Identifier: Apache-2.0
#include "sluice/drop_samples.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace sluice {
namespace {

/// Where the packet's IP header is, if an earlier node has found it in this segment; else where it begins.
std::span<const std::uint8_t> network_part(const Packet& packet) {
  const std::byte* begin = packet.data;
  const std::byte* end = packet.data + packet.length;
  const std::byte* l3 = packet.storage() + packet.l3_offset;
  if (packet.l3_offset != 0 && l3 < end) begin = l3;
  return {reinterpret_cast<const std::uint8_t*>(begin), static_cast<std::size_t>(end - begin)};
}

}  // namespace

DropSamples::DropSamples(std::uint64_t second)
    : second_(second), last_(std::size_t{1} << kLastBits), slots_(kSamples) {}

void DropSamples::keep(NodeIndex node, std::uint16_t reason, const Packet& packet, std::uint64_t now) noexcept {
  DropSample sample{.when = now,
                    .node = node,
                    .reason = reason,
                    .rx_interface = packet.rx_interface,
                    .tx_interface = packet.tx_interface,
                    .length = packet.chain_length,
                    .has_flow = 0,
                    .flow = {}};
  sample.has_flow = extract_flow(network_part(packet), sample.flow);
  const auto words = std::bit_cast<std::array<std::uint64_t, kWords>>(sample);
  Slot& slot = slots_[written_ % kSamples];
  const std::uint64_t sequence = 2 * ++written_;
  slot.sequence.store(sequence - 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (std::size_t i = 0; i < kWords; ++i) slot.words[i].store(words[i], std::memory_order_relaxed);
  slot.sequence.store(sequence, std::memory_order_release);
}

std::vector<DropSample> DropSamples::read() const {
  std::vector<DropSample> samples;
  for (const Slot& slot : slots_) {
    std::array<std::uint64_t, kWords> words{};
    const std::uint64_t before = slot.sequence.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < kWords; ++i) words[i] = slot.words[i].load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    // One that was being replaced is left out: the newer one is in the next answer.
    if (before == 0 || before % 2 == 1 || slot.sequence.load(std::memory_order_relaxed) != before) continue;
    samples.push_back(std::bit_cast<DropSample>(words));
  }
  std::sort(samples.begin(), samples.end(), [](const DropSample& a, const DropSample& b) { return a.when < b.when; });
  return samples;
}

}  // namespace sluice
