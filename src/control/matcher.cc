// SPDX-License-Identifier: Apache-2.0
#include "control/matcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/values.h"

namespace sluice::control {

using Kind = Item::Kind;

namespace {

/// A declaration that can be read in more ways than this at once is a mistake; the rest are not followed.
constexpr std::size_t kEdgesMax = 4096;

bool is_word(const Item& item) { return item.kind != Kind::Field; }

bool takes(const Item& item, const Token& token) {
  if (item.rest) return true;
  if (!item.list) return acceptable(item.field(), token.text);
  std::string_view left = token.text;
  while (true) {
    const auto comma = left.find(',');
    if (!acceptable(item.field(), left.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    left.remove_prefix(comma + 1);
  }
}

/// The enumerator that the text begins unambiguously, else the text.
std::string whole_word(const google::protobuf::FieldDescriptor& field, const std::string& text) {
  std::string found;
  for (const auto& word : value_words(field)) {
    if (word == text) return text;
    if (!word.starts_with(text)) continue;
    if (!found.empty()) return text;
    found = word;
  }
  return found.empty() ? text : found;
}

}  // namespace

Matcher::Matcher(const std::deque<Form>& forms, const SettingsMap& settings, const ParseOptions& options)
    : settings_(settings), options_(options) {
  for (const auto& form : forms) expand(Thread{.form = &form, .frames = {{&form.sequence}}, .assignments = {}});
}

void Matcher::expand(Thread thread) {
  if (edges_.size() > kEdgesMax) return;
  if (thread.frames.empty()) {
    accepted_.push_back(std::move(thread));
    return;
  }
  Frame& frame = thread.frames.back();
  if (frame.position < frame.sequence->fixed.size()) {
    const Item& item = frame.sequence->fixed[frame.position++];
    if (item.kind == Kind::Group) {
      enter(thread, item);
      if (item.optional) expand(std::move(thread));
    } else if (item.kind == Kind::Field &&
               item.field().cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
      open_settings(std::move(thread), item);
    } else {
      edges_.push_back({&item, std::move(thread)});
    }
    return;
  }
  bool complete = true;
  const auto& clauses = frame.sequence->clauses;
  for (std::size_t i = 0; i < clauses.size(); ++i) {
    const bool used = frame.used >> i & 1;
    complete &= used || clauses[i].optional;
    if (used && !clauses[i].repeated) continue;
    Thread inside = thread;
    inside.frames.back().used |= std::uint64_t{1} << i;
    enter(std::move(inside), clauses[i]);
  }
  if (!complete) return;
  thread.frames.pop_back();
  expand(std::move(thread));
}

void Matcher::enter(Thread thread, const Item& group) {
  if (group.element) {
    thread.assignments.push_back({.what = Assignment::What::Element, .element = group.element, .text = {}});
  }
  thread.frames.push_back({group.body.get()});
  expand(std::move(thread));
}

void Matcher::open_settings(Thread thread, const Item& item) {
  const auto& of = rules(item.field()).of();
  for (const auto& assignment : thread.assignments) {
    if (assignment.what != Assignment::What::Value || assignment.item->field().name() != of) continue;
    const auto found = settings_.find(assignment.text);
    if (found == settings_.end()) return;  // it has none; the form's [ ] around them is left out
    thread.assignments.push_back(
        {.what = Assignment::What::Settings, .item = &item, .settings = found->second.message, .text = {}});
    thread.frames.push_back({&found->second.sequence});
    return expand(std::move(thread));
  }
}

std::vector<std::size_t> Matcher::words_that(const Token& token, bool exact, std::vector<std::string>& distinct) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    const Item& item = *edges_[i].item;
    if (!is_word(item) || !(exact ? item.word == token.text : item.word.starts_with(token.text))) continue;
    found.push_back(i);
    if (std::find(distinct.begin(), distinct.end(), item.word) == distinct.end()) distinct.push_back(item.word);
  }
  return found;
}

bool Matcher::known_value(const std::vector<std::size_t>& values, std::string_view text) const {
  return std::any_of(values.begin(), values.end(), [&](std::size_t i) {
    const auto& field = edges_[i].item->field();
    return options_.known && !rules(field).kind().empty() && options_.known(*edges_[i].after.form->method, field, text);
  });
}

/// Which edges take the word: a keyword as it stands before a value, and a value before the beginning of a keyword only
/// if it names something that exists.
std::vector<std::size_t> Matcher::choose(const Token& token, std::vector<std::string>& ambiguous) const {
  if (!token.quoted) {
    std::vector<std::string> distinct;
    if (auto exact = words_that(token, true, distinct); !exact.empty()) return exact;
  }
  std::vector<std::size_t> values;
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    if (!is_word(*edges_[i].item) && takes(*edges_[i].item, token)) values.push_back(i);
  }
  if (token.quoted || !options_.prefixes || token.text.empty()) return values;
  auto begun = words_that(token, false, ambiguous);
  if (begun.empty() || (!values.empty() && (ambiguous.size() > 1 || known_value(values, token.text)))) {
    ambiguous.clear();
    if (!values.empty()) return values;
    for (std::size_t i = 0; i < edges_.size(); ++i) {
      const Item& item = *edges_[i].item;
      if (is_word(item) || item.rest || item.list) continue;
      if (whole_word(item.field(), token.text) != token.text) values.push_back(i);
    }
    return values;
  }
  if (ambiguous.size() > 1) return {};
  ambiguous.clear();
  return begun;
}

