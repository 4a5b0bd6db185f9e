// SPDX-License-Identifier: Apache-2.0
// Fragments in any order, overlapping and repeated: four bytes of the input make one (family and datagram, offset,
// length, more).
#include "ip_world.h"

namespace {

using namespace sluice::testing;  // NOLINT(google-build-using-namespace)

Bytes fragment4(std::uint8_t id, std::uint16_t offset, std::size_t length, bool more) {
  Bytes packet = ip4_packet("10.1.0.5", "192.0.2.1", sluice::kIpProtocolIcmp, payload(length), 64,
                            static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000 : 0)));
  as<sluice::Ip4Header>(packet).id = sluice::be16(std::uint16_t{id});
  sluice::set_header_checksum(as<sluice::Ip4Header>(packet));
  return packet;
}

Bytes fragment6(std::uint8_t id, std::uint16_t offset, std::size_t length, bool more) {
  const sluice::Ip6FragmentHeader header{sluice::kIpProtocolIcmp6, 0,
                                         sluice::be16(static_cast<std::uint16_t>((offset & 0xfff8) | (more ? 1 : 0))),
                                         sluice::be32(std::uint32_t{id})};
  return ip6_packet("fd00::5", "2001:db8::1", sluice::kIpProtocolFragment, wire(header) + payload(length));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 2000) return 0;
  auto& world = sluice::fuzz::IpWorld::get();
  for (; size >= 4; data += 4, size -= 4) {
    const bool ip6 = data[0] & 1, more = data[3] & 1, traced = data[3] & 2;
    const std::uint8_t id = data[0] >> 1 & 3;
    const auto offset = static_cast<std::uint16_t>(data[1] * (data[3] & 4 ? 256 : 8));
    const std::size_t length = data[3] & 8 ? data[2] : data[2] * 8u;
    if (ip6) {
      world.give(world.pod, "ip6-input", fragment6(id, offset, length, more), traced);
    } else {
      world.give(world.pod, "ip4-input", fragment4(id, offset, length, more), traced);
    }
  }
  world.check();
  return 0;
}
