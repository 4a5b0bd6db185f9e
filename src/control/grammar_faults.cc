// SPDX-License-Identifier: Apache-2.0
// What a declaration can get wrong without being malformed.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/grammar.h"
#include "control/matcher.h"
#include "control/values.h"

namespace sluice::control {

using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using Kind = Item::Kind;

namespace {

void collect_fields(const Sequence& sequence, std::set<const FieldDescriptor*>& fields) {
  for (const auto* items : {&sequence.fixed, &sequence.clauses}) {
    for (const auto& item : *items) {
      if (!item.path.empty()) fields.insert(item.path.front());
      if (item.body) collect_fields(*item.body, fields);
    }
  }
}

/// A value that the field's type accepts, for lines that are only walked, never run.
std::string sample_value(const FieldDescriptor& field) {
  const auto words = value_words(field);
  if (!words.empty()) return words.front();
  return acceptable(field, "1") && !acceptable(field, "sample-text") ? "1" : "sample-text";
}

/// The shortest line of a sequence, or the one with every option.
void sample(const Sequence& sequence, bool all, std::vector<std::string>& words) {
  for (const auto* items : {&sequence.fixed, &sequence.clauses}) {
    for (const auto& item : *items) {
      if (item.kind == Kind::Group) {
        if (all || !item.optional) sample(*item.body, all, words);
      } else if (item.kind != Kind::Field) {
        words.push_back(item.word);
      } else if (item.field().cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        words.push_back(sample_value(item.field()));
      }
    }
  }
}

}  // namespace

std::vector<std::string> Grammar::field_faults() const {
  std::map<const MethodDescriptor*, std::set<const FieldDescriptor*>> covered;
  for (const auto& form : forms_) {
    auto& fields = covered[form.method];
    collect_fields(form.sequence, fields);
    for (int i = 0; i < form.method->input_type()->field_count(); ++i) {
      const auto* field = form.method->input_type()->field(i);
      if (fmt::format(" {}", form.set).find(fmt::format(" {}:", field->name())) != std::string::npos)
        fields.insert(field);
    }
  }
  std::vector<std::string> faults;
  for (const auto& [method, fields] : covered) {
    for (int i = 0; i < method->input_type()->field_count(); ++i) {
      const auto* field = method->input_type()->field(i);
      if (!fields.contains(field))
        faults.push_back(fmt::format("{}: no form sets the field {}", method->full_name(), field->name()));
    }
  }
  return faults;
}

std::vector<std::string> Grammar::sample_faults() const {
  std::vector<std::string> faults;
  const ParseOptions options;
  for (const auto& form : forms_) {
    for (const bool all : {false, true}) {
      std::vector<std::string> words;
      sample(form.sequence, all, words);
      const auto line = fmt::format("{}", fmt::join(words, " "));
      std::vector<Token> tokens;
      LineError error;
      if (!tokenize(line, tokens, error)) continue;
      Matcher matcher(forms_, settings_, options);
      bool taken = true;
      for (std::size_t i = 0; taken && i < tokens.size();) taken = matcher.take(tokens, i, error);
      const auto* thread = taken ? matcher.accepted() : nullptr;
      if (!thread) {
        faults.push_back(fmt::format("{}: \"{}\" cannot be typed: {}", form.method->full_name(), line, text(error)));
      } else if (matcher.ties() > 1) {
        faults.push_back(fmt::format("{}: \"{}\" is ambiguous", form.method->full_name(), line));
      } else if (thread->form != &form) {
        faults.push_back(
            fmt::format("{}: \"{}\" is read as \"{}\"", form.method->full_name(), line, thread->form->syntax));
      }
    }
  }
  return faults;
}

std::vector<std::string> Grammar::faults() const {
  auto faults = field_faults();
  for (auto& fault : sample_faults()) faults.push_back(std::move(fault));
  return faults;
}

}  // namespace sluice::control
