// SPDX-License-Identifier: Apache-2.0
// Requests made of bytes: good ones, nearly good ones and hostile ones, by what the descriptors say of their fields.
#pragma once
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/api.h"

namespace sluice::apitest {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

/// Decisions. When the bytes have run out, all are zero.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  std::uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  std::uint64_t number(unsigned bytes) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) value = value << 8 | byte();
    return value;
  }
  std::size_t below(std::size_t n) { return n > 1 ? number(n > 256 ? 4 : 1) % n : 0; }
  template <class List>
  const auto& one_of(const List& list) {
    return list[below(std::size(list))];
  }
  std::string bytes(std::size_t most) {
    std::string text;
    for (std::size_t n = below(most + 1); n > 0 && !empty(); --n) text += static_cast<char>(byte());
    return text;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

class RequestMaker {
 public:
  /// folder: the only place that a field of kind path may name.
  RequestMaker(const Api& api, std::string folder) : api_(api), folder_(std::move(folder)) {}

  void fill(Message& message, Choices& choices, int depth = 0) const {
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const auto& field = *message.GetDescriptor()->field(i);
      const auto mood = choices.byte();
      if (field.is_map() || (rules(field).required() ? mood == 255 : mood < 110)) continue;
      int count = 1;
      if (field.is_repeated()) count = mood == 254 ? 300 : 1 + static_cast<int>(choices.below(4));
      for (int n = 0; n < count && (n == 0 || !choices.empty()); ++n) value(message, field, choices, depth);
    }
  }

  /// Bytes of a request with a few of them changed.
  static void mutate(std::string& wire, Choices& choices) {
    for (auto n = 1 + choices.below(4); n > 0; --n) {
      const auto at = choices.below(wire.size() + 1);
      switch (choices.byte() % 5) {
        case 0: wire.insert(at, 1, static_cast<char>(choices.byte())); break;
        case 1: wire.resize(at); break;
        case 2: wire += wire.substr(at); break;
        case 3: wire.insert(at, choices.bytes(16)); break;
        default:
          if (at < wire.size()) wire[at] = static_cast<char>(wire[at] ^ (1u << choices.byte() % 8));
      }
    }
  }

  /// Paths that lead out of the folder lead into it instead: handlers may write files.
  void tame(Message& message) const {
    std::vector<const FieldDescriptor*> fields;
    const auto* r = message.GetReflection();
    r->ListFields(message, &fields);
    for (const auto* field : fields) {
      const int count = field->is_repeated() ? r->FieldSize(message, field) : 1;
      for (int i = 0; i < count && !field->is_map(); ++i) {
        if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
          tame(field->is_repeated() ? *r->MutableRepeatedMessage(&message, field, i)
                                    : *r->MutableMessage(&message, field));
        } else if (rules(*field).kind() == "path" && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
          tame_path(message, *field, i);
        }
      }
    }
  }

 private:
  static const FieldRules& rules(const FieldDescriptor& field) { return field.options().GetExtension(sluice::f); }

  void tame_path(Message& message, const FieldDescriptor& field, int index) const {
    const auto* r = message.GetReflection();
    const auto path =
        field.is_repeated() ? r->GetRepeatedString(message, &field, index) : r->GetString(message, &field);
    if (path.starts_with(folder_ + "/") && path.find("..") == std::string::npos) return;
    if (!path.starts_with('/')) return;  // refused
    if (field.is_repeated()) {
      r->SetRepeatedString(&message, &field, index, folder_ + "/other");
    } else {
      r->SetString(&message, &field, folder_ + "/other");
    }
  }

  template <class V, class Set, class Add>
  static void put(Message& message, const FieldDescriptor& field, V value, Set set, Add add) {
    const auto* r = message.GetReflection();
    if (field.is_repeated()) {
      (r->*add)(&message, &field, std::move(value));
    } else {
      (r->*set)(&message, &field, std::move(value));
    }
  }

  void value(Message& message, const FieldDescriptor& field, Choices& choices, int depth) const {
    using R = google::protobuf::Reflection;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return put(message, field, static_cast<std::int32_t>(number(field, choices)), &R::SetInt32, &R::AddInt32);
      case FieldDescriptor::CPPTYPE_INT64:
        return put(message, field, static_cast<std::int64_t>(number(field, choices)), &R::SetInt64, &R::AddInt64);
      case FieldDescriptor::CPPTYPE_UINT32:
        return put(message, field, static_cast<std::uint32_t>(number(field, choices)), &R::SetUInt32, &R::AddUInt32);
      case FieldDescriptor::CPPTYPE_UINT64:
        return put(message, field, number(field, choices), &R::SetUInt64, &R::AddUInt64);
      case FieldDescriptor::CPPTYPE_BOOL: return put(message, field, choices.byte() % 4 != 3, &R::SetBool, &R::AddBool);
      case FieldDescriptor::CPPTYPE_ENUM:
        return put(message, field, enumerator(field, choices), &R::SetEnumValue, &R::AddEnumValue);
      case FieldDescriptor::CPPTYPE_STRING:
        return put(message, field,
                   field.type() == FieldDescriptor::TYPE_BYTES ? choices.bytes(64) : text(field, choices),
                   static_cast<void (R::*)(Message*, const FieldDescriptor*, std::string) const>(&R::SetString),
                   static_cast<void (R::*)(Message*, const FieldDescriptor*, std::string) const>(&R::AddString));
      case FieldDescriptor::CPPTYPE_MESSAGE: return inner(message, field, choices, depth);
      default: return;  // no floating point in requests
    }
  }

  void inner(Message& message, const FieldDescriptor& field, Choices& choices, int depth) const {
    const auto* r = message.GetReflection();
    auto& made = field.is_repeated() ? *r->AddMessage(&message, &field) : *r->MutableMessage(&message, &field);
    if (made.GetDescriptor()->full_name() == "google.protobuf.Any") return any(made, choices);
    if (depth < 4) fill(made, choices, depth + 1);
  }

  void any(Message& any, Choices& choices) const {
    std::string type = choices.bytes(40), value = choices.bytes(64);
    if (choices.byte() < 200 && !api_.settings().empty()) {
      const auto at = static_cast<std::ptrdiff_t>(choices.below(api_.settings().size()));
      const auto& descriptor = *std::next(api_.settings().begin(), at)->second;
      const auto* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(&descriptor);
      const std::unique_ptr<Message> settings(prototype->New());
      fill(*settings, choices, 1);
      type = "type.googleapis.com/" + descriptor.full_name();
      if (choices.byte() < 200) value = settings->SerializeAsString();
    }
    const auto* r = any.GetReflection();
    r->SetString(&any, any.GetDescriptor()->FindFieldByName("type_url"), std::move(type));
    r->SetString(&any, any.GetDescriptor()->FindFieldByName("value"), std::move(value));
  }

  static std::uint64_t number(const FieldDescriptor& field, Choices& choices) {
    const auto& r = rules(field);
    const std::uint64_t low = r.has_min() ? static_cast<std::uint64_t>(r.min()) : 0;
    const std::uint64_t high = r.has_max() ? r.max() : std::numeric_limits<std::uint64_t>::max();
    switch (choices.byte() % 10) {
      case 0: return low;
      case 1: return high;
      case 2: return low - 1;
      case 3: return high + 1;
      case 4: return choices.number(8);
      case 5: return std::uint64_t{1} << (choices.byte() % 64);
      default: return low + choices.byte() % std::max<std::uint64_t>(1, std::min<std::uint64_t>(high - low, 255));
    }
  }

  static int enumerator(const FieldDescriptor& field, Choices& choices) {
    const auto& type = *field.enum_type();
    const auto mood = choices.byte();
    if (mood > 240) return static_cast<int>(choices.number(4));
    return type.value(mood % type.value_count())->number();
  }

  std::string text(const FieldDescriptor& field, Choices& choices) const {
    const auto mood = choices.byte();
    if (mood > 235) return hostile(choices);
    const auto& kind = rules(field).kind();
    if (kind == "path") return folder_ + "/" + choices.one_of(std::array{"a", "b", "missing/c"});
    if (const auto found = samples().find(kind); found != samples().end() && mood < 220) {
      return choices.one_of(found->second);
    }
    if (const Kind* live = api_.find_kind(kind); live && live->list) {
      const auto known = live->list({});
      if (!known.empty() && mood < 220) return known[choices.below(known.size())].value;
    }
    return choices.one_of(samples().at(""));
  }

  static std::string hostile(Choices& choices) {
    switch (choices.byte() % 8) {
      case 0: return {};
      case 1: return std::string(5000, 'x');
      case 2: return std::string("null0\0x", 7);
      case 3: return "%s%n{}{0}\\";
      case 4: return "\"; delete interface null0\n#";
      case 5: return "../../../etc/passwd";
      case 6: return "\xc3\xa4\xe2\x82\xac";
      default: return choices.bytes(80);
    }
  }

  static const std::map<std::string, std::vector<std::string>, std::less<>>& samples() {
    static const std::map<std::string, std::vector<std::string>, std::less<>> map{
        {"address",
         {"10.0.0.1", "10.0.0.2", "10.0.0.0", "192.0.2.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1",
          "fd00::1", "fd00::2", "fe80::1", "::", "::1", "ff02::1", "::ffff:10.0.0.1"}},
        {"prefix",
         {"10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/32", "0.0.0.0/0", "192.0.2.0/24", "224.0.0.0/4", "127.0.0.0/8", "::/0",
          "fd00::/64", "fd00::1/128", "fe80::/10", "10.0.0.1/24"}},
        {"interface-address",
         {"10.0.0.1/24", "10.0.0.2/24", "10.0.0.1/32", "192.0.2.1/30", "192.0.2.0/31", "10.0.0.0/24", "10.0.0.255/24",
          "fd00::1/64", "fd00::2/64", "fe80::1/64", "0.0.0.0/0"}},
        {"mac",
         {"02:00:00:00:00:01", "02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "01:00:5e:00:00:01"}},
        {"name", {"a", "b", "c", "null0", "null1", "null0.100", "pod/a", std::string(63, 'n')}},
        {"pcap-filter", {"tcp port 80", "ip", "udp and host 10.0.0.1", "not (", "ether proto 0x88b5"}},
        {"",
         {"a", "b", "null0", "10.0.0.1", "imix", "64", "64-1500", "9999999", "tcp",
          "ethernet src 02::1 dst 02::2 / ip4 src 10.0.0.1 dst 10.0.0.2 / udp sport 1-9 dport 53",
          "ethernet src 02::1 dst 02::2 / ip6 src fd00::1 dst fd00::2 / tcp", "ethernet", "ip4 / ip4 / payload"}}};
    return map;
  }

  const Api& api_;
  const std::string folder_;
};

}  // namespace sluice::apitest
