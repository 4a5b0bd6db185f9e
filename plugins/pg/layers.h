// SPDX-License-Identifier: Apache-2.0
// The layers of a stream's description and their fields, as tables: where a field lies in its header, what it may hold.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::pg {

enum class Layer : std::uint8_t { Ethernet, Vlan, Qinq, Ip4, Ip6, Udp, Tcp, Icmp, Payload };

enum class Form : std::uint8_t { Number, Mac, Ip4, Ip6, TcpFlags, Hex };

struct FieldRule {
  std::string_view name;
  Form form;
  std::uint8_t offset = 0;  ///< in the header
  std::uint8_t width = 0;   ///< bytes of the big-endian word that it is part of
  std::uint8_t shift = 0;   ///< bits between it and the word's low end
  std::uint32_t max = 0;    ///< of a number
  std::uint32_t fallback = 0;
  bool required = false;
  bool may_vary = false;
};

struct LayerRule {
  Layer layer;
  std::string_view name;
  std::uint8_t header;  ///< bytes
  std::span<const FieldRule> fields;
  std::uint16_t below;  ///< the layers it may stand on, a bit each; kFirst: it may be the first
};

inline constexpr std::uint16_t kFirst = 1u << 15;
constexpr std::uint16_t bit(Layer layer) { return static_cast<std::uint16_t>(1u << static_cast<unsigned>(layer)); }

inline constexpr std::array kEthernetFields{
    FieldRule{.name = "dst", .form = Form::Mac, .offset = 0, .width = 6, .required = true, .may_vary = true},
    FieldRule{.name = "src", .form = Form::Mac, .offset = 6, .width = 6, .required = true, .may_vary = true},
    FieldRule{.name = "type", .form = Form::Number, .offset = 12, .width = 2, .max = 0xffff},
};
inline constexpr std::array kVlanFields{
    FieldRule{.name = "id", .form = Form::Number, .offset = 0, .width = 2, .max = 4094, .required = true},
    FieldRule{.name = "priority", .form = Form::Number, .offset = 0, .width = 2, .shift = 13, .max = 7},
    FieldRule{.name = "type", .form = Form::Number, .offset = 2, .width = 2, .max = 0xffff},
};
inline constexpr std::array kIp4Fields{
    FieldRule{.name = "src", .form = Form::Ip4, .offset = 12, .width = 4, .required = true, .may_vary = true},
    FieldRule{.name = "dst", .form = Form::Ip4, .offset = 16, .width = 4, .required = true, .may_vary = true},
    FieldRule{.name = "ttl", .form = Form::Number, .offset = 8, .width = 1, .max = 255, .fallback = 64},
    FieldRule{.name = "tos", .form = Form::Number, .offset = 1, .width = 1, .max = 255},
    FieldRule{.name = "id", .form = Form::Number, .offset = 4, .width = 2, .max = 0xffff},
    FieldRule{.name = "df", .form = Form::Number, .offset = 6, .width = 2, .shift = 14, .max = 1},
    FieldRule{.name = "proto", .form = Form::Number, .offset = 9, .width = 1, .max = 255},
};
inline constexpr std::array kIp6Fields{
    FieldRule{.name = "src", .form = Form::Ip6, .offset = 8, .width = 16, .required = true, .may_vary = true},
    FieldRule{.name = "dst", .form = Form::Ip6, .offset = 24, .width = 16, .required = true, .may_vary = true},
    FieldRule{.name = "hlim", .form = Form::Number, .offset = 7, .width = 1, .max = 255, .fallback = 64},
    FieldRule{.name = "class", .form = Form::Number, .offset = 0, .width = 4, .shift = 20, .max = 255},
    FieldRule{.name = "flow", .form = Form::Number, .offset = 0, .width = 4, .max = 0xfffff},
    FieldRule{.name = "next", .form = Form::Number, .offset = 6, .width = 1, .max = 255},
};
inline constexpr std::array kUdpFields{
    FieldRule{.name = "sport",
              .form = Form::Number,
              .offset = 0,
              .width = 2,
              .max = 0xffff,
              .fallback = 1024,
              .may_vary = true},
    FieldRule{
        .name = "dport", .form = Form::Number, .offset = 2, .width = 2, .max = 0xffff, .fallback = 9, .may_vary = true},
};
inline constexpr std::array kTcpFields{
    kUdpFields[0],
    kUdpFields[1],
    FieldRule{.name = "seq", .form = Form::Number, .offset = 4, .width = 4, .max = 0xffffffff},
    FieldRule{.name = "ack", .form = Form::Number, .offset = 8, .width = 4, .max = 0xffffffff},
    FieldRule{.name = "flags", .form = Form::TcpFlags, .offset = 13, .width = 1, .fallback = 2},
    FieldRule{.name = "window", .form = Form::Number, .offset = 14, .width = 2, .max = 0xffff, .fallback = 8192},
};
inline constexpr std::array kIcmpFields{
    FieldRule{.name = "type", .form = Form::Number, .offset = 0, .width = 1, .max = 255},
    FieldRule{.name = "code", .form = Form::Number, .offset = 1, .width = 1, .max = 255},
    FieldRule{.name = "id", .form = Form::Number, .offset = 4, .width = 2, .max = 0xffff, .may_vary = true},
    FieldRule{.name = "seq", .form = Form::Number, .offset = 6, .width = 2, .max = 0xffff, .may_vary = true},
};
inline constexpr std::array kPayloadFields{FieldRule{.name = "hex", .form = Form::Hex}};

inline constexpr std::uint16_t kOnIp = bit(Layer::Ip4) | bit(Layer::Ip6);
inline constexpr std::uint16_t kOnLink = bit(Layer::Ethernet) | bit(Layer::Vlan) | bit(Layer::Qinq);

inline constexpr std::array kLayers{
    LayerRule{Layer::Ethernet, "ethernet", 14, kEthernetFields, kFirst},
    LayerRule{Layer::Vlan, "vlan", 4, kVlanFields, kOnLink},
    LayerRule{Layer::Qinq, "qinq", 4, kVlanFields, kOnLink},
    LayerRule{Layer::Ip4, "ip4", 20, kIp4Fields, kFirst | kOnLink},
    LayerRule{Layer::Ip6, "ip6", 40, kIp6Fields, kFirst | kOnLink},
    LayerRule{Layer::Udp, "udp", 8, kUdpFields, kOnIp},
    LayerRule{Layer::Tcp, "tcp", 20, kTcpFields, kOnIp},
    LayerRule{Layer::Icmp, "icmp", 8, kIcmpFields, kOnIp},
    LayerRule{Layer::Payload, "payload", 0, kPayloadFields,
              static_cast<std::uint16_t>(kOnLink | kOnIp | bit(Layer::Udp) | bit(Layer::Tcp) | bit(Layer::Icmp))},
};

}  // namespace sluice::pg
