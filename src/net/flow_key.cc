// SPDX-License-Identifier: Apache-2.0
#include "sluice/net/flow_key.h"

#include <cstring>
#include <utility>

#include "sluice/net/crc32c.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6_extensions.h"
#include "sluice/net/protocol_names.h"

namespace sluice {
namespace {

// rest: what follows the IP header and its extensions.
void read_ports(std::span<const std::uint8_t> rest, FlowKey& key) noexcept {
  constexpr std::uint8_t kDccp = 33, kUdpLite = 136;
  const auto word = [&](std::size_t at) { return static_cast<std::uint16_t>(rest[at] << 8 | rest[at + 1]); };
  switch (key.protocol) {
    case kIpProtocolTcp:
    case kIpProtocolUdp:
    case kDccp:
    case kIpProtocolSctp:
    case kUdpLite:
      if (rest.size() < 4) return;
      key.source_port = word(0);
      key.destination_port = word(2);
      return;
    case kIpProtocolIcmp:
    case kIpProtocolIcmp6: {
      if (rest.size() < 6) return;
      const bool echo = key.protocol == kIpProtocolIcmp ? rest[0] == kIcmpEcho || rest[0] == kIcmpEchoReply
                                                        : rest[0] == kIcmp6Echo || rest[0] == kIcmp6EchoReply;
      if (echo) key.source_port = key.destination_port = word(4);
      return;
    }
    default: return;
  }
}

bool extract_ip4(std::span<const std::uint8_t> packet, FlowKey& key) noexcept {
  if (packet.size() < sizeof(Ip4Header)) return false;
  Ip4Header ip;
  std::memcpy(&ip, packet.data(), sizeof ip);
  std::memcpy(key.source.data(), &ip.source, 4);
  std::memcpy(key.destination.data(), &ip.destination, 4);
  key.protocol = ip.protocol;
  key.is_fragment = ip.is_fragment();
  const std::size_t header = ip.header_length();
  if (!key.is_fragment && header >= sizeof ip && header <= packet.size()) read_ports(packet.subspan(header), key);
  return true;
}

bool extract_ip6(std::span<const std::uint8_t> packet, FlowKey& key) noexcept {
  if (packet.size() < sizeof(Ip6Header)) return false;
  key.is_ip6 = 1;
  std::memcpy(key.source.data(), &packet[8], 16);
  std::memcpy(key.destination.data(), &packet[24], 16);
  key.protocol = packet[6];
  const Ip6Walk walk = walk_ip6_extensions(packet);
  key.protocol = walk.protocol;
  key.is_fragment = walk.is_fragment;
  if (walk.end == Ip6WalkEnd::UpperLayer && !walk.is_fragment) read_ports(packet.subspan(walk.offset), key);
  return true;
}

IpAddress address_of(const FlowKey& key, const std::array<std::uint8_t, 16>& bytes) {
  if (key.is_ip6) {
    Ip6Address a;
    a.bytes = bytes;
    return a;
  }
  Ip4Address a;
  std::memcpy(a.bytes.data(), bytes.data(), 4);
  return a;
}

}  // namespace

IpAddress FlowKey::source_address() const { return address_of(*this, source); }
IpAddress FlowKey::destination_address() const { return address_of(*this, destination); }

std::string FlowKey::to_string() const {
  const auto known = protocol_name(protocol);
  const std::string name = known.empty() ? fmt::format("protocol {}", protocol) : std::string(known);
  const auto end = [&](const IpAddress& address, std::uint16_t port) {
    if (port == 0) return address.to_string();
    return is_ip6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
  };
  return fmt::format("{}{} {} > {}", name, is_fragment ? " fragment" : "", end(source_address(), source_port),
                     end(destination_address(), destination_port));
}

bool extract_flow(std::span<const std::uint8_t> packet, FlowKey& key) noexcept {
  key = FlowKey{};
  if (packet.empty()) return false;
  switch (packet[0] >> 4) {
    case 4: return extract_ip4(packet, key);
    case 6: return extract_ip6(packet, key);
    default: return false;
  }
}

std::uint32_t symmetric_flow_hash(const FlowKey& key) noexcept {
  const int order = std::memcmp(key.source.data(), key.destination.data(), key.source.size());
  if (order < 0 || (order == 0 && key.source_port <= key.destination_port)) return flow_hash(key);
  FlowKey other = key;
  std::swap(other.source, other.destination);
  std::swap(other.source_port, other.destination_port);
  return flow_hash(other);
}

std::uint32_t flow_hash(const FlowKey& key) noexcept { return spread_hash(crc32c(0xffffffff, &key, sizeof key)); }

}  // namespace sluice
