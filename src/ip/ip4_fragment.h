// SPDX-License-Identifier: Apache-2.0
// ip4-fragment: cuts a packet into fragments of the output's MTU (packet.icmp_error.mtu_or_pointer). The packet itself
// becomes the first, the others are copies in one segment each. RFC 791 section 3.2, RFC 1812 section 4.2.2.7.
#pragma once
#include "ip/chain_copy.h"
#include "ip/packet_checksum.h"
#include "sluice/kernels/chain_length.h"
#include "sluice/net/ip4.h"
#include "sluice/node.h"

namespace sluice {

struct Ip4Fragment {
  static constexpr NodeInfo kInfo{"ip4-fragment", "cuts packets into fragments of the output's MTU"};
  enum class Next : std::uint8_t { Ip4Rewrite };
  enum class Drop : std::uint8_t { MtuTooSmall, TooManyFragments, ShortHead, NoBuffers };
  enum class Count : std::uint8_t { Fragments };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    std::uint32_t mtu, length;
    std::uint16_t fragments;
    void describe(auto&& field) const {
      field("mtu", mtu);
      field("length", length);
      field("fragments", fragments);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::MtuTooSmall: return "the output's MTU has no room for a header and eight bytes";
      case Drop::TooManyFragments: return "it would take more than 256 fragments";
      case Drop::ShortHead: return "the first segment holds less than a header and eight bytes";
      case Drop::NoBuffers: return "the buffer pool is exhausted";
    }
    return "";
  }

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Out<Ip4Fragment>& out) const noexcept {
    if (packet.has(kChecksumPartial)) finish_checksum(packet);
    const Ip4Header original = *packet.header<Ip4Header>();
    const std::size_t header_bytes = original.header_length();
    const std::size_t mtu = std::min<std::size_t>(packet.icmp_error.mtu_or_pointer, kSegmentSize);
    if (mtu < header_bytes + 8) return Drop::MtuTooSmall;
    const std::size_t step = (mtu - header_bytes) & ~std::size_t{7};
    const std::size_t body = packet.chain_length - header_bytes;
    if (packet.length < header_bytes + 8) return Drop::ShortHead;
    // The first keeps no part of a later segment: that may be shared.
    const std::size_t first = std::min(step, (packet.length - header_bytes) & ~std::size_t{7});
    const std::size_t others = (body - first + step - 1) / step;
    std::array<Packet*, kVectorMax> fragments;
    if (others >= fragments.size()) return Drop::TooManyFragments;
    if (trace) *trace = {static_cast<std::uint32_t>(mtu), packet.chain_length, static_cast<std::uint16_t>(others + 1)};
    for (std::size_t i = 0; i < others; ++i) {
      fragments[i] = out.alloc(&packet);
      if (fragments[i]) continue;
      while (i-- > 0) out.discard(*fragments[i]);
      return Drop::NoBuffers;
    }
    std::array<std::uint8_t, 60> header;
    const std::size_t later_bytes = later_header(packet, header_bytes, header);
    for (std::size_t i = 0; i < others; ++i) {
      const std::size_t at = first + i * step, size = std::min(step, body - at);
      Packet& fragment = *fragments[i];
      copy_metadata(fragment, packet);
      fragment.trim(later_bytes + size);
      std::memcpy(fragment.data, header.data(), later_bytes);
      copy_chain(packet, header_bytes + at, size, fragment.data + later_bytes);
      fragment.l4_offset = static_cast<std::uint16_t>(fragment.offset() + later_bytes);
      finish(*fragment.header<Ip4Header>(), original, later_bytes + size, at, i + 1 < others);
      out.emit(fragment, Next::Ip4Rewrite);
    }
    cut_chain(packet, static_cast<std::uint32_t>(header_bytes + first), worker);
    finish(*packet.header<Ip4Header>(), original, header_bytes + first, 0, others > 0);
    worker.count(Count::Fragments, others + 1);
    return Next::Ip4Rewrite;
  }

 private:
  // RFC 791 section 3.1: of the options, those with the copied bit go into every fragment.
  static std::size_t later_header(const Packet& packet, std::size_t header_bytes,
                                  std::array<std::uint8_t, 60>& header) noexcept {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(packet.data);
    std::memcpy(header.data(), bytes, sizeof(Ip4Header));
    std::size_t size = sizeof(Ip4Header);
    for (std::size_t at = sizeof(Ip4Header); at < header_bytes && bytes[at] != 0;) {
      const std::size_t length = bytes[at] == 1 || at + 1 >= header_bytes ? 1 : bytes[at + 1];
      if (length == 0 || at + length > header_bytes) break;
      if (bytes[at] & 0x80) {
        std::memcpy(header.data() + size, bytes + at, length);
        size += length;
      }
      at += length;
    }
    while (size % 4) header[size++] = 0;
    header[0] = static_cast<std::uint8_t>(0x40 | size / 4);
    return size;
  }

  static void finish(Ip4Header& header, const Ip4Header& original, std::size_t total, std::size_t at,
                     bool more) noexcept {
    const auto word = original.fragment.host();
    const auto offset = static_cast<std::uint16_t>((word & Ip4Header::kOffsetMask) + at / 8);
    const bool last_of_all = !more && !(word & Ip4Header::kMoreFragments);
    header.total_length = be16(static_cast<std::uint16_t>(total));
    header.fragment = be16(static_cast<std::uint16_t>(offset | (last_of_all ? 0 : Ip4Header::kMoreFragments)));
    set_header_checksum(header);
  }
};

}  // namespace sluice
