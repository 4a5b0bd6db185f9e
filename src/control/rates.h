// SPDX-License-Identifier: Apache-2.0
// How fast counters rise between two looks at the same rows.
#pragma once
#include <google/protobuf/message.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sluice/types.h"

namespace sluice::control {

/// Whether a field counts up: unsigned 64-bit, neither `exact` nor with a unit of time, share or speed.
SLUICE_API bool is_counter(const google::protobuf::FieldDescriptor& field);

/// Rows are the same ones when their names are: as many of the fields that name something (texts, exact numbers) as it
/// takes to tell the rows of one look apart, in their order.
class SLUICE_API Rates {
 public:
  using Clock = std::chrono::steady_clock;

  /// Takes the rows of a look. They live until the next one is taken.
  void take(const std::vector<const google::protobuf::Message*>& rows, Clock::time_point when);
  /// Per second since the look before, for a row of the latest look and a counter of it. None in the first look, for a
  /// row that is new, and for a counter that has gone back.
  std::optional<double> of(const google::protobuf::Message& row, const google::protobuf::FieldDescriptor& field) const;
  /// As if nothing had been taken yet.
  void forget();

 private:
  using Counters = std::vector<std::uint64_t>;  // by the field's index
  struct Now {
    Counters counters;
    const Counters* before = nullptr;
  };
  std::map<std::string, Counters> before_;
  std::unordered_map<const google::protobuf::Message*, Now> now_;
  std::vector<std::string> names_;                       // of the latest look's rows
  std::vector<const google::protobuf::Message*> order_;  // them
  Clock::time_point when_{};
  double seconds_ = 0;
};

}  // namespace sluice::control
