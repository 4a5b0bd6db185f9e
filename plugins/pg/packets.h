// SPDX-License-Identifier: Apache-2.0
// What a stream sends: something that makes its n-th packet.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sluice/device.h"
#include "sluice/worker.h"

namespace sluice::pg {

/// Immutable once made; shared by the control thread and the worker that sends.
class Packets {
 public:
  virtual ~Packets() = default;
  /// What the packets begin with.
  LinkLayer link = LinkLayer::Ethernet;
  /// After how many packets the stream is through; 0: never.
  std::uint64_t natural_count = 0;

  /// Data path: makes packets number first, first + 1, … into out and returns how many there were buffers for.
  virtual std::size_t make(Worker& worker, std::uint64_t first, std::span<Packet*> out) const noexcept = 0;
};

}  // namespace sluice::pg
