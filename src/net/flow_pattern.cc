// SPDX-License-Identifier: Apache-2.0
#include "sluice/net/flow_pattern.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "sluice/net/protocol.h"
#include "sluice/net/protocol_names.h"

namespace sluice {
namespace {

constexpr std::string_view kForms = "ADDRESS, ADDRESS:PORT or [IPV6]:PORT, with * for any address or any port";

struct End {
  std::optional<IpAddress> address;
  std::optional<std::uint16_t> port;
};

/// Zero is no port: a packet that has it is met by * only.
bool read_port(std::string_view text, std::optional<std::uint16_t>& port) {
  if (text == "*") return true;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) return false;
  port = number;
  return true;
}

/// Errors do not repeat the text.
StatusOr<End> read_end(std::string_view text) {
  std::string_view address = text, port = "*";
  const bool brackets = text.starts_with('[');
  const auto malformed = [] { return refused("must be {}", kForms); };
  if (brackets) {
    const auto close = text.find(']');
    if (close == text.npos) return malformed();
    address = text.substr(1, close - 1);
    const auto rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return malformed();
    if (!rest.empty()) port = rest.substr(1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    const auto colon = text.find(':');
    address = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  End end;
  if (address == "*" && !brackets) {
    if (!read_port(port, end.port)) return refused("a port is 1 to 65535, or * for any");
    return end;
  }
  const auto parsed = IpAddress::parse(address);
  if (!parsed.ok()) return malformed();
  if (brackets && parsed->is_ip4()) return refused("only IPv6 addresses stand in brackets");
  if (!read_port(port, end.port)) return refused("a port is 1 to 65535, or * for any");
  end.address = *parsed;
  return end;
}

std::string end_text(const std::optional<IpAddress>& address, const std::optional<std::uint16_t>& port, bool ports) {
  if (!ports) return address ? address->to_string() : "*";
  const auto number = port ? std::to_string(*port) : "*";
  if (!address) return "*:" + number;
  return fmt::format("{}{}{}:{}", address->is_ip6() ? "[" : "", *address, address->is_ip6() ? "]" : "", number);
}

Status check(const FlowPattern& p) {
  if (p.source && p.destination && p.source->is_ip6() != p.destination->is_ip6())
    return refused("{} and {}: a flow has addresses of one family", *p.source, *p.destination);
  const auto& any = p.source ? p.source : p.destination;
  if (any && p.protocol == kIpProtocolIcmp && any->is_ip6()) return refused("icmp is IPv4's; say icmp6 for {}", *any);
  if (any && p.protocol == kIpProtocolIcmp6 && any->is_ip4()) return refused("icmp6 is IPv6's; say icmp for {}", *any);
  const auto& port = p.source_port ? p.source_port : p.destination_port;
  if (port && !p.has_ports()) {
    return refused("{} has no ports: leave :{} away, or say tcp, udp or sctp", p.protocol_text(), *port);
  }
  return {};
}

}  // namespace

StatusOr<FlowPattern> FlowPattern::parse(std::string_view protocol, std::string_view source,
                                         std::string_view destination) {
  if (Status status = check_protocol(protocol); !status.ok())
    return refused("protocol '{}': {}", protocol, text(status));
  const auto from = read_end(source);
  if (!from.ok()) return refused("source '{}': {}", source, text(from.status()));
  const auto to = read_end(destination);
  if (!to.ok()) return refused("destination '{}': {}", destination, text(to.status()));
  FlowPattern pattern;
  pattern.source = from->address;
  pattern.source_port = from->port;
  pattern.destination = to->address;
  pattern.destination_port = to->port;
  if (protocol != kAnyProtocol) pattern.protocol = protocol_number(protocol);
  if (Status status = check(pattern); !status.ok()) return status;
  return pattern;
}

StatusOr<FlowPattern> FlowPattern::parse(std::string_view text) {
  std::array<std::string_view, 4> words;
  std::size_t count = 0;
  for (std::string_view left = text;;) {
    const auto begin = left.find_first_not_of(" \t");
    if (begin == left.npos) break;
    left.remove_prefix(begin);
    const auto length = std::min(left.find_first_of(" \t"), left.size());
    if (count < words.size()) words[count] = left.substr(0, length);
    ++count;
    left.remove_prefix(length);
  }
  if (count != words.size() || words[2] != ">")
    return refused("'{}': a flow is PROTOCOL SOURCE > DESTINATION, as in tcp 10.1.0.5:* > 10.1.0.6:80", text);
  return parse(words[0], words[1], words[3]);
}

Status FlowPattern::check_protocol(std::string_view word) {
  if (word == kAnyProtocol || protocol_number(word)) return {};
  return refused("must be {} (any), {}, or a number to 255", kAnyProtocol, protocol_names());
}

Status FlowPattern::check_end(std::string_view word) { return read_end(word).status(); }

std::string FlowPattern::protocol_text() const {
  if (!protocol) return std::string(kAnyProtocol);
  const auto name = protocol_name(*protocol);
  return name.empty() ? std::to_string(*protocol) : std::string(name);
}

std::string FlowPattern::source_text() const { return end_text(source, source_port, has_ports()); }
std::string FlowPattern::destination_text() const { return end_text(destination, destination_port, has_ports()); }

std::string FlowPattern::to_string() const {
  return fmt::format("{} {} > {}", protocol_text(), source_text(), destination_text());
}

bool FlowPattern::has_ports() const {
  return protocol == kIpProtocolTcp || protocol == kIpProtocolUdp || protocol == kIpProtocolSctp;
}

FlowPattern FlowPattern::reversed() const {
  FlowPattern other = *this;
  std::swap(other.source, other.destination);
  std::swap(other.source_port, other.destination_port);
  return other;
}

std::string FlowPattern::to_pcap() const {
  const auto& any = source ? source : destination;
  const bool only4 = any ? any->is_ip4() : protocol == kIpProtocolIcmp;
  const bool only6 = any ? any->is_ip6() : protocol == kIpProtocolIcmp6;
  // `proto 6` alone would look behind an IPv6 fragment header, too; both families are asked for in the same way.
  const auto family = [&](std::string_view name) {
    return protocol ? fmt::format("{} proto {}", name, *protocol) : std::string(name);
  };
  std::string expression = only4   ? family("ip")
                           : only6 ? family("ip6")
                                   : fmt::format("({} or {})", family("ip"), family("ip6"));
  const auto host = [&](std::string_view side, const std::optional<IpAddress>& address) {
    if (address) expression += fmt::format(" and {} {} host {}", address->is_ip6() ? "ip6" : "ip", side, *address);
  };
  const auto port = [&](std::string_view side, const std::optional<std::uint16_t>& number) {
    if (number) expression += fmt::format(" and {} port {}", side, *number);
  };
  host("src", source);
  host("dst", destination);
  port("src", source_port);
  port("dst", destination_port);
  return expression;
}

StatusOr<FlowKey> FlowPattern::key() const {
  const auto open = [this](std::string_view what) {
    return refused("{}: the {} is open; name one", to_string(), what);
  };
  if (!protocol) return open("protocol");
  if (!source) return open("source address");
  if (!destination) return open("destination address");
  if (has_ports() && !source_port) return open("source port");
  if (has_ports() && !destination_port) return open("destination port");
  FlowKey key;
  const auto copy = [](const IpAddress& address, std::array<std::uint8_t, 16>& out) {
    if (address.is_ip6()) {
      out = address.ip6().bytes;
    } else {
      const auto bytes = address.ip4().bytes;
      std::copy(bytes.begin(), bytes.end(), out.begin());
    }
  };
  copy(*source, key.source);
  copy(*destination, key.destination);
  key.source_port = source_port.value_or(0);
  key.destination_port = destination_port.value_or(0);
  key.protocol = *protocol;
  key.is_ip6 = source->is_ip6();
  return key;
}

}  // namespace sluice
