// SPDX-License-Identifier: Apache-2.0
#include "control/ledger.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/command_writer.h"
#include "control/values.h"
#include "sluice/net/address.h"

namespace sluice::control {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

constexpr std::string_view kInterface = "interface/";
constexpr std::string_view kInterfaceKind = "interface";

/// 2001:DB8::1 and 2001:db8::1 are one thing.
std::string one_spelling(std::string_view kind, std::string text) {
  if (kind == "prefix" || kind == "ip4-prefix" || kind == "ip6-prefix") {
    const auto prefix = IpPrefix::parse(text);
    return prefix.ok() ? prefix->to_string() : text;
  }
  if (kind == "address" || kind == "ip4" || kind == "ip6") {
    const auto address = IpAddress::parse(text);
    return address.ok() ? address->to_string() : text;
  }
  if (kind == "interface-address") {
    const auto slash = std::min(text.find('/'), text.size());
    const auto address = IpAddress::parse(std::string_view(text).substr(0, slash));
    return address.ok() ? address->to_string() + text.substr(slash) : text;
  }
  return text;
}

/// Calls f(message, field, index) for each string field of the kind `interface`.
template <class F>
void each_interface(const Message& message, F&& f) {
  std::vector<const FieldDescriptor*> fields;
  const auto* r = message.GetReflection();
  r->ListFields(message, &fields);
  for (const auto* field : fields) {
    const int count = field->is_repeated() ? r->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        each_interface(field->is_repeated() ? r->GetRepeatedMessage(message, field, i) : r->GetMessage(message, field),
                       f);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && rules(*field).kind() == kInterfaceKind) {
        f(field->is_repeated() ? r->GetRepeatedString(message, field, i) : r->GetString(message, field));
      }
    }
  }
}

bool names(const Message& message, const std::string& interface) {
  bool found = false;
  each_interface(message, [&](const std::string& name) { found |= name == interface; });
  return found;
}

/// Takes elements that name the interface from repeated fields, as the route loses that next hop. False: nothing would
/// be left of them, or it is named outside of them.
bool strip(Message& message, const std::string& interface) {
  std::vector<const FieldDescriptor*> fields;
  const auto* r = message.GetReflection();
  r->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (!field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int size = r->FieldSize(message, field);
    int kept = 0;
    for (int i = 0; i < size; ++i) {
      if (names(r->GetRepeatedMessage(message, field, i), interface)) continue;
      r->SwapElements(&message, field, i, kept++);
    }
    if (kept == 0) return false;
    while (r->FieldSize(message, field) > kept) r->RemoveLast(&message, field);
  }
  return !names(message, interface);
}

}  // namespace

std::string object_of(const Api::Method& method, const Message& request) {
  std::string object;
  std::string_view left = method.object;
  while (!left.empty()) {
    const auto open = std::min(left.find('{'), left.size());
    object += left.substr(0, open);
    left.remove_prefix(open);
    if (left.empty()) break;
    const auto close = left.find('}');
    const auto* field = request.GetDescriptor()->FindFieldByName(std::string(left.substr(1, close - 1)));
    object += one_spelling(rules(*field).kind(), typed_value(request, *field));
    left.remove_prefix(close + 1);
  }
  return object;
}

std::unique_ptr<Message> Ledger::Entry::message() const {
  std::unique_ptr<Message> made(method->request->New());
  (void)made->ParseFromString(request);  // it was serialized here
  return made;
}

JournalRecord Ledger::record_of(const Entries::value_type& entry) {
  const auto& [object, about] = entry;
  JournalRecord record;
  record.set_object(object);
  const auto& method = *about.method->descriptor;
  record.set_method(fmt::format("/{}/{}", method.service()->full_name(), method.name()));
  record.set_request(about.request);
  record.set_masks(about.masks);
  return record;
}

void Ledger::watch(Interfaces& interfaces) {
  interfaces.listen([this, alive = std::weak_ptr(alive_)](Interfaces::Event event, const InterfaceEntry& entry,
                                                          const InterfaceAddress*) {
    if (alive.expired() || detached_) return;
    if (event == Interfaces::Event::Created) created_.push_back(entry.name);
    if (event != Interfaces::Event::Deleted) return;
    std::erase(created_, entry.name);
    deleted_.push_back(entry.name);
    forget_interface(entry.name);
    (void)flush();  // an interface may go without a command; the writer says what it could not write
  });
}

void Ledger::detach() {
  detached_ = true;
  writer_ = nullptr;
}

