// SPDX-License-Identifier: Apache-2.0
#include "control/syntax.h"

#include <algorithm>

#include "control/values.h"

namespace sluice::control {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Kind = Item::Kind;

namespace {

/// A word that is no word: it stays where it stands.
bool is_mark(const Item& item) { return item.kind == Kind::Word && item.word == ">"; }

class Reader {
 public:
  Reader(const Descriptor& request, std::string_view syntax) : request_(request), syntax_(syntax) {}

  /// Items up to the end or the `]` that closes this level.
  Status items(std::vector<Item>& out, int depth) {
    while (true) {
      skip_blanks();
      if (at_ == syntax_.size()) return depth == 0 ? Status() : fault("a [ is not closed");
      const char c = syntax_[at_];
      if (c == ']') return depth > 0 ? Status() : fault("a ] without its [");
      Item item;
      Status status;
      if (c == '[') {
        status = group(item, depth);
      } else if (c == '{') {
        status = field(item);
      } else {
        status = word(item);
      }
      if (!status.ok()) return status;
      out.push_back(std::move(item));
    }
  }

  Status fault(std::string_view what) const { return refused("syntax \"{}\" column {}: {}", syntax_, at_ + 1, what); }

 private:
  void skip_blanks() {
    while (at_ < syntax_.size() && syntax_[at_] == ' ') ++at_;
  }

  Status word(Item& item) {
    const auto begin = at_;
    if (syntax_[at_] == '>') {
      item.word = syntax_[at_++];
      return {};
    }
    while (at_ < syntax_.size() && (std::isalnum(static_cast<unsigned char>(syntax_[at_])) || syntax_[at_] == '-'))
      ++at_;
    if (at_ == begin) return fault("a word, { or [ should stand here");
    item.word = syntax_.substr(begin, at_ - begin);
    return {};
  }

  Status field(Item& item) {
    const auto close = syntax_.find('}', at_);
    if (close == std::string_view::npos) return fault("a { is not closed");
    auto name = syntax_.substr(at_ + 1, close - at_ - 1);
    item.kind = Kind::Field;
    item.rest = name.ends_with("...");
    if (item.rest) name.remove_suffix(3);
    item.list = name.ends_with(',');
    if (item.list) name.remove_suffix(1);
    const Descriptor* message = &request_;
    while (true) {
      const auto dot = name.find('.');
      const auto* found = message ? message->FindFieldByName(std::string(name.substr(0, dot))) : nullptr;
      if (!found) return fault("the request has no such field");
      item.path.push_back(found);
      if (dot == std::string_view::npos) break;
      message = found->message_type();
      name.remove_prefix(dot + 1);
    }
    const auto& last = item.field();
    const bool any = last.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (any && last.message_type()->full_name() != "google.protobuf.Any") return fault("a message: name its fields");
    if (item.list && !last.is_repeated()) return fault("{x,} needs a repeated field");
    item.word = kebab(last.name());
    if (is_flag(last) && !item.rest) item.kind = Kind::Flag;
    at_ = close + 1;
    return {};
  }

  Status group(Item& item, int depth) {
    if (depth == 8) return fault("too deep");
    ++at_;
    std::vector<Item> inner;
    if (auto status = items(inner, depth + 1); !status.ok()) return status;
    if (inner.empty()) return fault("an empty [ ]");
    ++at_;
    item.kind = Kind::Group;
    item.optional = true;
    if (syntax_.substr(at_).starts_with("...")) {
      item.repeated = true;
      at_ += 3;
    }
    if (item.repeated && inner.front().kind == Kind::Field) return fault("[ ]... must begin with a word");
    return body(item, std::move(inner), true);
  }

