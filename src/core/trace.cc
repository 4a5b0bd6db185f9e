// SPDX-License-Identifier: Apache-2.0
#include "sluice/trace.h"

#include <pcap/pcap.h>

namespace sluice {

static_assert(sizeof(PacketFilter::Instruction) == sizeof(bpf_insn));

void TraceBuffer::add(std::uint32_t slot, const TraceStep& step) noexcept {
  if (slot >= size_) return;
  Slot& s = slots_[slot];
  const std::uint32_t n = s.steps.load(std::memory_order_relaxed);
  if (n == kMaxSteps) {
    s.cut.store(true, std::memory_order_relaxed);
  } else {
    s.step[n] = step;
    s.steps.store(n + 1, std::memory_order_release);
  }
}

bool PacketFilter::matches(std::span<const std::byte> head, std::uint32_t length) const noexcept {
  if (code.empty()) return true;
  return bpf_filter(reinterpret_cast<const bpf_insn*>(code.data()), reinterpret_cast<const unsigned char*>(head.data()),
                    length, static_cast<unsigned>(head.size())) != 0;
}

}  // namespace sluice
