// SPDX-License-Identifier: Apache-2.0
#include "sluice/descriptor_comments.h"

namespace sluice {
namespace {

std::vector<std::string_view>& sets() {
  static auto* const sets = new std::vector<std::string_view>;  // made before main and used until the end
  return *sets;
}

}  // namespace

DescriptorComments::DescriptorComments(const char* data, std::size_t size) { sets().emplace_back(data, size); }

const std::vector<std::string_view>& DescriptorComments::all() { return sets(); }

}  // namespace sluice
