// SPDX-License-Identifier: Apache-2.0
#include "control/explain_service.h"

#include <charconv>
#include <cstring>

#include "control/explanation.h"
#include "control/packet_words.h"
#include "net/flow_packet.h"
#include "sluice/net/append_header.h"
#include "sluice/net/ethernet.h"
#include "sluice/net/flow_pattern.h"

namespace sluice::explain {
namespace {

/// The sender of the frames that are made here: of nobody, from the locally administered ones.
constexpr MacAddress kSender{{2, 0, 0, 0, 0, 1}};
constexpr std::uint32_t kUsualTtl = 64;

/// The packet as it arrives at the interface, to whose address it is sent.
Bytes framed(const Bytes& packet, const InterfaceEntry& entry) {
  if (entry.link == LinkLayer::Ip) return packet;
  const bool ip6 = packet[0] >> 4 == 6;
  Bytes frame;
  append_header(frame, EthernetHeader{entry.mac, kSender, be16(ip6 ? kEthertypeIp6 : kEthertypeIp4)});
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

/// Puts a subinterface's tags behind the addresses: on the wire the frame has them.
Status tag(Bytes& frame, const InterfaceEntry& entry) {
  constexpr std::size_t kAddresses = 2 * sizeof(MacAddress);
  if (frame.size() < kAddresses)
    return refused("packet: {} bytes have no room for the VLAN tag of {}", frame.size(), entry.name);
  const auto insert = [&](std::uint16_t type, std::uint16_t vlan) {
    const be16 words[] = {be16(type), be16(vlan)};
    const auto* from = reinterpret_cast<const std::uint8_t*>(words);
    frame.insert(frame.begin() + kAddresses, from, from + sizeof words);
  };
  if (entry.inner_vlan) insert(kEthertypeVlan, entry.inner_vlan);
  insert(entry.inner_vlan ? kEthertypeQinQ : kEthertypeVlan, entry.outer_vlan);
  return {};
}

StatusOr<Bytes> packet_of(const FlowQuery& query) {
  const auto pattern = FlowPattern::parse(query.protocol(), query.source(), query.destination());
  if (!pattern.ok()) return pattern.status();
  const auto key = pattern->key();
  if (!key.ok()) return key.status();
  return make_flow_packet(*key, {.ttl = static_cast<std::uint8_t>(query.has_ttl() ? query.ttl() : kUsualTtl),
                                 .length = query.length(),
                                 .dont_fragment = query.dont_fragment()});
}

}  // namespace

StatusOr<Bytes> bytes_of(std::string_view hex) {
  constexpr std::string_view kBetween = " \t:";
  Bytes bytes;
  for (std::size_t at = 0; (at = hex.find_first_not_of(kBetween, at)) != std::string_view::npos; at += 2) {
    const std::string_view pair = hex.substr(at, 2);
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(pair.data(), pair.data() + pair.size(), byte, 16);
    if (pair.size() != 2 || error != std::errc() || end != pair.data() + 2)
      return refused("packet: '{}' at byte {}: must be pairs of hexadecimal digits, as in 4500 0054", pair,
                     bytes.size());
    bytes.push_back(byte);
  }
  if (bytes.empty()) return refused("packet: there are no bytes; must be pairs of hexadecimal digits, as in 4500 0054");
  return bytes;
}

void ExplainService::offer(Api& api) {
  api.service("sluice.explain.Explain")
      .stream("ExplainFlow", this, &ExplainService::flow)
      .stream("ExplainPacket", this, &ExplainService::packet);
}

StatusOr<const InterfaceEntry*> ExplainService::find(const std::string& name) const {
  const InterfaceEntry* entry = interfaces_.find(name);
  if (!entry) return not_found("interface {} does not exist; show interface lists them", name);
  return entry;
}

StatusOr<Explanation> ExplainService::explain(const InterfaceEntry& entry, Bytes bytes) const {
  Explanation explanation;
  explanation.set_interface(entry.name);
  explanation.set_packet(control::packet_words(bytes, entry.link));
  explanation.set_length(static_cast<std::uint32_t>(bytes.size()));
  const InterfaceEntry* arrives = &entry;
  if (entry.parent.valid()) {
    if (Status status = tag(bytes, entry); !status.ok()) return status;
    arrives = interfaces_.find(entry.parent);
    if (!arrives) return not_found("the interface below {} is gone", entry.name);
  }
  const NodeIndex input = dataplane_.graph().find(arrives->driver + "-input");
  if (!input.valid()) return failed_precondition("{}: nothing comes in by a {} interface", entry.name, arrives->driver);
  ScratchRun run(dataplane_.rcu(), {dataplane_.pool(), dataplane_.graph(), dataplane_.interfaces(),
                                    dataplane_.features(), dataplane_.tx(), dataplane_.trace(), dataplane_.capture()});
  Packet* packet = run.make(bytes);
  if (!packet) return exhausted("no buffers for a packet of {} bytes; show buffers", bytes.size());
  run.run(arrives->index, input, packet);
  Explainer(run, interfaces_, routes_).explain(explanation);
  return explanation;
}

StatusOr<Explanation> ExplainService::explain(const FlowQuery& query) const {
  const auto entry = find(query.interface());
  if (!entry.ok()) return entry.status();
  const auto bytes = packet_of(query);
  if (!bytes.ok()) return bytes.status();
  return explain(**entry, framed(*bytes, **entry));
}

StatusOr<Explanation> ExplainService::explain(const PacketQuery& query) const {
  const auto entry = find(query.interface());
  if (!entry.ok()) return entry.status();
  auto bytes = bytes_of(query.packet());
  if (!bytes.ok()) return bytes.status();
  return explain(**entry, *std::move(bytes));
}

Stream<Explanation> ExplainService::flow(const FlowQuery& query) const { return told(explain(query)); }

Stream<Explanation> ExplainService::packet(const PacketQuery& query) const { return told(explain(query)); }

/// A packet that would be dropped is explained, and then it is an error: scripts ask for the status.
Stream<Explanation> ExplainService::told(StatusOr<Explanation> explanation) {
  if (!explanation.ok()) co_yield explanation.status();
  const Status end = Explainer::status_of(*explanation);
  co_yield *std::move(explanation);
  if (!end.ok()) co_yield end;
}

}  // namespace sluice::explain