void Ledger::put(std::string object, const Api::Method& method, const Message& request, bool masks) {
  auto it = entries_.lower_bound(object);
  if (it != entries_.end() && it->first == object) {
    erase(std::exchange(it, std::next(it)));
    pending_.erase(
        std::remove_if(pending_.begin(), pending_.end(), [&](const JournalRecord& r) { return r.object() == object; }),
        pending_.end());
  }
  bool named = false;
  each_interface(request, [&](const std::string& name) {
    naming_[name].insert(object);
    named = true;
  });
  it = entries_.emplace_hint(it, std::move(object), Entry{&method, request.SerializeAsString(), masks, next_++});
  pending_.push_back(record_of(*it));
  if (named) keep_subinterfaces_behind(it->first, request);
}

void Ledger::keep_subinterfaces_behind(const std::string& object, const Message& request) {
  each_interface(request, [&](const std::string& name) {
    const auto own = fmt::format("{}{}/", kInterface, name);
    if (!object.starts_with(own)) return;
    for (const std::string& made : std::set<std::string>(naming_[name])) {
      if (!made.starts_with(kInterface) || made.starts_with(own)) continue;
      const auto it = entries_.find(made + "/" + object.substr(own.size()));
      if (it == entries_.end()) continue;
      const Entry& same = it->second;
      put(std::string(it->first), *same.method, *same.message(), same.masks);
    }
  });
}

void Ledger::erase(Entries::iterator it) {
  each_interface(*it->second.message(), [&](const std::string& name) {
    if (const auto named = naming_.find(name); named != naming_.end()) named->second.erase(it->first);
  });
  JournalRecord record;
  record.set_object(it->first);
  pending_.push_back(std::move(record));
  entries_.erase(it);
}

void Ledger::erase_below(const std::string& object) {
  const auto prefix = object + "/";
  for (auto it = entries_.lower_bound(prefix); it != entries_.end() && it->first.starts_with(prefix);
       it = entries_.lower_bound(prefix)) {
    erase(it);
  }
  if (const auto it = entries_.find(object); it != entries_.end()) erase(it);
}

void Ledger::forget_interface(const std::string& name) {
  erase_below(std::string(kInterface) + name);
  const auto named = naming_.find(name);
  if (named == naming_.end()) return;
  for (const auto& object : std::set<std::string>(named->second)) {
    const Entry& entry = entries_.at(object);
    const auto rest = entry.message();
    if (strip(*rest, name)) {
      put(object, *entry.method, *rest, entry.masks);
    } else {
      erase(entries_.find(object));
    }
  }
  naming_.erase(name);
}

Status Ledger::changed(const Api::Method& method, const Message& request, CallContext& context) {
  if (detached_) return {};
  if (context.recorded().empty()) note(method, request, context.origin());
  for (const auto& recorded : context.recorded()) {
    note(*api_.find(recorded.method), *recorded.request, context.origin());
  }
  return flush();
}

void Ledger::note(const Api::Method& method, const Message& request, CallContext::Origin origin) {
  std::string object = !created_.empty() ? std::string(kInterface) + created_.front() : object_of(method, request);
  const bool took_interface = created_.empty() && !deleted_.empty();
  if (took_interface) object = std::string(kInterface) + deleted_.front();
  created_.clear();
  deleted_.clear();
  if (object.empty()) object = fmt::format("call{}/{}", method.descriptor->full_name(), request.ShortDebugString());
  if (origin == CallContext::Origin::Startup) startup_.insert(object);
  if (!took_interface && !method.removes) return put(std::move(object), method, request, false);
  const bool ours = took_interface || entries_.contains(object);
  erase_below(object);
  // What the configuration file or a plugin makes by itself comes back at a restart unless it is taken away again.
  const bool masks = startup_.contains(object);
  if (masks || !ours) put("-" + object, method, request, masks);
}

Status Ledger::flush() {
  const auto records = std::exchange(pending_, {});
  return writer_ && !records.empty() ? writer_(records) : Status();
}

std::vector<JournalRecord> Ledger::records() const {
  std::vector<const Entries::value_type*> all;
  all.reserve(entries_.size());
  for (const auto& entry : entries_) all.push_back(&entry);
  std::sort(all.begin(), all.end(), [](auto* a, auto* b) { return a->second.order < b->second.order; });
  std::vector<JournalRecord> records;
  records.reserve(all.size());
  for (const auto* entry : all) records.push_back(record_of(*entry));
  return records;
}

}  // namespace sluice::control
