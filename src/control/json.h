// SPDX-License-Identifier: Apache-2.0
// Messages as JSON: snake_case, zeros present, 64-bit numbers as numbers, enumerators by their words.
#pragma once
#include <google/protobuf/message.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/selection.h"
#include "sluice/types.h"

namespace sluice::control {

/// One object, in one line. `factory` makes what an Any holds (null: its bytes in hex).
SLUICE_API std::string to_json(const google::protobuf::Message& message,
                               google::protobuf::MessageFactory* factory = nullptr);
SLUICE_API std::string json_string(std::string_view text);

/// An array of them, one a line, as the list verbs want it.
class SLUICE_API JsonList {
 public:
  JsonList(Selection selection, google::protobuf::MessageFactory* factory, std::function<void(std::string_view)> write);
  void add(const google::protobuf::Message& message);
  void finish();
  /// Whether there is something in it.
  bool any() const { return written_ || !rows_.empty(); }

 private:
  void write(std::string_view row);
  Selection selection_;
  google::protobuf::MessageFactory* factory_;
  std::function<void(std::string_view)> write_;
  std::vector<std::pair<SortKey, std::string>> rows_;  // where they are to be sorted
  std::size_t written_ = 0;
};

}  // namespace sluice::control
