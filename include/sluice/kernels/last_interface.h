// SPDX-License-Identifier: Apache-2.0
// The interface of the packet before: those of a vector have nearly always come by the same one.
#pragma once
#include <sluice/known.h>
#include <sluice/worker.h>

namespace sluice {

/// A member of a kernel that looks for a packet's interface; what it remembers is good for one vector.
class LastInterface {
 public:
  /// To be called from the kernel's begin(): tables may have changed since.
  void begin() noexcept { *this = {}; }
  bool is(InterfaceIndex index) const noexcept { return index == index_; }
  /// Null when the interface is gone.
  const InterfaceState* find(Worker& worker, InterfaceIndex index) noexcept {
    if (!is(index)) [[unlikely]]
      look(worker, index);
    return state_;
  }
  /// The same by the packet's rx_interface, unless it is known already; it is known then. False when it is gone.
  bool know(Worker& worker, InterfaceIndex index, Known& known) noexcept {
    if (known.in) return true;
    known.in = find(worker, index);
    known.in_counters = counters_;
    return known.in != nullptr;
  }

 private:
  [[gnu::noinline]] void look(Worker& worker, InterfaceIndex index) noexcept {
    index_ = index;
    state_ = worker.interface(index);
    counters_ = state_ ? &worker.counters(index) : nullptr;
  }
  InterfaceIndex index_;  // not valid: null, as a packet's without an interface
  const InterfaceState* state_ = nullptr;
  InterfaceCounters* counters_ = nullptr;
};

}  // namespace sluice
