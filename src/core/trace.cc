// SPDX-License-Identifier: Apache-2.0
#include "sluice/trace.h"

#include <pcap/pcap.h>

namespace sluice {

static_assert(sizeof(PacketFilter::Instruction) == sizeof(bpf_insn));

bool PacketFilter::matches(const Packet& packet, std::uint32_t missing) const noexcept {
  if (code.empty()) return true;
  return bpf_filter(reinterpret_cast<const bpf_insn*>(code.data()), reinterpret_cast<const unsigned char*>(packet.data),
                    packet.chain_length + missing, packet.length) != 0;
}

}  // namespace sluice
