// SPDX-License-Identifier: Apache-2.0
// ip4-fragment: cuts a packet into fragments of the output's MTU. RFC 791 section 3.2, RFC 1812 section 4.2.2.7.
#pragma once
#include "ip/fragment.h"
#include "ip/packet_checksum.h"
#include "sluice/net/ip4.h"

namespace sluice {

struct Ip4FragmentRules {
  enum class Next : std::uint8_t { Ip4Rewrite };
  enum class Drop : std::uint8_t { MtuTooSmall, TooManyFragments, ShortHead, NoBuffers };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::MtuTooSmall: return "the output's MTU has no room for a header and eight bytes";
      case Drop::TooManyFragments: return "it would take more than 256 fragments";
      case Drop::ShortHead: return "the first segment holds less than a header and eight bytes";
      case Drop::NoBuffers: return "the buffer pool is exhausted";
    }
    return "";
  }

  static constexpr Next kRewrite = Next::Ip4Rewrite;
  static constexpr std::size_t kAdded = 0;

  class Headers {
   public:
    // RFC 791 section 3.1: of the options, those with the copied bit go into every fragment.
    explicit Headers(const Packet& packet) noexcept : original_word_(packet.header<Ip4Header>()->fragment.host()) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(packet.data);
      const std::size_t header_bytes = repeated_bytes(packet);
      std::memcpy(later_.data(), bytes, sizeof(Ip4Header));
      for (std::size_t at = sizeof(Ip4Header); at < header_bytes && bytes[at] != 0;) {
        const std::size_t length = bytes[at] == 1 || at + 1 >= header_bytes ? 1 : bytes[at + 1];
        if (length == 0 || at + length > header_bytes) break;
        if (bytes[at] & 0x80) {
          std::memcpy(later_.data() + size_, bytes + at, length);
          size_ += length;
        }
        at += length;
      }
      while (size_ % 4) later_[size_++] = 0;
      later_[0] = static_cast<std::uint8_t>(0x40 | size_ / 4);
    }

    std::size_t later_bytes() const noexcept { return size_; }
    void write_later(Packet& fragment, std::size_t at, bool more) const noexcept {
      std::memcpy(fragment.data, later_.data(), size_);
      finish(fragment, at, more);
    }
    void write_first(Packet& packet, bool more) const noexcept { finish(packet, 0, more); }

   private:
    void finish(Packet& packet, std::size_t at, bool more) const noexcept {
      auto& header = *packet.header<Ip4Header>();
      const auto offset = static_cast<std::uint16_t>((original_word_ & Ip4Header::kOffsetMask) + at / 8);
      const bool last_of_all = !more && !(original_word_ & Ip4Header::kMoreFragments);
      header.total_length = be16(static_cast<std::uint16_t>(packet.chain_length));
      header.fragment = be16(static_cast<std::uint16_t>(offset | (last_of_all ? 0 : Ip4Header::kMoreFragments)));
      set_header_checksum(header);
    }

    const std::uint16_t original_word_;
    std::size_t size_ = sizeof(Ip4Header);
    std::array<std::uint8_t, 60> later_;
  };

  static std::size_t repeated_bytes(const Packet& packet) noexcept {
    return packet.header<Ip4Header>()->header_length();
  }
  static Headers headers_of(const Packet& packet, const Worker&) noexcept { return Headers(packet); }
};

struct Ip4Fragment : Fragment<Ip4FragmentRules> {
  static constexpr NodeInfo kInfo{"ip4-fragment", "cuts packets into fragments of the output's MTU"};
};

}  // namespace sluice
