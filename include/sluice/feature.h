// SPDX-License-Identifier: Apache-2.0
// Feature arcs. An arc hangs on an edge of the graph; a feature is a node on it, enabled for each interface. Order
// comes from the features' after and before, ties from their names. An interface without features pays one load.
#pragma once
#include <sluice/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

struct FeatureInfo {
  std::string_view arc;
  std::string_view after{}, before{};  ///< names of features on the same arc, or of the arc's ends
  bool first = false;                  ///< ahead of all of the arc that are not: it may send packets round again
};

/// Which of a packet's interfaces chooses the chain.
enum class ArcSelector : std::uint8_t { RxInterface, TxInterface };

/// An arc hangs on the edges from start_node to each of start_next. Declared several times, with the same selector, it
/// hangs on the edges of each declaration: `device-input` does so on the input node of every driver.
struct ArcInfo {
  std::string_view name;
  ArcSelector selector = ArcSelector::RxInterface;
  std::string_view start_node;
  std::vector<std::string_view> start_next;
};

/// The chains of all arcs and interfaces: published whole when a feature is enabled or disabled, and read once a pass,
/// so that a packet finishes on the chain on which it began.
struct FeatureChains {
  static constexpr std::uint16_t kEnd = 0xffff;
  /// Chains one after the other; each ends with kEnd. The first two positions belong to none, so that a packet that is
  /// on no chain (position 0) is at its end.
  std::vector<std::uint16_t> nodes{kEnd, kEnd};
  /// start[arc][interface slot]: position of the first feature, or 0.
  std::vector<std::vector<std::uint16_t>> start;

  std::uint16_t first(std::uint16_t arc, std::uint32_t slot) const noexcept {
    const auto& by_slot = start[arc];
    return slot < by_slot.size() ? by_slot[slot] : std::uint16_t{0};
  }
};

}  // namespace sluice
