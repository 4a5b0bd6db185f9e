// SPDX-License-Identifier: Apache-2.0
// Neighbours on the control thread: asks for those that packets wait for, probes the known ones, gives up on the silent
// ones, and tells the routes. RFC 4861 section 7.3, and the same life for IPv4 (RFC 1122 section 2.3.2.1).
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "ip/neighbor_frames.h"
#include "ip/neighbor_messages.h"
#include "ip/state.h"
#include "sluice/interfaces.h"
#include "sluice/routes.h"

namespace sluice {

enum class NeighborState : std::uint8_t {
  Incomplete,  ///< asked for, packets wait
  Reachable,   ///< has answered lately
  Probe,       ///< used, but not known to be there: asked directly
  Failed,      ///< nobody answered; packets are answered with unreachable for a while
  Permanent,   ///< set by the operator
};
std::string_view to_string(NeighborState state);

struct NeighborEntry {
  InterfaceIndex interface;
  IpAddress address;
  NeighborState state;
  MacAddress mac;
  std::chrono::milliseconds age;  ///< since it was last heard, or asked for the first time
};

class NeighborManager {
 public:
  using Ms = std::chrono::milliseconds;
  struct Options {
    std::size_t max_entries = 8192;
    unsigned max_asked = 256;  // for the first time, from one tick() to the next: a scan makes no storm of questions
    Ms retransmit{1000};       // RFC 4861 section 10: RetransTimer
    unsigned solicits = 3;     // MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT
    Ms reachable{30000};       // REACHABLE_TIME
    Ms delay{5000};            // DELAY_FIRST_PROBE_TIME
    Ms failed{5000};           // how long a silent neighbour is not asked again
  };
  struct Counters {
    std::uint64_t table_full = 0, evicted = 0, limited = 0, solicits = 0, failed = 0, moved = 0;
  };
  /// Sends a frame by an interface.
  using Send = std::function<void(InterfaceIndex, const FrameBytes&)>;

  /// released is called when packets that wait may look again.
  NeighborManager(IpState& state, Routes& routes, Interfaces& interfaces, Send send, std::function<void()> released,
                  Options options);
  NeighborManager(IpState& state, Routes& routes, Interfaces& interfaces, Send send, std::function<void()> released)
      : NeighborManager(state, routes, interfaces, std::move(send), std::move(released), Options{}) {}

  void wanted(const NeighborWanted& message);
  void seen(const NeighborSeen& message);
  /// Moves time on; called every 100 ms or so. now counts from any start and never goes back.
  void tick(Ms now);

  /// False: it is the same already. Errors: no such interface, one without a link layer, a group address, the table is
  /// full.
  StatusOr<bool> add_permanent(InterfaceIndex interface, const IpAddress& address, const MacAddress& mac);
  /// What add_permanent() would answer, without doing it.
  StatusOr<bool> would_add_permanent(InterfaceIndex interface, const IpAddress& address, const MacAddress& mac) const;
  bool knows(InterfaceIndex interface, const IpAddress& address) const {
    return neighbors_.contains({interface, address});
  }
  /// Forgets one, whatever its state. False: there is none.
  bool remove(InterfaceIndex interface, const IpAddress& address);
  void interface_gone(InterfaceIndex interface);
  /// Forgets those that were on the link because of this address only.
  void address_gone(InterfaceIndex interface, const InterfaceAddress& address);

  /// In the order of interface and address.
  std::vector<NeighborEntry> list() const;
  const Counters& counters() const { return counters_; }

 private:
  using Key = std::pair<InterfaceIndex, IpAddress>;
  struct Neighbor {
    NeighborState state = NeighborState::Incomplete;
    MacAddress mac{};
    Ms heard{0};     // or asked for first
    Ms deadline{0};  // when tick() has something to do
    unsigned asked = 0;
    std::uint64_t order = 0;  // in unresolved_; 0: it is not there
  };
  using Iterator = std::map<Key, Neighbor>::iterator;
  bool on_link(InterfaceIndex interface, const IpAddress& address) const;
  void learn_host(const NeighborSeen& message);
  /// False: the table is full of neighbours that answer.
  bool make_room();
  Iterator erase(Iterator gone);
  void resolved(Neighbor& neighbor);
  void take(const Key& key, Neighbor& neighbor, const MacAddress& mac, bool solicited);
  void probe(const Key& key, Neighbor& neighbor);
  void ask(const Key& key, Neighbor& neighbor, bool directly);
  /// False: the entry is to be erased.
  bool expire(const Key& key, Neighbor& neighbor);

  IpState& state_;
  Routes& routes_;
  Interfaces& interfaces_;
  Send send_;
  std::function<void()> released_;
  const Options options_;
  std::map<Key, Neighbor> neighbors_;
  std::map<std::uint64_t, Key> unresolved_;  // Incomplete and Failed, in the order in which they were asked for
  std::uint64_t next_order_ = 1;
  Counters counters_;
  Ms now_{0};
  unsigned asked_ = 0;  // since the last tick()
};

}  // namespace sluice
