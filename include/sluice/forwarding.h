// SPDX-License-Identifier: Apache-2.0
// Forwarding objects: what a route leads to. The FIB, sessions and packets name one by index; routes and neighbours
// replace the object behind an index in place, so that what names it need not change. Workers read; the control thread
// writes, and what it replaces is freed after a grace period.
#pragma once
#include <sluice/net/address.h>
#include <sluice/published.h>
#include <sluice/types.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace sluice {

enum class ForwardingKind : std::uint8_t {
  NoRoute,      ///< nothing leads there: ICMP net unreachable
  Blackhole,    ///< dropped without a word
  Unreachable,  ///< ICMP host unreachable
  Prohibit,     ///< ICMP administratively prohibited
  Local,        ///< this node's own address
  Connected,    ///< the destination itself is a neighbour on interface, to be resolved
  Adjacency,    ///< rewrite holds what to put in front (nothing on interfaces without a link layer)
  Incomplete,   ///< next_hop on interface is being resolved
  Group,        ///< one of members, by flow hash
};

/// One object. Immutable while workers may see it.
struct alignas(kCacheLine) Forwarding {
  static constexpr std::size_t kRewriteMax = 22;

  ForwardingKind kind = ForwardingKind::NoRoute;
  std::uint8_t rewrite_length = 0;
  std::uint16_t group_size = 0;  ///< a power of two
  InterfaceIndex interface;
  std::uint32_t mtu = 0;  ///< of this path, layer 3; 0: the interface's
  std::array<std::uint8_t, kRewriteMax> rewrite{};
  /// Of Adjacency and Incomplete.
  IpAddress next_hop{};
  /// Of Group: group_size indices; a member may stand there several times (weights). Owned.
  std::unique_ptr<ForwardingIndex[]> members;
};

/// All objects of both families. Index 0 is NoRoute, for ever.
class SLUICE_API ForwardingTable {
 public:
  static constexpr std::uint32_t kCapacity = 1u << 18;  ///< a power of two; the last index is never given out

  explicit ForwardingTable(Rcu& rcu);
  ~ForwardingTable();
  ForwardingTable(const ForwardingTable&) = delete;
  ForwardingTable& operator=(const ForwardingTable&) = delete;

  /// Data path. Good until the worker's next quiescent state; a freed index reads as NoRoute, and so do one that is not
  /// valid and multiples of kCapacity.
  const Forwarding& at(ForwardingIndex index) const noexcept {
    return *objects_[index.value & (kCapacity - 1)].load(std::memory_order_acquire);
  }

  /// Control thread. None when all indices are taken.
  std::optional<ForwardingIndex> add(Forwarding object);
  void replace(ForwardingIndex index, Forwarding object);
  /// The index is given out again only after a grace period.
  void remove(ForwardingIndex index);
  std::size_t size() const { return used_; }

 private:
  Rcu& rcu_;
  std::unique_ptr<std::atomic<const Forwarding*>[]> objects_;
  struct FreeList;
  std::shared_ptr<FreeList> free_;  // deferred functions outlive the table
  std::uint32_t next_ = 1;
  std::size_t used_ = 1;
};

}  // namespace sluice
