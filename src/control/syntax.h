// SPDX-License-Identifier: Apache-2.0
// The syntax line of (cli) as a tree that the grammar walks.
#pragma once
#include <google/protobuf/descriptor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice::control {

struct Sequence;

struct Item {
  enum class Kind { Word, Field, Flag, Group };
  Kind kind = Kind::Word;
  std::string word;                                            // Word, Flag: what is typed; Field: the field's name
  std::vector<const google::protobuf::FieldDescriptor*> path;  // Field, Flag: from the request to the field
  bool list = false;                                           // {x,}
  bool rest = false;                                           // {x...}
  bool optional = false;                                       // Group: [ ]
  bool repeated = false;                                       // Group: [ ]...
  const google::protobuf::FieldDescriptor* element = nullptr;  // Group: the repeated message that gets a new element
  std::shared_ptr<const Sequence> body;                        // Group

  const google::protobuf::FieldDescriptor& field() const { return *path.back(); }
};

struct Sequence {
  std::vector<Item> fixed;    // in this order
  std::vector<Item> clauses;  // groups, behind it in any order
};

/// Refuses with the place in the syntax line.
SLUICE_API StatusOr<Sequence> parse_syntax(const google::protobuf::Descriptor& request, std::string_view syntax);

/// `field value` for every field of a message, in any order: the settings of a feature.
SLUICE_API Sequence settings_syntax(const google::protobuf::Descriptor& message);

/// Adds `field value` clauses for the fields of `message` whose word the sequence does not use itself.
SLUICE_API void add_clauses(Sequence& sequence, const google::protobuf::Descriptor& message);

}  // namespace sluice::control
