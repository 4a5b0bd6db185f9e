// SPDX-License-Identifier: Apache-2.0
// Packets for tests, written as one reads them:
//
//   packet().ethernet("02::1", "02::2").vlan(5).ip4("10.0.0.1", "10.0.0.2").ttl(3).udp(4000, 53).payload("hello")
//
// Sources come before destinations. Lengths, checksums, ethertypes and next headers are made right unless a setter
// behind the layer says otherwise (checksum(), length(), protocol()). When a test fails, the packet is printed as the
// Scapy expression that makes the same bytes.
#pragma once
#include <sluice/net/arp.h>
#include <sluice/net/checksum.h>
#include <sluice/net/ethernet.h>
#include <sluice/net/icmp.h>
#include <sluice/net/ip4.h>
#include <sluice/net/ip6.h>
#include <sluice/net/tcp.h>
#include <sluice/net/udp.h>

#include <cstring>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::testing {

class PacketBuilder {
 public:
  using Bytes = std::vector<std::uint8_t>;

  PacketBuilder& ethernet(std::string_view source, std::string_view destination) {
    EthernetHeader header{*MacAddress::parse(destination), *MacAddress::parse(source), be16(std::uint16_t{0x9000})};
    add(Kind::Ethernet, "Ether", header);
    return note("src", quoted(header.source)).note("dst", quoted(header.destination));
  }
  /// 802.1Q.
  PacketBuilder& vlan(std::uint16_t id, std::uint8_t priority = 0) {
    return tag(kEthertypeVlan, "Dot1Q", id, priority);
  }
  /// 802.1ad.
  PacketBuilder& service_vlan(std::uint16_t id, std::uint8_t priority = 0) {
    return tag(kEthertypeQinQ, "Dot1AD", id, priority);
  }

  PacketBuilder& arp_request(std::string_view sender_mac, std::string_view sender, std::string_view target) {
    return arp(ArpHeader::kRequest, sender_mac, sender, "::", target);
  }
  PacketBuilder& arp_reply(std::string_view sender_mac, std::string_view sender, std::string_view target_mac,
                           std::string_view target) {
    return arp(ArpHeader::kReply, sender_mac, sender, target_mac, target);
  }

