// SPDX-License-Identifier: Apache-2.0
// All commands of a daemon: parses lines into requests, says what may come next, and finds faults in the declarations.
// The same for sluicectl (descriptors from Describe), for startup: and for sluiced --check (descriptors compiled in).
#pragma once
#include <google/protobuf/message.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/syntax.h"
#include "control/tokenizer.h"

namespace sluice::control {

struct Form {
  const google::protobuf::MethodDescriptor* method = nullptr;
  std::string syntax;
  std::string set;
  Sequence sequence;
};

struct Settings {
  const google::protobuf::Descriptor* message = nullptr;
  Sequence sequence;
};
using SettingsMap = std::map<std::string, Settings, std::less<>>;

/// A parsed line.
struct Command {
  const google::protobuf::MethodDescriptor* method = nullptr;
  const Form* form = nullptr;
  std::unique_ptr<google::protobuf::Message> request;
  std::unique_ptr<google::protobuf::Message> verbs;  // control.ListVerbs
};

/// Something that may come next.
struct Expected {
  std::string word;                                          // a keyword; empty for a value
  const google::protobuf::FieldDescriptor* field = nullptr;  // the value's field, or what the keyword leads to
  const Form* form = nullptr;
};

struct Expectations {
  std::string partial;             // what has been typed of the word at the end
  std::size_t begin = 0;           // where it begins
  bool complete = false;           // the line could end before it
  std::vector<Expected> expected;  // what may stand there
  /// The request so far, for completers; null when several methods are still possible.
  std::unique_ptr<google::protobuf::Message> arguments;
};

struct ParseOptions {
  /// Take unambiguous beginnings for keywords. Typed lines only.
  bool prefixes = false;
  /// Asked when a word could be the beginning of a keyword or a value: is it the name of something that exists?
  std::function<bool(const google::protobuf::MethodDescriptor&, const google::protobuf::FieldDescriptor&,
                     std::string_view)>
      known;
};

class SLUICE_API Grammar {
 public:
  explicit Grammar(google::protobuf::MessageFactory& factory) : factory_(factory) {}
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;

  /// Adds the commands of a service. Refuses a syntax or `set` that is wrong.
  Status add(const google::protobuf::ServiceDescriptor& service);
  /// The settings that follow `selector` where a form has {x...} on an Any.
  void add_settings(std::string_view selector, const google::protobuf::Descriptor& message);

  /// False when the line is no command; `error` says where and what was expected. An empty line gives a command without
  /// method.
  bool parse(std::string_view line, const ParseOptions& options, Command& command, LineError& error) const;
  /// The command that gives this request; empty when none can. Secret fields are "[redacted]" unless `secrets`.
  std::optional<std::string> command_line(const google::protobuf::MethodDescriptor& method,
                                          const google::protobuf::Message& request, bool secrets) const;
  /// What may stand at the end of `line`.
  Expectations expect(std::string_view line, const ParseOptions& options) const;

  const std::deque<Form>& forms() const { return forms_; }
  /// Forms that accept the same line, fields that no form sets. Empty when all is well.
  std::vector<std::string> faults() const;

 private:
  std::vector<std::string> field_faults() const;
  std::vector<std::string> sample_faults() const;

  google::protobuf::MessageFactory& factory_;
  std::deque<Form> forms_;
  SettingsMap settings_;
};

/// Sets the fields that a form's `set` names. False when it is not text format of the message.
bool apply_preset(google::protobuf::Message& message, const std::string& set);

using sluice::text;
/// "column 14: …" as people count.
SLUICE_API std::string text(const LineError& error);
/// `COUNT (a number, 1 to 1000)` or the keyword.
SLUICE_API std::string text(const Expected& expected);

}  // namespace sluice::control
