// SPDX-License-Identifier: Apache-2.0
// The worker of a frame's flow, from any bytes: both directions have one.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "interface/flow_handoff.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

/// Where the IP header of a frame is, behind up to two tags; 0: there is none.
std::size_t ip_header(const Bytes& frame) {
  std::size_t at = 12;
  for (int tags = 0; at + 2 <= frame.size(); ++tags, at += 4) {
    const int type = frame[at] << 8 | frame[at + 1];
    if (type == 0x0800 || type == 0x86dd) return at + 2;
    if ((type != 0x8100 && type != 0x88a8) || tags == 2) return 0;
  }
  return 0;
}

void swap(Bytes& bytes, std::size_t at, std::size_t size) {
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  std::swap_ranges(begin, begin + static_cast<std::ptrdiff_t>(size), begin + static_cast<std::ptrdiff_t>(size));
}

/// The frame as its answer would be; false where finding the ports would be extract_flow() once more.
bool answer(Bytes& frame) {
  swap(frame, 0, 6);
  const std::size_t ip = ip_header(frame);
  sluice::FlowKey key;
  if (ip == 0 || !sluice::extract_flow(std::span(frame).subspan(ip), key)) return true;
  constexpr std::array<int, 5> kWithPorts{6, 17, 33, 132, 136};
  const bool has_ports = std::find(kWithPorts.begin(), kWithPorts.end(), key.protocol) != kWithPorts.end();
  std::size_t l4 = ip + 40;
  if (key.is_ip6) {
    if (frame[ip + 6] != key.protocol) return false;  // extension headers
    swap(frame, ip + 8, 16);
  } else {
    l4 = ip + std::size_t{4} * (frame[ip] & 0xf);
    swap(frame, ip + 12, 4);
  }
  if (has_ports && (key.source_port || key.destination_port)) swap(frame, l4, 2);
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::uint32_t hash = sluice::frame_flow_hash({data, size});
  if (size < 14) return hash == 0 ? 0 : (std::abort(), 0);
  Bytes frame(data, data + size);
  if (answer(frame) && sluice::frame_flow_hash(frame) != hash) std::abort();
  return 0;
}
