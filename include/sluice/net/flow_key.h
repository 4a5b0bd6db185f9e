// SPDX-License-Identifier: Apache-2.0
// Which flow a packet belongs to, from its bytes, and a hash of that. What only wants to spread packets over paths
// takes flow_hash4() and flow_hash6() of flow.h, which look less deep.
#pragma once
#include <sluice/net/address.h>
#include <sluice/types.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace sluice {

/// A 5-tuple of either family, plain and without padding, so that it is compared and hashed as bytes. Ports are in
/// host order: of TCP, UDP, SCTP, DCCP and UDP-Lite; of an ICMP echo both are the identifier. They are zero where the
/// packet has none, and in every fragment, the first too, so that all fragments of a packet are one flow.
struct FlowKey {
  std::array<std::uint8_t, 16> source{}, destination{};  ///< IPv4: the first four bytes
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint8_t protocol = 0;
  std::uint8_t is_ip6 = 0;
  std::uint8_t is_fragment = 0;
  std::uint8_t reserved = 0;

  IpAddress source_address() const;
  IpAddress destination_address() const;
  /// "tcp 10.0.0.1:4000 > 10.0.0.2:80".
  std::string to_string() const;
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};
static_assert(sizeof(FlowKey) == 40 && std::has_unique_object_representations_v<FlowKey>);

/// The flow of a packet that begins with an IPv4 or IPv6 header. What is too short for its ports has none; false when
/// not even addresses are there, and the key is then all zero. Bounded work for any bytes.
SLUICE_API bool extract_flow(std::span<const std::uint8_t> packet, FlowKey& key) noexcept;

/// The same on every CPU and after every restart. Never zero, so that zero can say "not computed". Not symmetric.
SLUICE_API std::uint32_t flow_hash(const FlowKey& key) noexcept;
/// The same for both directions of a flow, besides.
SLUICE_API std::uint32_t symmetric_flow_hash(const FlowKey& key) noexcept;

}  // namespace sluice
