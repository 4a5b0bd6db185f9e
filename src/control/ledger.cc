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

JournalRecord record_of(const Ledger::Entry& entry) {
  JournalRecord record;
  record.set_object(entry.object);
  record.set_method(
      fmt::format("/{}/{}", entry.method->descriptor->service()->full_name(), entry.method->descriptor->name()));
  record.set_request(entry.request->SerializeAsString());
  record.set_masks(entry.masks);
  return record;
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
  erase(object);
  pending_.erase(
      std::remove_if(pending_.begin(), pending_.end(), [&](const JournalRecord& r) { return r.object() == object; }),
      pending_.end());
  Entry entry{object, &method, std::unique_ptr<Message>(request.New()), masks, next_++};
  entry.request->CopyFrom(request);
  each_interface(request, [&](const std::string& name) { naming_[name].insert(object); });
  pending_.push_back(record_of(entry));
  entries_.insert_or_assign(object, std::move(entry));
  keep_subinterfaces_behind(object, request);
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
      const std::unique_ptr<Message> again(same.request->New());
      again->CopyFrom(*same.request);
      put(std::string(it->first), *same.method, *again, same.masks);
    }
  });
}

void Ledger::erase(std::string_view object) {
  const auto it = entries_.find(object);
  if (it == entries_.end()) return;
  each_interface(*it->second.request, [&](const std::string& name) {
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
    erase(it->first);
  }
  erase(object);
}

void Ledger::forget_interface(const std::string& name) {
  erase_below(std::string(kInterface) + name);
  const auto named = naming_.find(name);
  if (named == naming_.end()) return;
  for (const auto& object : std::set<std::string>(named->second)) {
    const Entry& entry = entries_.at(object);
    const std::unique_ptr<Message> rest(entry.request->New());
    rest->CopyFrom(*entry.request);
    if (strip(*rest, name)) {
      put(object, *entry.method, *rest, entry.masks);
    } else {
      erase(object);
    }
  }
  naming_.erase(name);
}

Status Ledger::changed(const Api::Method& method, const Message& request, CallContext& context) {
  if (detached_) return {};
  const Message* said = &request;
  const Api::Method* by = &method;
  if (context.recorded().request) {
    by = api_.find(context.recorded().method);
    said = context.recorded().request.get();
  }
  std::string object = !created_.empty() ? std::string(kInterface) + created_.front() : object_of(*by, *said);
  const bool took_interface = created_.empty() && !deleted_.empty();
  if (took_interface) object = std::string(kInterface) + deleted_.front();
  created_.clear();
  deleted_.clear();
  if (object.empty()) object = fmt::format("call{}/{}", method.descriptor->full_name(), request.ShortDebugString());
  if (context.origin() == CallContext::Origin::Startup) startup_.insert(object);
  if (!took_interface && !by->removes) {
    put(object, *by, *said, false);
    return flush();
  }
  const bool ours = took_interface || entries_.contains(object);
  erase_below(object);
  // What the configuration file or a plugin makes by itself comes back at a restart unless it is taken away again.
  const bool masks = startup_.contains(object);
  if (masks || !ours) put("-" + object, *by, *said, masks);
  return flush();
}

Status Ledger::flush() {
  const auto records = std::exchange(pending_, {});
  return writer_ && !records.empty() ? writer_(records) : Status();
}

std::vector<const Ledger::Entry*> Ledger::entries() const {
  std::vector<const Entry*> all;
  for (const auto& [object, entry] : entries_) all.push_back(&entry);
  std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->order < b->order; });
  return all;
}

std::vector<JournalRecord> Ledger::records() const {
  std::vector<JournalRecord> all;
  for (const Entry* entry : entries()) all.push_back(record_of(*entry));
  return all;
}

}  // namespace sluice::control
