// SPDX-License-Identifier: Apache-2.0
// Numbers of IP protocols and extension headers.
#pragma once
#include <cstdint>

namespace sluice {

inline constexpr std::uint8_t kIpProtocolHopByHop = 0;
inline constexpr std::uint8_t kIpProtocolIcmp = 1;
inline constexpr std::uint8_t kIpProtocolIpIp = 4;
inline constexpr std::uint8_t kIpProtocolTcp = 6;
inline constexpr std::uint8_t kIpProtocolUdp = 17;
inline constexpr std::uint8_t kIpProtocolIp6 = 41;
inline constexpr std::uint8_t kIpProtocolRouting = 43;
inline constexpr std::uint8_t kIpProtocolFragment = 44;
inline constexpr std::uint8_t kIpProtocolEsp = 50;
inline constexpr std::uint8_t kIpProtocolAuthentication = 51;
inline constexpr std::uint8_t kIpProtocolIcmp6 = 58;
inline constexpr std::uint8_t kIpProtocolNoNextHeader = 59;
inline constexpr std::uint8_t kIpProtocolDestinationOptions = 60;
inline constexpr std::uint8_t kIpProtocolSctp = 132;

}  // namespace sluice
