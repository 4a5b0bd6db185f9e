// SPDX-License-Identifier: Apache-2.0
// What both sides of the comparison with DPDK's drivers do after receive: net_null hands over buffers as they lie, and
// net_ring's have been changed by the hop before, so that each packet gets a valid Ethernet and IPv4 header. The same
// callback of DPDK's does it in both programs.
#pragma once
#include <rte_config.h>
// (in this order)
#include <rte_ethdev.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace sluice::bench {

inline constexpr std::size_t kStamp = 34;
using Stamp = std::array<std::uint8_t, kStamp>;

/// A UDP packet's headers of a 64-byte frame from 198.18.0.1 to 198.19.NETWORK.9.
inline Stamp make_stamp(const std::uint8_t* to_mac, std::uint8_t network) {
  Stamp stamp{};
  std::memcpy(stamp.data(), to_mac, 6);
  const std::array<std::uint8_t, 28> rest{2, 0, 0,  0,  0, 9, 8,   0,  0x45, 0, 0,   50, 0,       1,
                                          0, 0, 64, 17, 0, 0, 198, 18, 0,    1, 198, 19, network, 9};
  std::memcpy(stamp.data() + 6, rest.data(), rest.size());
  std::uint32_t sum = 0;
  for (std::size_t i = 14; i < kStamp; i += 2) sum += static_cast<std::uint32_t>(stamp[i] << 8 | stamp[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  stamp[24] = static_cast<std::uint8_t>(~sum >> 8);
  stamp[25] = static_cast<std::uint8_t>(~sum);
  return stamp;
}

inline std::uint16_t put_stamp(std::uint16_t, std::uint16_t, rte_mbuf** mbufs, std::uint16_t n, std::uint16_t,
                               void* stamp) {
  for (std::uint16_t i = 0; i < n; ++i)
    std::memcpy(static_cast<std::uint8_t*>(mbufs[i]->buf_addr) + mbufs[i]->data_off, stamp, kStamp);
  return n;
}

inline bool stamp_port(std::uint16_t port, const Stamp& stamp) {
  return rte_eth_add_rx_callback(port, 0, put_stamp, const_cast<Stamp*>(&stamp)) != nullptr;
}

}  // namespace sluice::bench
