// SPDX-License-Identifier: Apache-2.0
// Walks all forms at once over the words of a line: each thread is one way to read the line so far.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/grammar.h"

namespace sluice::control {

/// Something that a line gives: a value for a field, a flag, or a new element of a repeated message.
struct Assignment {
  enum class What { Value, Flag, Element, Settings };
  What what = What::Value;
  const Item* item = nullptr;                                  // Value, Flag, Settings
  const google::protobuf::FieldDescriptor* element = nullptr;  // Element
  const google::protobuf::Descriptor* settings = nullptr;      // Settings
  std::string text;
  std::size_t begin = 0;
  bool quoted = false;
};

class Matcher {
 public:
  struct Frame {
    const Sequence* sequence;
    std::size_t position = 0;
    std::uint64_t used = 0;
  };
  struct Thread {
    const Form* form = nullptr;
    std::vector<Frame> frames;
    std::vector<Assignment> assignments;
    int words = 0;
  };
  /// A word or value that a thread can take, and where it is then.
  struct Edge {
    const Item* item;
    Thread after;
  };

  Matcher(const std::deque<Form>& forms, const SettingsMap& settings, const ParseOptions& options);

  /// Takes the word at `i` (all that is left, for {x...}). False when nothing can take it.
  bool take(const std::vector<Token>& tokens, std::size_t& i, LineError& error);
  const std::vector<Edge>& edges() const { return edges_; }
  /// The best reading of the line so far as a whole command; null when it is not one.
  const Thread* accepted() const;
  /// Forms that read the line as well as accepted().
  std::size_t ties() const;
  /// "line ends here: expected …".
  std::string expected_text() const;

 private:
  void expand(Thread thread);
  void enter(Thread thread, const Item& group);
  void open_settings(Thread thread, const Item& item);
  std::vector<std::size_t> choose(const Token& token, std::vector<std::string>& ambiguous) const;
  std::vector<std::size_t> words_that(const Token& token, bool exact, std::vector<std::string>& distinct) const;
  bool known_value(const std::vector<std::size_t>& values, std::string_view text) const;
  Assignment value_of(const Item& item, const std::vector<Token>& tokens, std::size_t i) const;

  const SettingsMap& settings_;
  const ParseOptions& options_;
  std::vector<Edge> edges_;
  std::vector<Thread> accepted_;
};

}  // namespace sluice::control
