// SPDX-License-Identifier: Apache-2.0
// How interfaces' states and modes are called.
#pragma once
#include <string>
#include <string_view>

#include "sluice/interfaces.h"

namespace sluice::interface {

inline std::string state_of(const InterfaceEntry& e) {
  if (!e.admin_up) return "down";
  return e.carrier ? "up" : "no-carrier";
}

inline std::string_view mode_name(sluice::RxMode mode) {
  switch (mode) {
    case sluice::RxMode::Polling: return "polling";
    case sluice::RxMode::Interrupt: return "interrupt";
    case sluice::RxMode::Adaptive: return "adaptive";
  }
  return "";
}

}  // namespace sluice::interface
