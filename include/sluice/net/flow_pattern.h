// SPDX-License-Identifier: Apache-2.0
// Flows in an operator's words, as `trace flow`, `explain` and what lists sessions take them:
//
//   tcp 10.1.0.5:* > 10.1.0.6:80        * is any address, or any port
//   udp * > [2001:db8::53]:53           an IPv6 address with a port stands in brackets
//   icmp 10.1.0.5 > 10.1.0.6            without a port where the protocol has none
//   ip 10.1.0.5 > *                     any protocol
#pragma once
#include <sluice/net/address.h>
#include <sluice/net/flow_key.h>
#include <sluice/status.h>
#include <sluice/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

/// The packets of one direction; what is not given is any. A pattern made by parse() makes sense: one family, ports
/// only where the protocol has them.
struct SLUICE_API FlowPattern {
  static constexpr std::string_view kAnyProtocol = "ip";

  std::optional<std::uint8_t> protocol;
  std::optional<IpAddress> source, destination;
  std::optional<std::uint16_t> source_port, destination_port;

  /// The words apart, as a command has them: "tcp", "10.1.0.5:*", "10.1.0.6:80". Errors say which word is wrong and
  /// what may stand there.
  static StatusOr<FlowPattern> parse(std::string_view protocol, std::string_view source, std::string_view destination);
  /// In one text: "tcp 10.1.0.5:* > 10.1.0.6:80".
  static StatusOr<FlowPattern> parse(std::string_view text);
  /// One word alone, for the check of a field; the error does not repeat it.
  static Status check_protocol(std::string_view word);
  static Status check_end(std::string_view word);

  /// parse() reads it as the same again.
  std::string to_string() const;
  /// "tcp", "47", "ip".
  std::string protocol_text() const;
  /// "10.1.0.5:*", "[2001:db8::1]:80", "10.1.0.5" where the protocol has no ports.
  std::string source_text() const;
  std::string destination_text() const;

  /// TCP, UDP and SCTP.
  bool has_ports() const;
  /// The packets of the other direction.
  FlowPattern reversed() const;
  /// The packets of this direction as pcap-filter(7) has them, for a link without VLAN tags. Only a first fragment has
  /// ports there, and no IPv6 packet whose transport header stands behind extension headers.
  std::string to_pcap() const;
  /// The only flow that is meant. Errors name what is left open.
  StatusOr<FlowKey> key() const;

  friend bool operator==(const FlowPattern&, const FlowPattern&) = default;
};

}  // namespace sluice
