// SPDX-License-Identifier: Apache-2.0
// This node's addresses for the data path, and duplicate address detection for them. IPv6 addresses of Ethernet
// interfaces are tentative until a second has passed without an objection (RFC 4862 section 5.4); IPv4 addresses are
// used at once, announced and defended (RFC 5227 sections 2.3 and 2.4 (b)): a node's uplink cannot wait for seconds.
// Ethernet interfaces get a link-local address of their own.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "ip/neighbor_frames.h"
#include "ip/neighbor_messages.h"
#include "ip/state.h"
#include "sluice/interfaces.h"

namespace sluice {

class AddressKeeper {
 public:
  using Ms = std::chrono::milliseconds;
  using Send = std::function<void(InterfaceIndex, const FrameBytes&)>;
  static constexpr Ms kProbeTime{1000};     // RFC 4862: RetransTimer after the last of DupAddrDetectTransmits = 1
  static constexpr Ms kDefendEvery{10000};  // RFC 5227: DEFEND_INTERVAL

  AddressKeeper(IpState& state, Interfaces& interfaces, Send send);

  void conflict(const AddressConflict& message);
  void tick(Ms now);

  struct Duplicate {
    InterfaceIndex interface;
    IpAddress address;
    MacAddress by;
  };
  /// Addresses that another station was seen to use, until they are removed.
  std::vector<Duplicate> duplicates() const;

 private:
  using Key = std::pair<InterfaceIndex, IpAddress>;
  struct Watch {
    bool tentative = false;
    bool duplicate = false;
    bool probed = false;  // the probe has gone out
    Ms deadline{0};       // end of the probe; then the next defence
    MacAddress by{};
  };
  void on_interface(Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress* address);
  void add(const InterfaceEntry& entry, const InterfaceAddress& address);
  void remove(const InterfaceEntry& entry, const InterfaceAddress& address);
  void begin(const InterfaceEntry& entry, const IpAddress& address, Watch& watch);
  void announce(const InterfaceEntry& entry, const IpAddress& address);
  void give_link_local();
  void publish();

  IpState& state_;
  Interfaces& interfaces_;
  Send send_;
  std::map<Key, Watch> watches_;
  Ms now_{0};
};

}  // namespace sluice
