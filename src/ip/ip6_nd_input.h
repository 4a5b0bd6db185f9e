// SPDX-License-Identifier: Apache-2.0
// ip6-nd-input: answers neighbour solicitations for this node's addresses and tells the control thread of what it
// hears. RFC 4861 section 7, RFC 4862 section 5.4.
#pragma once
#include <optional>

#include "ip/neighbor_listener.h"
#include "ip/packet_checksum.h"
#include "sluice/net/ethernet.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip6_extensions.h"
#include "sluice/net/neighbor_options.h"
#include "sluice/node.h"

namespace sluice {

struct Ip6NdInput : NeighborListener {
  static constexpr NodeInfo kInfo{"ip6-nd-input", "answers neighbour solicitations for this node, hears adverts"};
  enum class Next : std::uint8_t { InterfaceOutput };
  enum class Drop : std::uint8_t {
    NoLinkLayer,
    ForeignHopLimit,
    Fragmented,
    BadCode,
    Truncated,
    MulticastTarget,
    BadOption,
    BadProbe,
    BadAdvertisement,
    OwnFrame,
    AddressConflict,
    OtherTarget,
  };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    std::uint8_t type;
    Ip6Address source, target;
    void describe(auto&& field) const {
      field("message", type == kIcmp6NeighborSolicitation ? "solicitation" : "advertisement");
      field("source", source);
      field("target", target);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoLinkLayer: return "neighbour discovery on an interface without a link layer";
      case Drop::ForeignHopLimit: return "the hop limit is not 255: it came from beyond the link";
      case Drop::Fragmented: return "neighbour discovery in fragments";
      case Drop::BadCode: return "the ICMPv6 code is not 0";
      case Drop::Truncated: return "fewer than the 24 bytes of the message";
      case Drop::MulticastTarget: return "the target is a multicast address";
      case Drop::BadOption: return "an option's length is zero or goes beyond the message";
      case Drop::BadProbe: return "a probe without source must go to the solicited-node address and name no MAC";
      case Drop::BadAdvertisement: return "a solicited advertisement to a multicast address";
      case Drop::OwnFrame: return "this node's own frame came back";
      case Drop::AddressConflict: return "another station uses an address of this interface, or wants to";
      case Drop::OtherTarget: return "a solicitation for another station's address";
    }
    return "";
  }

  using NeighborListener::NeighborListener;

