// SPDX-License-Identifier: Apache-2.0
// Packets by description: one template, of which each packet is a prefix with a few fields written anew.
#pragma once
#include <string_view>

#include "packets.h"
#include "sluice/status.h"

namespace sluice::pg {

/// A field that counts up from packet to packet and begins again behind its last value.
struct Varying {
  std::uint16_t offset = 0;  ///< of its first byte in the packet
  std::uint8_t width = 0;    ///< bytes, big-endian, at most 8
  std::uint64_t first = 0, values = 1;
  bool in_ip_sum = false, in_l4_sum = false;
};

class Template final : public Packets {
 public:
  static constexpr std::uint16_t kNone = 0xffff;
  static constexpr std::size_t kLongest = 9216;

  /// One length that packets have. Sums are of all that does not vary, checksum fields zero.
  struct Size {
    std::uint16_t length = 0;
    std::uint64_t ip_sum = 0, l4_sum = 0;
  };

  std::size_t make(Worker& worker, std::uint64_t first, std::span<Packet*> out) const noexcept override;
  /// The bytes of one packet; for tests.
  std::vector<std::byte> bytes_of(std::uint64_t number) const;

  std::vector<std::byte> bytes;  ///< the longest packet; varying fields, lengths and checksums are zero
  std::vector<Size> sizes;       ///< in turn
  std::vector<Varying> varying;
  std::uint16_t l3 = kNone, l4 = kNone;  ///< offsets
  bool ip6 = false, udp = false;
  std::uint16_t l4_checksum = kNone;  ///< offset; kNone: there is none

 private:
  void write_fields(std::byte* packet, const Size& size, std::uint64_t number) const noexcept;
};

/// size: "" (as long as the headers and the payload given), "128", "64-1500" (one byte longer each time) or "imix" (IP
/// packets of 40, 576 and 1,500 bytes, seven to four to one). Errors name the layer and field, and what is allowed.
StatusOr<std::shared_ptr<const Template>> parse_stream(std::string_view text, std::string_view size);

}  // namespace sluice::pg
