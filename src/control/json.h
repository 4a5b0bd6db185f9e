// SPDX-License-Identifier: Apache-2.0
// Messages as JSON: snake_case, zeros present, 64-bit numbers as numbers, enumerators by their words.
#pragma once
#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "sluice/types.h"

namespace sluice::control {

/// One object, in one line. `factory` makes what an Any holds (null: its bytes in hex).
SLUICE_API std::string to_json(const google::protobuf::Message& message,
                               google::protobuf::MessageFactory* factory = nullptr);
SLUICE_API std::string json_string(std::string_view text);

}  // namespace sluice::control
