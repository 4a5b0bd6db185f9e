// SPDX-License-Identifier: Apache-2.0
// A request as the command that makes it: the opposite of Grammar::parse().
#pragma once
#include <google/protobuf/message.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "control/grammar.h"

namespace sluice::control {

/// A field's value as it is typed; of the `index`th element of a repeated one.
SLUICE_API std::string typed_value(const google::protobuf::Message& message,
                                   const google::protobuf::FieldDescriptor& field, int index = -1);
/// True when a field holds something else than nothing or its default.
SLUICE_API bool is_given(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field);

/// Writes one request in one form.
class CommandWriter {
 public:
  CommandWriter(const Form& form, const SettingsMap& settings, google::protobuf::MessageFactory& factory, bool secrets)
      : form_(form), settings_(settings), factory_(factory), secrets_(secrets) {}
  /// Empty when the form cannot say all of it.
  std::optional<std::string> write(const google::protobuf::Message& request);

 private:
  bool presets_hold(const google::protobuf::Message& request);
  bool sequence(const Sequence& sequence, const google::protobuf::Message& root);
  bool group(const Item& item, const google::protobuf::Message& root);
  bool item(const Item& item, const google::protobuf::Message& root);
  bool settings(const Item& item, const google::protobuf::Message& holder, const google::protobuf::Message& root);
  void collect_words(const Sequence& sequence);
  bool any_given(const Sequence& sequence, const google::protobuf::Message& root) const;
  bool all_written(const google::protobuf::Message& message) const;
  const google::protobuf::Message& holder(const google::protobuf::Message& root, const Item& item) const;
  void word(std::string_view text);
  std::string value(const google::protobuf::Message& message, const Item& item, int index) const;

  const Form& form_;
  const SettingsMap& settings_;
  google::protobuf::MessageFactory& factory_;
  const bool secrets_;
  std::set<std::string, std::less<>> words_;
  std::string line_;
  std::map<const google::protobuf::FieldDescriptor*, int> element_;  // of repeated messages: where the writer is
  std::set<const google::protobuf::FieldDescriptor*> written_;
};

}  // namespace sluice::control
