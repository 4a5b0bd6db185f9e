// SPDX-License-Identifier: Apache-2.0
// The generated code of each .proto carries its own description with comments, because the descriptors that protobuf
// compiles in have none; Describe serves these. Only generated code calls this.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "sluice/types.h"

namespace sluice {

/// A serialised google.protobuf.FileDescriptorSet of one file. The bytes stay where they are: plugins are never
/// unloaded.
struct SLUICE_API DescriptorComments {
  DescriptorComments(const char* data, std::size_t size);
  /// All that have been made, in no particular order.
  static const std::vector<std::string_view>& all();
};

}  // namespace sluice
