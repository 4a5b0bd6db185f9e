// SPDX-License-Identifier: Apache-2.0
#include "control/form_cover.h"

#include <algorithm>

namespace sluice::control {
namespace {

using Kind = Item::Kind;

bool covers(const Sequence& now, const Sequence& then);

/// A positional that may be left out now: `[{x}]` for `{x}`.
bool covers_without_brackets(const Item& now, const Item& then);

bool covers(const Item& now, const Item& then) {
  if (now.kind == Kind::Group && then.kind != Kind::Group) return covers_without_brackets(now, then);
  if (now.kind != then.kind) return false;
  if (now.kind != Kind::Group) {
    return now.word == then.word && now.path == then.path && now.list == then.list && now.rest == then.rest;
  }
  return (now.optional || !then.optional) && (now.repeated || !then.repeated) && now.element == then.element &&
         covers(*now.body, *then.body);
}

bool covers_without_brackets(const Item& now, const Item& then) {
  return now.body->fixed.size() == 1 && now.body->clauses.empty() && covers(now.body->fixed.front(), then);
}

bool covers(const Sequence& now, const Sequence& then) {
  if (now.fixed.size() < then.fixed.size()) return false;
  const auto behind = now.fixed.begin() + static_cast<std::ptrdiff_t>(then.fixed.size());
  const auto may_be_left_out = [](const Item& item) { return item.optional; };
  const auto is_taken = [&](const Item& old) {
    return std::any_of(now.clauses.begin(), now.clauses.end(), [&](const Item& item) { return covers(item, old); });
  };
  const auto was_there = [&](const Item& item) {
    return item.optional || std::any_of(then.clauses.begin(), then.clauses.end(),
                                        [&](const Item& old) { return !old.optional && covers(item, old); });
  };
  return std::equal(now.fixed.begin(), behind, then.fixed.begin(),
                    [](const Item& item, const Item& old) { return covers(item, old); }) &&
         std::all_of(behind, now.fixed.end(), may_be_left_out) &&
         std::all_of(then.clauses.begin(), then.clauses.end(), is_taken) &&
         std::all_of(now.clauses.begin(), now.clauses.end(), was_there);
}

}  // namespace

Status still_taken(const Grammar& grammar, const google::protobuf::MethodDescriptor& method, const std::string& syntax,
                   const std::string& set) {
  const auto then = parse_syntax(*method.input_type(), syntax);
  if (!then.ok()) return then.status();
  for (const auto& form : grammar.forms()) {
    if (form.method == &method && form.set == set && covers(form.sequence, *then)) return {};
  }
  return refused("no form takes all that \"{}\"{}{} took", syntax, set.empty() ? "" : " with ", set);
}

}  // namespace sluice::control
