// SPDX-License-Identifier: Apache-2.0
// Shows replies as the (view) of their message says: TABLE, CARD or TREE.
#pragma once
#include <google/protobuf/message.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/control.pb.h"
#include "control/rates.h"
#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice::control {

/// A number with its unit, short enough for a column: 1234567 packets → "1.23M".
SLUICE_API std::string scaled(double value, std::string_view unit);
/// A field's value as text. `exact` for cards: all digits and the unit.
SLUICE_API std::string field_text(const google::protobuf::Message& message,
                                  const google::protobuf::FieldDescriptor& field, bool exact);
/// A line template filled in; see ViewOptions.line.
SLUICE_API std::string fill_line(std::string_view line, const google::protobuf::Message& message);

/// Takes replies one by one and writes text. A table is written at finish(), or, when it is long, from its 2,000th row
/// on with the widths that it has by then.
class SLUICE_API View {
 public:
  using Write = std::function<void(std::string_view)>;

  /// `width` columns at most; 0: as wide as it gets. With `rates`, which outlive the view, tables and cards show beside
  /// each counter how fast it rises. Refuses list verbs that name unknown columns.
  static StatusOr<std::unique_ptr<View>> make(const google::protobuf::Descriptor& reply, bool stream,
                                              const ListVerbs& verbs, std::size_t width, Write write,
                                              const Rates* rates = nullptr);
  virtual ~View() = default;
  virtual void add(const google::protobuf::Message& message) = 0;
  virtual void finish() = 0;
};

}  // namespace sluice::control
