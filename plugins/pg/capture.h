// SPDX-License-Identifier: Apache-2.0
// Packets of a pcap or pcapng file, in the order of the file, again and again.
#pragma once
#include <string>

#include "packets.h"
#include "sluice/status.h"

namespace sluice::pg {

class Capture final : public Packets {
 public:
  static constexpr std::size_t kMostPackets = 1'000'000;
  static constexpr std::size_t kMostBytes = 256u << 20;

  /// Reads the whole file. Errors: it cannot be read, is malformed, holds no packet or too much, or packets of another
  /// link type than Ethernet and raw IP.
  static StatusOr<std::shared_ptr<const Capture>> read(const std::string& path);

  std::size_t make(Worker& worker, std::uint64_t first, std::span<Packet*> out) const noexcept override;

  std::size_t packets() const { return ends_.size(); }
  std::span<const std::byte> packet(std::size_t number) const;

 private:
  std::vector<std::byte> bytes_;
  std::vector<std::size_t> ends_;
};

}  // namespace sluice::pg
