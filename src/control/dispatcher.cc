// SPDX-License-Identifier: Apache-2.0
#include "control/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/kinds.h"
#include "control/values.h"

namespace sluice::control {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

constexpr std::string_view kNothingChanged = "nothing changed";

/// An error of a method that changes something always ends with that nothing changed.
Status complete_error(const Api::Method& method, Status status) {
  if (status.ok() || method.read_only || text(status).find(kNothingChanged) != std::string::npos) return status;
  return make_status(status.code(), "{}; {}", text(status), kNothingChanged);
}

bool is_unchanged(const Message& reply) {
  return reply.GetDescriptor() == Done::descriptor() && static_cast<const Done&>(reply).unchanged();
}

}  // namespace

Status Dispatcher::check_kind(const FieldDescriptor& field, std::string_view kind, std::string_view value) const {
  const Kind* known = api_.find_kind(kind);
  if (!known) return {};  // the plugin that owns it is not loaded; the handler decides
  const auto name = kebab(field.name());
  if (known->validate) {
    const auto status = known->validate(value);
    return status.ok() ? status : make_status(status.code(), "{} {}: {}", name, value, text(status));
  }
  std::vector<std::string> values;
  for (auto& candidate : known->list({.prefix = value})) values.push_back(std::move(candidate.value));
  if (std::find(values.begin(), values.end(), value) != values.end()) return {};
  const auto meant = nearest(value, values);
  return not_found("{} {}: no such {}{}{}{}", name, value, kind, meant.empty() ? "" : "; did you mean ", meant,
                   meant.empty() ? "" : "?");
}

Status Dispatcher::check(const Api::Method& method, Message& request) const {
  return complete_error(
      method, check_rules(request, [this](const FieldDescriptor& field, std::string_view kind, std::string_view value) {
        return check_kind(field, kind, value);
      }));
}

CallContext::Check Dispatcher::element_check() const {
  using Right = std::set<std::pair<const FieldDescriptor*, std::string>, std::less<>>;
  return [this, right = std::make_shared<Right>()](Message& element) {
    return check_rules(element, [&](const FieldDescriptor& field, std::string_view kind, std::string_view value) {
      std::pair<const FieldDescriptor*, std::string> known(&field, value);
      if (right->contains(known)) return Status();
      auto status = check_kind(field, kind, value);
      if (status.ok()) right->insert(std::move(known));
      return status;
    });
  };
}

Status Dispatcher::call(const Api::Method& method, Message& request, Message& reply, CallContext& context) const {
  Status status;
  if (!method.batches) status = check(method, request);
  if (!status.ok()) return status;
  context.begin(method.batches ? element_check() : CallContext::Check());
  try {
    status = method.unary(request, reply, context);
  } catch (const std::exception& error) {
    return make_status(absl::StatusCode::kInternal, "the handler failed: {}", error.what());
  }
  if (!status.ok()) return complete_error(method, std::move(status));
  const bool did = method.batches ? !context.recorded().empty() : !is_unchanged(reply);
  const bool changed = !method.read_only && !method.transient && !context.dry_run() && did;
  return changed && hook_ ? hook_(method, request, context) : status;
}

std::unique_ptr<AnyStream> Dispatcher::open(const Api::Method& method, Message& request, CallContext& context,
                                            Status& status) const {
  status = check(method, request);
  return status.ok() ? method.streaming(request, context) : nullptr;
}

std::vector<Candidate> Dispatcher::complete(const FieldDescriptor& field, const KindQuery& query) const {
  std::vector<Candidate> candidates;
  for (auto& word : value_words(field)) candidates.emplace_back(std::move(word));
  const Kind* kind = api_.find_kind(rules(field).kind());
  if (kind && kind->list) candidates = kind->list(query);
  std::erase_if(candidates, [&](const Candidate& c) { return !c.value.starts_with(query.prefix); });
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.value < b.value; });
  return candidates;
}

}  // namespace sluice::control
