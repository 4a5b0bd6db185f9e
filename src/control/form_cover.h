// SPDX-License-Identifier: Apache-2.0
// Whether the lines that a form once took are commands still.
#pragma once
#include <string>

#include "control/grammar.h"

namespace sluice::control {

/// Ok when some form of the method takes every line that `syntax` takes and means the same by it. A form may have got
/// more that can be left out, and need less than it did.
SLUICE_API Status still_taken(const Grammar& grammar, const google::protobuf::MethodDescriptor& method,
                              const std::string& syntax, const std::string& set);

}  // namespace sluice::control