  PacketBuilder& ip4(std::string_view source, std::string_view destination) {
    follow(kEthertypeIp4, kIpProtocolIpIp);
    Ip4Header header{};
    header.version_ihl = 0x45;
    header.ttl = 64;
    header.protocol = 253;  // RFC 3692: for experiments
    header.source = *Ip4Address::parse(source);
    header.destination = *Ip4Address::parse(destination);
    add(Kind::Ip4, "IP", header);
    return note("src", quoted(header.source)).note("dst", quoted(header.destination)).note("id", "0");
  }
  PacketBuilder& ip6(std::string_view source, std::string_view destination) {
    follow(kEthertypeIp6, kIpProtocolIp6);
    Ip6Header header{};
    header.version_class_flow = be32(6u << 28);
    header.next_header = kIpProtocolNoNextHeader;
    header.hop_limit = 64;
    header.source = *Ip6Address::parse(source);
    header.destination = *Ip6Address::parse(destination);
    add(Kind::Ip6, "IPv6", header);
    return note("src", quoted(header.source)).note("dst", quoted(header.destination));
  }
  // Of the innermost IP header.
  PacketBuilder& ttl(std::uint8_t n) {
    Layer& ip = last_ip();
    ip.bytes[ip.kind == Kind::Ip4 ? 8 : 7] = n;
    return note(ip, ip.kind == Kind::Ip4 ? "ttl" : "hlim", std::to_string(n));
  }
  /// Type of service, or traffic class.
  PacketBuilder& tos(std::uint8_t n) {
    Layer& ip = last_ip();
    if (ip.kind == Kind::Ip4) {
      ip.bytes[1] = n;
    } else {
      ip.bytes[0] = static_cast<std::uint8_t>(0x60 | n >> 4);
      ip.bytes[1] = static_cast<std::uint8_t>((ip.bytes[1] & 0x0f) | n << 4);
    }
    return note(ip, ip.kind == Kind::Ip4 ? "tos" : "tc", std::to_string(n));
  }
  PacketBuilder& id(std::uint16_t n) {
    put(last_ip(), 4, n);
    return note(last_ip(), "id", std::to_string(n));
  }
  PacketBuilder& dont_fragment() {
    put(last_ip(), 6, static_cast<std::uint16_t>(get(last_ip(), 6) | Ip4Header::kDontFragment));
    return note(last_ip(), "flags", "'DF'");
  }
  /// Of IPv4, whole words; of TCP behind tcp().
  PacketBuilder& options(std::initializer_list<std::uint8_t> bytes) {
    Layer& layer = layers_.back();
    layer.bytes.insert(layer.bytes.end(), bytes);
    const std::size_t words = layer.bytes.size() / 4;
    if (layer.kind == Kind::Ip4) layer.bytes[0] = static_cast<std::uint8_t>(0x40 | words);
    if (layer.kind == Kind::Tcp) layer.bytes[12] = static_cast<std::uint8_t>(words << 4);
    raw_ = true;
    return *this;
  }
  /// Offset in bytes, a multiple of 8. Behind ip6() it adds the fragment header.
  PacketBuilder& fragment(std::uint16_t offset, bool more, std::uint32_t id = 1) {
    if (last_ip().kind == Kind::Ip4) {
      put(last_ip(), 6, static_cast<std::uint16_t>(offset / 8 | (more ? Ip4Header::kMoreFragments : 0)));
      put(last_ip(), 4, static_cast<std::uint16_t>(id));
      return note(last_ip(), "frag", std::to_string(offset / 8))
          .note(last_ip(), "flags", more ? "'MF'" : "0")
          .note(last_ip(), "id", std::to_string(id));
    }
    follow(0, kIpProtocolFragment);
    const Ip6FragmentHeader header{kIpProtocolNoNextHeader, 0,
                                   be16(static_cast<std::uint16_t>(offset | (more ? 1 : 0))), be32(id)};
    add(Kind::Extension, "IPv6ExtHdrFragment", header);
    return note("offset", std::to_string(offset / 8)).note("m", more ? "1" : "0").note("id", std::to_string(id));
  }
  /// body: without next header and length; padded to a multiple of 8 with the two.
  PacketBuilder& hop_by_hop(Bytes body = Bytes(6)) { return extension(kIpProtocolHopByHop, std::move(body)); }
  PacketBuilder& destination_options(Bytes body = Bytes(6)) {
    return extension(kIpProtocolDestinationOptions, std::move(body));
  }
  PacketBuilder& routing(Bytes body = Bytes(6)) { return extension(kIpProtocolRouting, std::move(body)); }

