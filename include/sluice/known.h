// SPDX-License-Identifier: Apache-2.0
// What a kernel has found out of a packet and the next one of a fused chain would have to look for again.
#pragma once
#include <sluice/forwarding.h>
#include <sluice/interface.h>

namespace sluice {

/// Beside a packet on its way through a stretch of a chain, in registers. Everything may be null: whoever needs it
/// looks for it then, and notes it. What is there is true: a kernel that takes this and changes what the packet says
/// (its rx_interface, its forwarding) changes this as well. Pointers are good for one pass of the graph.
///
/// A per-packet kernel takes part by a second operator() with a Known& behind the trace, a staged one by a second
/// finish(). Behind a kernel that has none, nothing is known any more.
struct Known {
  const InterfaceState* in = nullptr;  ///< of packet.rx_interface
  InterfaceCounters* in_counters = nullptr;
  const Forwarding* forwarding = nullptr;  ///< of packet.forwarding
  const InterfaceState* out = nullptr;     ///< of packet.tx_interface
};

}  // namespace sluice
