// SPDX-License-Identifier: Apache-2.0
// arp-input: answers requests for this node's addresses and tells the control thread of what it hears. RFC 826, RFC
// 5227.
#pragma once
#include "ip/neighbor_listener.h"
#include "sluice/kernels/chain_length.h"
#include "sluice/net/arp.h"
#include "sluice/net/ethernet.h"
#include "sluice/node.h"

namespace sluice {

struct ArpInput : NeighborListener {
  static constexpr NodeInfo kInfo{"arp-input", "answers ARP requests for this node, hears replies"};
  enum class Next : std::uint8_t { InterfaceOutput };
  enum class Drop : std::uint8_t {
    Truncated,
    NotIp4OverEthernet,
    BadOperation,
    BadSender,
    OwnFrame,
    AddressConflict,
    OtherTarget,
    NoInterface,
  };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    std::uint16_t operation;
    Ip4Address sender, target;
    MacAddress sender_mac;
    void describe(auto&& field) const {
      field("operation", operation == ArpHeader::kRequest ? "request" : operation == ArpHeader::kReply ? "reply" : "?");
      field("sender", sender);
      field("sender-mac", sender_mac);
      field("target", target);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::Truncated: return "fewer bytes than an ARP packet";
      case Drop::NotIp4OverEthernet: return "not ARP for IPv4 over Ethernet";
      case Drop::BadOperation: return "neither a request nor a reply";
      case Drop::BadSender: return "the sender's addresses are group addresses or loopback";
      case Drop::OwnFrame: return "this node's own frame came back";
      case Drop::AddressConflict: return "another station uses an address of this interface";
      case Drop::OtherTarget: return "a request for another station's address";
      case Drop::NoInterface: return "the interface was deleted while the packet was on its way";
    }
    return "";
  }

  using NeighborListener::NeighborListener;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) noexcept {
    auto* arp = packet.header<ArpHeader>();
    if (!arp) return Drop::Truncated;
    const std::uint16_t operation = arp->operation.host();
    if (trace) *trace = {operation, arp->sender, arp->target, arp->sender_mac};
    // RFC 826, packet reception.
    if (arp->hardware.host() != ArpHeader::kEthernet || arp->protocol.host() != kEthertypeIp4 ||
        arp->hardware_length != sizeof(MacAddress) || arp->protocol_length != sizeof(Ip4Address)) {
      return Drop::NotIp4OverEthernet;
    }
    if (operation != ArpHeader::kRequest && operation != ArpHeader::kReply) return Drop::BadOperation;
    if (arp->sender_mac.is_multicast() || arp->sender_mac.is_zero() || arp->sender.is_multicast() ||
        arp->sender.is_loopback() || arp->sender.is_broadcast()) {
      return Drop::BadSender;
    }
    const InterfaceState* in = worker.interface(packet.rx_interface);
    if (!in) return Drop::NoInterface;
    if (arp->sender_mac == in->mac) return Drop::OwnFrame;
    const AddressTable& own = ip.addresses.read(worker);
    // RFC 5227 sections 2.1.1 and 2.4: our address as a sender's, or in another's probe while we probe ourselves.
    const bool probe = arp->sender.is_unspecified();
    const auto* conflict = own.find(packet.rx_interface, probe ? arp->target : arp->sender);
    if (conflict && (!probe || conflict->tentative)) {
      report(worker, ip.address_conflict,
             AddressConflict{packet.rx_interface, probe ? arp->target : arp->sender, arp->sender_mac});
      return Drop::AddressConflict;
    }
    const auto* target = own.find(packet.rx_interface, arp->target);
    const bool for_us = target && !target->tentative;
    if (!probe) {
      const bool reply = operation == ArpHeader::kReply;
      // Where the interface has no address, the question went out in the name of another one's.
      const bool answers = reply && arp->target_mac == in->mac;
      report(worker, ip.neighbor_seen,
             NeighborSeen{packet.rx_interface, arp->sender, arp->sender_mac, answers, true, for_us && !reply, true});
    }
    if (operation == ArpHeader::kRequest && for_us) return answer(packet, *arp, *in, worker);
    if (operation == ArpHeader::kRequest && arp->sender != arp->target) return Drop::OtherTarget;
    heard(packet, worker);
    return Hold;
  }

 private:
  using AddressConflict = sluice::AddressConflict;

  Verdict answer(Packet& packet, ArpHeader& arp, const InterfaceState& in, Worker& worker) const noexcept {
    const Ip4Address ours = arp.target;
    arp.operation = be16(ArpHeader::kReply);
    arp.target_mac = arp.sender_mac;
    arp.target = arp.sender;
    arp.sender_mac = in.mac;
    arp.sender = ours;
    cut_chain(packet, sizeof(ArpHeader), worker);  // padding
    packet.push(sizeof(EthernetHeader));
    *packet.header<EthernetHeader>() = {arp.target_mac, in.mac, be16(kEthertypeArp)};
    replied(packet, worker);
    return Next::InterfaceOutput;
  }
};

}  // namespace sluice