  // ip6-icmp has checked the checksum.
  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) noexcept {
    const Ip6Header header = *packet.header<Ip6Header>();
    const std::size_t at = find_upper_layer(packet).offset;
    const auto* found = packet.header<NeighborMessage>(at);
    if (!found) return Drop::Truncated;
    const NeighborMessage message = *found;
    if (trace) *trace = {message.type, header.source, message.target};
    const InterfaceState* in = worker.interface(packet.rx_interface);
    if (!in || in->link != LinkLayer::Ethernet) return Drop::NoLinkLayer;
    if (header.hop_limit != 255) return Drop::ForeignHopLimit;
    if (packet.has(kReassembled)) return Drop::Fragmented;  // RFC 6980 section 5
    if (message.code != 0) return Drop::BadCode;
    if (message.target.is_multicast()) return Drop::MulticastTarget;
    const bool solicitation = message.type == kIcmp6NeighborSolicitation;
    // RFC 4861 section 7.1.1: all options up to the end of the packet.
    const std::size_t behind = at + sizeof(NeighborMessage);
    const NeighborOptions options =
        read_neighbor_options({reinterpret_cast<const std::uint8_t*>(packet.data) + behind, packet.length - behind});
    const auto& mac = solicitation ? options.source_link : options.target_link;
    if (!options.valid || packet.next_segment || (mac && (mac->is_multicast() || mac->is_zero()))) {
      return Drop::BadOption;
    }
    return solicitation ? solicited(packet, header, message, mac, *in, worker)
                        : advertised(packet, header, message, mac, *in, worker);
  }

 private:
  static constexpr std::uint32_t kSolicited = 1u << 30, kOverride = 1u << 29;

  Verdict solicited(Packet& packet, const Ip6Header& header, const NeighborMessage& message,
                    const std::optional<MacAddress>& mac, const InterfaceState& in, Worker& worker) noexcept {
    const bool probe = header.source.is_unspecified();
    if (probe && (mac || header.destination != message.target.solicited_node())) return Drop::BadProbe;
    const auto* target = ip.addresses.read(worker).find(packet.rx_interface, message.target);
    if (!target) return Drop::OtherTarget;
    const auto* ethernet = reinterpret_cast<const EthernetHeader*>(packet.at(packet.l2_offset));
    const MacAddress sender = ethernet->source;
    if (target->tentative) {
      // RFC 4862 section 5.4.3. Our own probe may be looped back by the link.
      if (probe && sender != in.mac) {
        report(worker, ip.address_conflict, AddressConflict{packet.rx_interface, message.target, sender});
      }
      return Drop::AddressConflict;
    }
    if (!probe && mac) {
      report(worker, ip.neighbor_seen, NeighborSeen{packet.rx_interface, header.source, *mac, false, true, true, true});
    }
    return answer(packet, header, message.target, sender, in, worker);
  }

  Verdict advertised(Packet& packet, const Ip6Header& header, const NeighborMessage& message,
                     const std::optional<MacAddress>& mac, const InterfaceState& in, Worker& worker) noexcept {
    const std::uint32_t flags = message.flags.host();
    if (header.destination.is_multicast() && (flags & kSolicited)) return Drop::BadAdvertisement;
    if (ip.addresses.read(worker).find(packet.rx_interface, message.target)) {
      if (mac == in.mac) return Drop::OwnFrame;
      report(worker, ip.address_conflict,
             AddressConflict{packet.rx_interface, message.target, mac.value_or(MacAddress{})});
      return Drop::AddressConflict;
    }
    report(worker, ip.neighbor_seen,
           NeighborSeen{packet.rx_interface, message.target, mac.value_or(MacAddress{}), (flags & kSolicited) != 0,
                        (flags & kOverride) != 0, false, mac.has_value()});
    heard(packet, worker);
    return Hold;
  }

  // RFC 4861 section 7.2.4; to a probe, all nodes hear the answer. The frame's sender is the way back.
  Verdict answer(Packet& packet, const Ip6Header& header, const Ip6Address& target, const MacAddress& sender,
                 const InterfaceState& in, Worker& worker) const noexcept {
    constexpr std::size_t kBody = sizeof(NeighborMessage) + sizeof(LinkAddressOption);
    constexpr Ip6Address kAllNodes = [] {
      Ip6Address a;
      a.bytes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
      return a;
    }();
    const bool probe = header.source.is_unspecified();
    packet.data = packet.storage() + kHeadroom;
    packet.trim(sizeof(EthernetHeader) + sizeof(Ip6Header) + kBody);
    *packet.header<EthernetHeader>() = {probe ? MacAddress{{0x33, 0x33, 0, 0, 0, 1}} : sender, in.mac,
                                        be16(kEthertypeIp6)};
    auto* ip6 = packet.header<Ip6Header>(sizeof(EthernetHeader));
    *ip6 = {be32(6u << 28), be16(std::uint16_t{kBody}),       kIpProtocolIcmp6, 255,
            target,         probe ? kAllNodes : header.source};
    constexpr std::size_t kAt = sizeof(EthernetHeader) + sizeof(Ip6Header);
    auto* advert = packet.header<NeighborMessage>(kAt);
    *advert = {kIcmp6NeighborAdvertisement, 0, be16{}, be32(kOverride | (probe ? 0 : kSolicited)), target};
    *packet.header<LinkAddressOption>(kAt + sizeof(NeighborMessage)) = {LinkAddressOption::kTarget, 1, in.mac};
    const auto pseudo = pseudo_header_sum(*ip6, kIpProtocolIcmp6, kBody);
    advert->checksum.raw = checksum_finish(checksum_add(pseudo, advert, kBody));
    packet.l3_offset = static_cast<std::uint16_t>(packet.offset() + sizeof(EthernetHeader));
    replied(packet, worker);
    return Next::InterfaceOutput;
  }
};

}  // namespace sluice
