// SPDX-License-Identifier: Apache-2.0
// What the data path tells the control thread about neighbours.
#pragma once
#include "sluice/net/address.h"
#include "sluice/types.h"

namespace sluice {

/// Packets wait for this address.
struct NeighborWanted {
  InterfaceIndex interface;
  IpAddress address;
};

/// A neighbour was heard.
struct NeighborSeen {
  InterfaceIndex interface;
  IpAddress address;
  MacAddress mac;
  bool solicited = false;  ///< it answers a question of ours (ARP reply; the S flag)
  bool overrides = true;   ///< a different MAC counts (ARP always; the O flag)
  bool asked_us = false;   ///< it wants to talk to us: worth an entry of its own
  bool has_mac = true;
};

/// Somebody else uses an address of ours, or wants to (RFC 5227 section 2.4, RFC 4862 section 5.4).
struct AddressConflict {
  InterfaceIndex interface;
  IpAddress address;
  MacAddress mac;
};

}  // namespace sluice