  PacketBuilder& udp(std::uint16_t source, std::uint16_t destination) {
    follow(0, kIpProtocolUdp);
    add(Kind::Udp, "UDP", UdpHeader{be16(source), be16(destination), be16(std::uint16_t{0}), be16(std::uint16_t{0})});
    return note("sport", std::to_string(source)).note("dport", std::to_string(destination));
  }
  PacketBuilder& tcp(std::uint16_t source, std::uint16_t destination, std::uint8_t flags = TcpHeader::kAck,
                     std::uint32_t sequence = 1, std::uint32_t acknowledgement = 1) {
    follow(0, kIpProtocolTcp);
    TcpHeader header{};
    header.source = be16(source);
    header.destination = be16(destination);
    header.sequence = be32(sequence);
    header.acknowledgement = be32(acknowledgement);
    header.offset_reserved = 0x50;
    header.flags = flags;
    header.window = be16(std::uint16_t{8192});
    add(Kind::Tcp, "TCP", header);
    note("sport", std::to_string(source)).note("dport", std::to_string(destination));
    return note("flags", std::to_string(flags))
        .note("seq", std::to_string(sequence))
        .note("ack", std::to_string(acknowledgement));
  }
  /// Of the family of the IP header before it. rest: the second word of the header.
  PacketBuilder& icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest = 0) {
    const bool ip6 = last_ip().kind == Kind::Ip6;
    follow(0, ip6 ? kIpProtocolIcmp6 : kIpProtocolIcmp);
    const IcmpHeader header{type, code, be16(std::uint16_t{0}), be16(static_cast<std::uint16_t>(rest >> 16)),
                            be16(static_cast<std::uint16_t>(rest))};
    add(ip6 ? Kind::Icmp6 : Kind::Icmp, "ICMP", header);
    raw_ |= ip6 || type % 8 != 0;  // Scapy has classes and fields for each type
    note("type", std::to_string(type)).note("code", std::to_string(code));
    return note("id", std::to_string(rest >> 16)).note("seq", std::to_string(rest & 0xffff));
  }
  PacketBuilder& echo_request(std::uint16_t id = 1, std::uint16_t sequence = 1) { return echo(true, id, sequence); }
  PacketBuilder& echo_reply(std::uint16_t id = 1, std::uint16_t sequence = 1) { return echo(false, id, sequence); }
  /// link_address: the source link-layer address option, without it there is none (duplicate address detection).
  PacketBuilder& neighbor_solicitation(std::string_view target, std::string_view link_address = {}) {
    return neighbor(kIcmp6NeighborSolicitation, 0, target, 1, link_address);
  }
  /// flags: router, solicited and override in the top three bits.
  PacketBuilder& neighbor_advertisement(std::string_view target, std::string_view link_address,
                                        std::uint32_t flags = 0x60000000) {
    return neighbor(kIcmp6NeighborAdvertisement, flags, target, 2, link_address);
  }

  PacketBuilder& payload(std::string_view text) { return payload(Bytes(text.begin(), text.end())); }
  PacketBuilder& payload(Bytes bytes) {
    std::string text = "bytes.fromhex('" + hex(bytes) + "')";
    layers_.push_back({Kind::Raw, "Raw", {{"load", std::move(text)}}, std::move(bytes), {}, {}});
    return *this;
  }
  /// n bytes that count up.
  PacketBuilder& payload_size(std::size_t n) {
    Bytes bytes(n);
    for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(i);
    return payload(std::move(bytes));
  }

  // Of the layer before, wrong values as they are.
  PacketBuilder& checksum(std::uint16_t value) {
    layers_.back().checksum = value;
    return note("chksum", std::to_string(value));
  }
  PacketBuilder& length(std::uint16_t value) {
    layers_.back().length = value;
    return note(layers_.back().kind == Kind::Ip6 ? "plen" : "len", std::to_string(value));
  }
  /// The ethertype, protocol or next header; say it behind what follows.
  PacketBuilder& protocol(std::uint8_t value) {
    Layer& ip = last_ip();
    ip.bytes[ip.kind == Kind::Ip4 ? 9 : 6] = value;
    return note(ip, ip.kind == Kind::Ip4 ? "proto" : "nh", std::to_string(value));
  }
  /// Only the first n bytes of it all.
  PacketBuilder& cut(std::size_t n) {
    cut_ = n;
    return *this;
  }

  Bytes bytes() const {
    std::vector<Layer> layers = layers_;
    Bytes packet;
    for (std::size_t i = layers.size(); i-- > 0;) {
      Layer& layer = layers[i];
      finish_length(layer, packet.size());
      Bytes whole = layer.bytes;
      whole.insert(whole.end(), packet.begin(), packet.end());
      finish_checksum(layers, i, whole);
      packet = std::move(whole);
    }
    if (cut_ && *cut_ < packet.size()) packet.resize(*cut_);
    return packet;
  }
  operator Bytes() const { return bytes(); }  // NOLINT(google-explicit-constructor)

  std::string scapy() const {
    if (raw_ || cut_) {
      const bool ethernet = !layers_.empty() && layers_.front().kind == Kind::Ethernet;
      const bool ip6 = !layers_.empty() && layers_.front().kind == Kind::Ip6;
      return std::string(ethernet ? "Ether" : ip6 ? "IPv6" : "IP") + "(bytes.fromhex('" + hex(bytes()) + "'))";
    }
    std::string text;
    for (const Layer& layer : layers_) {
      text += (text.empty() ? "" : "/") + std::string(layer.scapy) + "(";
      for (const auto& [name, value] : layer.notes) {
        if (text.back() != '(') text += ", ";
        text += name + "=" + value;
      }
      text += ")";
    }
    return text;
  }
  friend void PrintTo(const PacketBuilder& packet, std::ostream* out) { *out << packet.scapy(); }

 private:
  enum class Kind : std::uint8_t { Ethernet, Vlan, Arp, Ip4, Ip6, Extension, Udp, Tcp, Icmp, Icmp6, Raw };
  struct Layer {
    Kind kind;
    const char* scapy;
    std::vector<std::pair<std::string, std::string>> notes;
    Bytes bytes;
    std::optional<std::uint16_t> checksum, length;
  };

  template <class Header>
  void add(Kind kind, const char* scapy, const Header& header) {
    Bytes bytes(sizeof header);
    std::memcpy(bytes.data(), &header, sizeof header);
    layers_.push_back({kind, scapy, {}, std::move(bytes), {}, {}});
  }
  static std::string hex(const Bytes& bytes) {
    std::string text;
    for (const std::uint8_t b : bytes) text += fmt::format("{:02x}", b);
    return text;
  }
  static std::string quoted(const auto& address) { return "'" + address.to_string() + "'"; }
  PacketBuilder& note(Layer& layer, const std::string& name, std::string value) {
    for (auto& [key, old] : layer.notes) {
      if (key == name) {
        old = std::move(value);
        return *this;
      }
    }
    layer.notes.emplace_back(name, std::move(value));
    return *this;
  }
  PacketBuilder& note(const std::string& name, std::string value) { return note(layers_.back(), name, value); }
  static void put(Layer& layer, std::size_t at, std::uint16_t value) {
    layer.bytes[at] = static_cast<std::uint8_t>(value >> 8);
    layer.bytes[at + 1] = static_cast<std::uint8_t>(value);
  }
  static std::uint16_t get(const Layer& layer, std::size_t at) {
    return static_cast<std::uint16_t>(layer.bytes[at] << 8 | layer.bytes[at + 1]);
  }
  Layer& last_ip() {
    for (std::size_t i = layers_.size(); i-- > 0;) {
      if (layers_[i].kind == Kind::Ip4 || layers_[i].kind == Kind::Ip6) return layers_[i];
    }
    throw std::logic_error("the packet has no IP header yet: say ip4() or ip6() before");
  }
  /// Tells the layer before what follows it.
  void follow(std::uint16_t ethertype, std::uint8_t protocol) {
    if (layers_.empty()) return;
    Layer& before = layers_.back();
    switch (before.kind) {
      case Kind::Ethernet: put(before, 12, ethertype); break;
      case Kind::Vlan: put(before, 2, ethertype); break;
      case Kind::Ip4: before.bytes[9] = protocol; break;
      case Kind::Ip6: before.bytes[6] = protocol; break;
      case Kind::Extension: before.bytes[0] = protocol; break;
      default: break;
    }
  }
  PacketBuilder& tag(std::uint16_t type, const char* scapy, std::uint16_t id, std::uint8_t priority) {
    follow(type, 0);
    add(Kind::Vlan, scapy, VlanTag{be16(static_cast<std::uint16_t>(priority << 13 | id)), be16(std::uint16_t{0x9000})});
    return note("vlan", std::to_string(id)).note("prio", std::to_string(priority));
  }
  PacketBuilder& arp(std::uint16_t operation, std::string_view sender_mac, std::string_view sender,
                     std::string_view target_mac, std::string_view target) {
    follow(kEthertypeArp, 0);
    const ArpHeader header{be16(ArpHeader::kEthernet),
                           be16(kEthertypeIp4),
                           6,
                           4,
                           be16(operation),
                           *MacAddress::parse(sender_mac),
                           *Ip4Address::parse(sender),
                           *MacAddress::parse(target_mac),
                           *Ip4Address::parse(target)};
    add(Kind::Arp, "ARP", header);
    note("op", std::to_string(operation)).note("hwsrc", quoted(header.sender_mac)).note("psrc", quoted(header.sender));
    return note("hwdst", quoted(header.target_mac)).note("pdst", quoted(header.target));
  }
  PacketBuilder& extension(std::uint8_t protocol, Bytes body) {
    follow(0, protocol);
    body.insert(body.begin(), {kIpProtocolNoNextHeader, static_cast<std::uint8_t>((body.size() + 2 + 7) / 8 - 1)});
    body.resize((body.size() + 7) / 8 * 8);
    layers_.push_back({Kind::Extension, "", {}, std::move(body), {}, {}});
    raw_ = true;
    return *this;
  }
  PacketBuilder& echo(bool request, std::uint16_t id, std::uint16_t sequence) {
    const std::uint32_t rest = std::uint32_t{id} << 16 | sequence;
    if (last_ip().kind == Kind::Ip6) return icmp(request ? kIcmp6Echo : kIcmp6EchoReply, 0, rest);
    return icmp(request ? kIcmpEcho : kIcmpEchoReply, 0, rest);
  }
  PacketBuilder& neighbor(std::uint8_t type, std::uint32_t flags, std::string_view target, std::uint8_t option,
                          std::string_view link_address) {
    icmp(type, 0, flags);
    Bytes& bytes = layers_.back().bytes;
    const Ip6Address address = *Ip6Address::parse(target);
    bytes.insert(bytes.end(), address.bytes.begin(), address.bytes.end());
    if (link_address.empty()) return *this;
    bytes.insert(bytes.end(), {option, 1});
    const MacAddress mac = *MacAddress::parse(link_address);
    bytes.insert(bytes.end(), mac.bytes.begin(), mac.bytes.end());
    return *this;
  }

  static void finish_length(Layer& layer, std::size_t behind) {
    const std::size_t all = layer.bytes.size() + behind;
    const auto value = [&](std::size_t n) { return layer.length.value_or(static_cast<std::uint16_t>(n)); };
    if (layer.kind == Kind::Ip4) put(layer, 2, value(all));
    if (layer.kind == Kind::Ip6) put(layer, 4, value(behind));
    if (layer.kind == Kind::Udp) put(layer, 4, value(all));
  }
  /// whole: the layer and all behind it.
  static void finish_checksum(const std::vector<Layer>& layers, std::size_t index, Bytes& whole) {
    const Layer& layer = layers[index];
    std::size_t at, covered = whole.size();
    std::uint64_t sum = 0;
    switch (layer.kind) {
      case Kind::Ip4: at = 10, covered = layer.bytes.size(); break;
      case Kind::Udp: at = 6, sum = pseudo_sum(layers, index, kIpProtocolUdp, covered); break;
      case Kind::Tcp: at = 16, sum = pseudo_sum(layers, index, kIpProtocolTcp, covered); break;
      case Kind::Icmp: at = 2; break;
      case Kind::Icmp6: at = 2, sum = pseudo_sum(layers, index, kIpProtocolIcmp6, covered); break;
      default: return;
    }
    sum = checksum_add(sum, whole.data(), covered);
    std::uint16_t value = layer.kind == Kind::Udp ? checksum_finish_udp(sum) : checksum_finish(sum);
    if (layer.checksum) value = swap_bytes(*layer.checksum);
    std::memcpy(&whole[at], &value, 2);
  }
  static std::uint64_t pseudo_sum(const std::vector<Layer>& layers, std::size_t index, std::uint8_t protocol,
                                  std::size_t length) {
    for (std::size_t i = index; i-- > 0;) {
      const Bytes& ip = layers[i].bytes;
      const be32 rest[] = {be32(static_cast<std::uint32_t>(length)), be32(std::uint32_t{protocol})};
      if (layers[i].kind == Kind::Ip4) return checksum_add(checksum_add(0, &ip[12], 8), rest, sizeof rest);
      if (layers[i].kind == Kind::Ip6) return checksum_add(checksum_add(0, &ip[8], 32), rest, sizeof rest);
    }
    return 0;
  }

  std::vector<Layer> layers_;
  std::optional<std::size_t> cut_;
  bool raw_ = false;  // has what the Scapy expression cannot say layer by layer
};

inline PacketBuilder packet() { return {}; }

}  // namespace sluice::testing
