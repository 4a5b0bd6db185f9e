// SPDX-License-Identifier: Apache-2.0
// From `ethernet src 02::1 dst 02::2 / ip4 src 10.0.0.1 dst 10.0.1.0-10.0.1.255 / udp dport 53` to a Template.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "layers.h"
#include "sluice/net/checksum.h"
#include "sluice/net/ethernet.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6.h"
#include "template.h"

namespace sluice::pg {
namespace {

constexpr std::size_t kMostLayers = 8;
constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kLongestPayload = 1024;
constexpr std::uint16_t kEthertypeExperimental = 0x88b5;  // IEEE 802, local experiments
constexpr std::uint8_t kIpProtocolExperimental = 253;     // RFC 3692

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; (at = text.find_first_not_of(separators, at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

template <class Rules>
std::string names(const Rules& rules) {
  std::vector<std::string_view> names;
  for (const auto& rule : rules) names.push_back(rule.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::optional<std::uint64_t> number(std::string_view text) {
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A value of a field: 16 bytes of which the low `width` count, big-endian.
struct Value {
  std::uint64_t high = 0, low = 0;
};

StatusOr<Value> parse_value(const FieldRule& rule, std::string_view text) {
  switch (rule.form) {
    case Form::Mac: {
      const auto mac = MacAddress::parse(text);
      if (!mac.ok()) return mac.status();
      Value value;
      for (const std::uint8_t byte : mac->bytes) value.low = value.low << 8 | byte;
      return value;
    }
    case Form::Ip4: {
      const auto address = Ip4Address::parse(text);
      if (!address.ok()) return address.status();
      return Value{0, address->host()};
    }
    case Form::Ip6: {
      const auto address = Ip6Address::parse(text);
      if (!address.ok()) return address.status();
      return Value{address->high(), address->low()};
    }
    case Form::TcpFlags: {
      Value value;
      for (const char c : text) {
        const auto flag = std::string_view("FSRPAUEC").find(c);
        if (flag == std::string_view::npos) return refused("{}: must be letters of FSRPAUEC, as SA", text);
        value.low |= std::uint64_t{1} << flag;
      }
      return value;
    }
    case Form::Number:
    case Form::Hex: break;
  }
  const auto value = number(text);
  if (!value || *value > rule.max) return refused("{}: must be a number from 0 to {}", text, rule.max);
  return Value{0, *value};
}

/// The description while it is read.
class Builder {
 public:
  Status add(std::string_view text);
  Status finish(std::string_view size);
  std::shared_ptr<Template> take() { return std::move(made_); }

 private:
  struct Placed {
    const LayerRule* rule;
    std::uint16_t at;
    std::uint32_t given;  // fields, a bit each
  };
  Status field(Placed& placed, const FieldRule& rule, std::string_view text);
  Status hex(std::string_view text);
  void put(const Placed& placed, const FieldRule& rule, const Value& value);
  void set(const Placed& placed, std::string_view field, std::uint64_t value);
  bool is_given(const Placed& placed, std::string_view field) const;
  void link_layers();
  void place_checksums();
  Status add_sizes(std::string_view text);
  void add_size(std::size_t length);

  std::vector<Placed> layers_;
  std::shared_ptr<Template> made_ = std::make_shared<Template>();
  std::size_t headers_ = 0;  // with the payload that was given
  bool pseudo_header_ = true;
};

const FieldRule& rule_of(const LayerRule& layer, std::string_view name) {
  return *std::find_if(layer.fields.begin(), layer.fields.end(), [&](const FieldRule& f) { return f.name == name; });
}

Status Builder::add(std::string_view text) {
  const auto words = split(text, " \t\n");
  if (words.empty()) return refused("an empty layer; layers stand between / and are {}", names(kLayers));
  const auto* rule = std::find_if(kLayers.begin(), kLayers.end(), [&](const auto& l) { return l.name == words[0]; });
  if (rule == kLayers.end()) return refused("{}: no such layer; there are {}", words[0], names(kLayers));
  const std::uint16_t below = layers_.empty() ? kFirst : bit(layers_.back().rule->layer);
  if (!(rule->below & below)) {
    return refused("{} cannot {}", rule->name,
                   layers_.empty() ? std::string("be the first layer; begin with ethernet, ip4 or ip6")
                                   : fmt::format("follow {}", layers_.back().rule->name));
  }
  if (layers_.size() == kMostLayers) return refused("more than {} layers", kMostLayers);
  layers_.push_back({rule, static_cast<std::uint16_t>(made_->bytes.size()), 0});
  made_->bytes.resize(made_->bytes.size() + rule->header);
  if (words.size() % 2 == 0) return refused("{} {}: the value is missing", rule->name, words.back());
  for (std::size_t i = 1; i < words.size(); i += 2) {
    const auto found =
        std::find_if(rule->fields.begin(), rule->fields.end(), [&](const FieldRule& f) { return f.name == words[i]; });
    if (found == rule->fields.end()) {
      return refused("{} {}: no such field; {} has {}", rule->name, words[i], rule->name, names(rule->fields));
    }
    const std::uint32_t mark = 1u << (found - rule->fields.begin());
    if (layers_.back().given & mark) return refused("{} {}: given twice", rule->name, words[i]);
    layers_.back().given |= mark;
    if (auto status = field(layers_.back(), *found, words[i + 1]); !status.ok()) {
      return refused("{} {} {}", rule->name, words[i], sluice::text(status));
    }
  }
  for (const FieldRule& f : rule->fields) {
    if (is_given(layers_.back(), f.name)) continue;
    if (f.required) return refused("{}: {} is missing", rule->name, f.name);
    put(layers_.back(), f, {0, f.fallback});
  }
  return {};
}

Status Builder::field(Placed& placed, const FieldRule& rule, std::string_view text) {
  if (rule.form == Form::Hex) return hex(text);
  const std::size_t dash = text.find('-');
  const auto first = parse_value(rule, text.substr(0, dash));
  if (!first.ok()) return first.status();
  if (dash == std::string_view::npos) {
    put(placed, rule, *first);
    return {};
  }
  if (!rule.may_vary) return refused("{}: takes one value, no range", text);
  const auto last = parse_value(rule, text.substr(dash + 1));
  if (!last.ok()) return last.status();
  if (first->high != last->high) return refused("{}: both ends must have the same upper 64 bits", text);
  if (last->low < first->low) return refused("{}: the last value comes before the first", text);
  Varying varying;
  varying.width = std::min<std::uint8_t>(rule.width, 8);
  varying.offset = static_cast<std::uint16_t>(placed.at + rule.offset + rule.width - varying.width);
  varying.first = first->low;
  varying.values = last->low - first->low + 1;
  if (varying.values == 0) return refused("{}: the range is too wide", text);
  const bool address = rule.form == Form::Ip4 || rule.form == Form::Ip6;
  varying.in_ip_sum = rule.form == Form::Ip4;
  varying.in_l4_sum = address || bit(placed.rule->layer) & (bit(Layer::Udp) | bit(Layer::Tcp) | bit(Layer::Icmp));
  made_->varying.push_back(varying);
  put(placed, rule, {first->high, 0});
  return {};
}

Status Builder::hex(std::string_view text) {
  if (text.size() % 2 || text.size() > 2 * kLongestPayload) {
    return refused("{}: must be pairs of hexadecimal digits, at most {} bytes", text.substr(0, 32), kLongestPayload);
  }
  for (std::size_t i = 0; i < text.size(); i += 2) {
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    if (error != std::errc{} || end != text.data() + i + 2) {
      return refused("{}: must be pairs of hexadecimal digits", text.substr(i, 2));
    }
    made_->bytes.push_back(std::byte{byte});
  }
  return {};
}

void Builder::put(const Placed& placed, const FieldRule& rule, const Value& value) {
  std::byte* at = made_->bytes.data() + placed.at + rule.offset;
  if (rule.width == 16) {
    const be64 halves[2] = {be64(value.high), be64(value.low)};
    std::memcpy(at, halves, sizeof halves);
    return;
  }
  // Fields may share a word: or.
  const std::uint64_t word = value.low << rule.shift;
  for (std::size_t i = 0; i < rule.width; ++i) {
    at[i] |= static_cast<std::byte>(word >> 8 * (rule.width - 1u - i));
  }
}

void Builder::set(const Placed& placed, std::string_view field, std::uint64_t value) {
  if (!is_given(placed, field)) put(placed, rule_of(*placed.rule, field), {0, value});
}

bool Builder::is_given(const Placed& placed, std::string_view field) const {
  const auto& rule = rule_of(*placed.rule, field);
  return placed.given & 1u << (&rule - placed.rule->fields.data());
}

/// Fills in what follows from the neighbouring layers: types, protocols, versions.
void Builder::link_layers() {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Placed& here = layers_[i];
    const auto next = i + 1 < layers_.size() ? std::optional(layers_[i + 1].rule->layer) : std::nullopt;
    std::byte* at = made_->bytes.data() + here.at;
    switch (here.rule->layer) {
      case Layer::Ethernet:
      case Layer::Vlan:
      case Layer::Qinq:
        if (next == Layer::Vlan) set(here, "type", kEthertypeVlan);
        if (next == Layer::Qinq) set(here, "type", kEthertypeQinQ);
        if (next == Layer::Ip4) set(here, "type", kEthertypeIp4);
        if (next == Layer::Ip6) set(here, "type", kEthertypeIp6);
        if (!next || next == Layer::Payload) set(here, "type", kEthertypeExperimental);
        break;
      case Layer::Ip4:
        at[0] = std::byte{0x45};
        made_->l3 = here.at;
        if (next == Layer::Udp) set(here, "proto", kIpProtocolUdp);
        if (next == Layer::Tcp) set(here, "proto", kIpProtocolTcp);
        if (next == Layer::Icmp) set(here, "proto", kIpProtocolIcmp);
        if (!next || next == Layer::Payload) set(here, "proto", kIpProtocolExperimental);
        break;
      case Layer::Ip6:
        at[0] |= std::byte{0x60};
        made_->l3 = here.at;
        made_->ip6 = true;
        if (next == Layer::Udp) set(here, "next", kIpProtocolUdp);
        if (next == Layer::Tcp) set(here, "next", kIpProtocolTcp);
        if (next == Layer::Icmp) set(here, "next", kIpProtocolIcmp6);
        if (!next) set(here, "next", kIpProtocolNoNextHeader);
        if (next == Layer::Payload) set(here, "next", kIpProtocolExperimental);
        break;
      case Layer::Tcp: at[12] = std::byte{0x50}; break;
      case Layer::Icmp: set(here, "type", made_->ip6 ? kIcmp6Echo : kIcmpEcho); break;
      case Layer::Udp:
      case Layer::Payload: break;
    }
  }
}

void Builder::place_checksums() {
  for (const Placed& here : layers_) {
    std::uint16_t checksum = 0;
    switch (here.rule->layer) {
      case Layer::Udp: checksum = 6; break;
      case Layer::Tcp: checksum = 16; break;
      case Layer::Icmp: checksum = 2; break;
      default: continue;
    }
    made_->udp = here.rule->layer == Layer::Udp;
    made_->l4 = here.at;
    made_->l4_checksum = static_cast<std::uint16_t>(here.at + checksum);
    // RFC 792: no pseudo header.
    pseudo_header_ = here.rule->layer != Layer::Icmp || made_->ip6;
  }
  for (Varying& field : made_->varying) {
    const bool address = made_->l3 != Template::kNone && field.offset >= made_->l3 && field.offset < made_->l4;
    if (made_->l4_checksum == Template::kNone || (address && !pseudo_header_)) field.in_l4_sum = false;
  }
}

/// Sums of all that does not vary.
void Builder::add_size(std::size_t length) {
  Template& t = *made_;
  Template::Size size{static_cast<std::uint16_t>(length), 0, 0};
  const std::size_t address_at = t.l3 + (t.ip6 ? offsetof(Ip6Header, source) : offsetof(Ip4Header, source));
  const std::size_t address_bytes = t.ip6 ? 2 * sizeof(Ip6Address) : 2 * sizeof(Ip4Address);
  if (t.l3 != Template::kNone && !t.ip6) {
    const be16 total(static_cast<std::uint16_t>(length - t.l3));
    size.ip_sum = checksum_add(checksum_add(0, &t.bytes[t.l3], sizeof(Ip4Header)), &total, sizeof total);
  }
  if (t.l4_checksum != Template::kNone) {
    const be16 rest(static_cast<std::uint16_t>(length - t.l4));
    const std::uint8_t protocol = std::to_integer<std::uint8_t>(
        t.bytes[t.l3 + (t.ip6 ? offsetof(Ip6Header, next_header) : offsetof(Ip4Header, protocol))]);
    size.l4_sum = checksum_add(0, &t.bytes[t.l4], length - t.l4);
    if (pseudo_header_) {
      const be16 word(protocol);
      size.l4_sum = checksum_add(size.l4_sum, &t.bytes[address_at], address_bytes);
      size.l4_sum = checksum_add(checksum_add(size.l4_sum, &rest, sizeof rest), &word, sizeof word);
    }
    if (t.udp) size.l4_sum = checksum_add(size.l4_sum, &rest, sizeof rest);
  }
  t.sizes.push_back(size);
}

Status Builder::add_sizes(std::string_view text) {
  std::vector<std::size_t> lengths;
  if (text.empty()) {
    lengths = {headers_};
  } else if (text == "imix") {
    const std::size_t link = made_->l3 == Template::kNone ? 0 : made_->l3;
    for (const std::size_t ip : {40, 576, 40, 40, 576, 40, 1500, 40, 576, 40, 576, 40}) {
      lengths.push_back(std::max(ip + link, headers_));
    }
  } else {
    const std::size_t dash = text.find('-');
    const auto first = number(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
    if (!first || !last || *first > *last || *first < headers_ || *last > Template::kLongest) {
      return refused("size {}: must be N, N-M or imix; the headers and payload take {} bytes, the most is {}", text,
                     headers_, Template::kLongest);
    }
    for (std::uint64_t length = *first; length <= *last; ++length) lengths.push_back(length);
  }
  // The rest of the payload counts up.
  for (std::size_t at = headers_; at < *std::max_element(lengths.begin(), lengths.end()); ++at) {
    made_->bytes.push_back(static_cast<std::byte>(at - headers_));
  }
  for (const std::size_t length : lengths) add_size(length);
  return {};
}

Status Builder::finish(std::string_view size) {
  headers_ = made_->bytes.size();
  made_->link = layers_.front().rule->layer == Layer::Ethernet ? LinkLayer::Ethernet : LinkLayer::Ip;
  link_layers();
  place_checksums();
  return add_sizes(size);
}

}  // namespace

StatusOr<std::shared_ptr<const Template>> parse_stream(std::string_view text, std::string_view size) {
  if (text.size() > kLongestText) return refused("stream: longer than {} characters", kLongestText);
  Builder builder;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t slash = std::min(text.find('/', at), text.size());
    if (auto status = builder.add(text.substr(at, slash - at)); !status.ok()) {
      return refused("stream: {}", sluice::text(status));
    }
    at = slash + 1;
  }
  if (auto status = builder.finish(size); !status.ok()) return status;
  return std::shared_ptr<const Template>(builder.take());
}

}  // namespace sluice::pg