Assignment Matcher::value_of(const Item& item, const std::vector<Token>& tokens, std::size_t i) const {
  Assignment assignment{.item = &item, .text = tokens[i].text, .begin = tokens[i].begin, .quoted = tokens[i].quoted};
  if (item.kind == Kind::Flag) {
    assignment.what = Assignment::What::Flag;
  } else if (item.rest && i + 1 < tokens.size()) {
    for (std::size_t word = i + 1; word < tokens.size(); ++word) assignment.text += " " + tokens[word].text;
  } else if (options_.prefixes && !item.list && !item.rest) {
    assignment.text = whole_word(item.field(), tokens[i].text);
  }
  return assignment;
}

bool Matcher::take(const std::vector<Token>& tokens, std::size_t& i, LineError& error) {
  const Token& token = tokens[i];
  std::vector<std::string> ambiguous;
  const auto chosen = choose(token, ambiguous);
  if (chosen.empty()) {
    if (ambiguous.size() > 1) {
      error = {token.begin, fmt::format("\"{}\" is ambiguous: {}", token.text, fmt::join(ambiguous, ", "))};
      return false;
    }
    if (edges_.empty()) {
      error = {token.begin, fmt::format("\"{}\": the command ends before it", token.text)};
      return false;
    }
    std::vector<std::string> words;
    for (const auto& edge : edges_) {
      if (is_word(*edge.item)) words.push_back(edge.item->word);
    }
    const auto meant = token.quoted ? std::string() : nearest(token.text, words);
    error = {token.begin, fmt::format("\"{}\": expected {}{}{}{}", token.text, expected_text(),
                                      meant.empty() ? "" : "; did you mean ", meant, meant.empty() ? "" : "?")};
    return false;
  }
  std::vector<Edge> taken;
  bool rest = false;
  for (const auto index : chosen) {
    Edge& edge = edges_[index];
    rest |= edge.item->rest;
    if (is_word(*edge.item)) ++edge.after.words;
    if (!edge.item->path.empty()) edge.after.assignments.push_back(value_of(*edge.item, tokens, i));
    taken.push_back(std::move(edge));
  }
  edges_.clear();
  accepted_.clear();
  for (auto& edge : taken) {
    if (!rest || edge.item->rest) expand(std::move(edge.after));
  }
  i = rest ? tokens.size() : i + 1;
  return true;
}

const Matcher::Thread* Matcher::accepted() const {
  const auto best = std::max_element(accepted_.begin(), accepted_.end(),
                                     [](const Thread& a, const Thread& b) { return a.words < b.words; });
  return best == accepted_.end() ? nullptr : &*best;
}

std::size_t Matcher::ties() const {
  const auto* best = accepted();
  std::set<const Form*> forms;
  for (const auto& thread : accepted_) {
    if (thread.words == best->words) forms.insert(thread.form);
  }
  return forms.size();
}

std::string Matcher::expected_text() const {
  std::vector<std::string> texts;
  for (const auto& edge : edges_) {
    Expected expected{.word = is_word(*edge.item) ? edge.item->word : std::string(),
                      .field = edge.item->path.empty() ? nullptr : &edge.item->field(),
                      .form = edge.after.form};
    auto text = control::text(expected);
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(std::move(text));
  }
  if (texts.empty()) return "the end of the line";
  constexpr std::size_t kShown = 12;
  const bool more = texts.size() > kShown;
  if (more) texts.resize(kShown);
  auto last = more ? std::string("…") : std::move(texts.back());
  if (!more) texts.pop_back();
  if (texts.empty()) return last;
  return fmt::format("{}{}{}", fmt::join(texts, ", "), more ? ", " : " or ", last);
}

}  // namespace sluice::control
