// SPDX-License-Identifier: Apache-2.0
// Text to field values and back, and the rules of (f) that a request must keep.
#pragma once
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/options.pb.h"
#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice::control {

/// A name as it is typed: `next_hop` → `next-hop`.
SLUICE_API std::string kebab(std::string_view name);
/// The word of an enumerator: lower case, `-` for `_`, without the type's name before it (FAMILY_ANY → any).
SLUICE_API std::string enum_word(const google::protobuf::EnumValueDescriptor& value);
/// The words that a field may be given as (enumerators, on/off); empty for others.
SLUICE_API std::vector<std::string> value_words(const google::protobuf::FieldDescriptor& field);

SLUICE_API const FieldRules& rules(const google::protobuf::FieldDescriptor& field);
/// Bool without a kind: set by its word alone.
SLUICE_API bool is_flag(const google::protobuf::FieldDescriptor& field);
/// "a number, 1 to 1000 packets", "an address": what may stand for the field.
SLUICE_API std::string allowed(const google::protobuf::FieldDescriptor& field);

/// True when `text` could be a value of this field by its type alone (a number where a number is wanted).
SLUICE_API bool acceptable(const google::protobuf::FieldDescriptor& field, std::string_view text);

/// Sets or, for a repeated field, appends a value. Refuses with `FIELD VALUE: must be …`.
SLUICE_API Status set_value(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field,
                            std::string_view text);

/// Asked for kinds that are not built in.
using KindCheck =
    std::function<Status(const google::protobuf::FieldDescriptor&, std::string_view kind, std::string_view value)>;

/// Fills in defaults and refuses the first broken rule, in nested messages too.
SLUICE_API Status check_rules(google::protobuf::Message& message, const KindCheck& kinds);

/// The one of `known` that is nearest to `word` if it is near enough to be meant, else empty.
SLUICE_API std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace sluice::control