 public:
  /// Sorts flat items into what has its place and what comes in any order. In a clause the leading words are its own.
  Status arrange(Sequence& out, std::vector<Item> items, bool clause) {
    bool seen_field = false;
    for (std::size_t i = 0; i < items.size(); ++i) {
      auto& item = items[i];
      const bool in_clauses =
          item.kind == Kind::Flag || (item.kind == Kind::Group && starts_with_word(item)) ||
          (item.kind == Kind::Word && !is_mark(item) && (seen_field || (!clause && names_next(items, i))));
      if (!in_clauses || (clause && i == 0)) {
        if (!out.clauses.empty()) return fault("a positional stands behind a clause");
        if (!out.fixed.empty() && out.fixed.back().rest) return fault("something stands behind {x...}");
        seen_field |= item.kind != Kind::Word;
        out.fixed.push_back(std::move(item));
        continue;
      }
      if (item.kind == Kind::Group) {
        out.clauses.push_back(std::move(item));
        continue;
      }
      std::vector<Item> own;
      const bool flag = item.kind == Kind::Flag;
      own.push_back(std::move(item));
      while (!flag && i + 1 < items.size() && items[i + 1].kind == Kind::Word) own.push_back(std::move(items[++i]));
      while (!flag && i + 1 < items.size() && items[i + 1].kind == Kind::Field) own.push_back(std::move(items[++i]));
      Item group{.kind = Kind::Group};
      if (auto status = body(group, std::move(own), true); !status.ok()) return status;
      out.clauses.push_back(std::move(group));
    }
    if (out.clauses.size() > 60) return fault("too many clauses");
    return {};
  }

 private:
  static bool starts_with_word(const Item& group) {
    const auto kind = group.body->fixed.front().kind;
    return kind == Kind::Word || kind == Kind::Flag;
  }
  static bool names_next(const std::vector<Item>& items, std::size_t i) {
    return i + 1 < items.size() && items[i + 1].kind == Kind::Field && items[i + 1].word == items[i].word;
  }

  Status body(Item& group, std::vector<Item> items, bool clause) {
    for (const auto& item : items) {
      if (item.path.size() > 1 && item.path.front()->is_repeated()) group.element = item.path.front();
    }
    for (auto& item : items) {
      if (item.element == group.element) item.element = nullptr;  // goes on with the element of this clause
    }
    auto sequence = std::make_shared<Sequence>();
    const bool positional = items.front().kind == Kind::Field;
    if (auto status = arrange(*sequence, std::move(items), clause && !positional); !status.ok()) return status;
    group.body = std::move(sequence);
    return {};
  }

  const Descriptor& request_;
  std::string_view syntax_;
  std::size_t at_ = 0;
};

bool uses_word(const Sequence& sequence, std::string_view word) {
  return std::any_of(sequence.clauses.begin(), sequence.clauses.end(),
                     [&](const Item& clause) { return clause.body->fixed.front().word == word; });
}

Item field_clause(const FieldDescriptor& field) {
  Item value{.kind = is_flag(field) ? Kind::Flag : Kind::Field,
             .word = kebab(field.name()),
             .path = {&field},
             .list = field.is_repeated()};
  auto body = std::make_shared<Sequence>();
  if (value.kind == Kind::Field) body->fixed.push_back(Item{.kind = Kind::Word, .word = value.word});
  body->fixed.push_back(std::move(value));
  return Item{.kind = Kind::Group, .optional = true, .body = std::move(body)};
}

}  // namespace

StatusOr<Sequence> parse_syntax(const Descriptor& request, std::string_view syntax) {
  Reader reader(request, syntax);
  std::vector<Item> items;
  if (auto status = reader.items(items, 0); !status.ok()) return status;
  if (items.empty() || items.front().kind != Kind::Word) return reader.fault("the first thing must be a word");
  Sequence sequence;
  if (auto status = reader.arrange(sequence, std::move(items), false); !status.ok()) return status;
  return sequence;
}

void add_clauses(Sequence& sequence, const Descriptor& message) {
  for (int i = 0; i < message.field_count(); ++i) {
    const auto& field = *message.field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE || uses_word(sequence, kebab(field.name()))) continue;
    if (sequence.clauses.size() < 63) sequence.clauses.push_back(field_clause(field));
  }
}

Sequence settings_syntax(const Descriptor& message) {
  Sequence sequence;
  add_clauses(sequence, message);
  return sequence;
}

}  // namespace sluice::control
