// SPDX-License-Identifier: Apache-2.0
// What ip4-fragment and ip6-fragment do: cut a packet into fragments of the output's MTU
// (packet.icmp_error.mtu_or_pointer). The packet itself becomes the first, the others are copies in one segment each.
#pragma once
#include <algorithm>
#include <array>

#include "ip/chain_copy.h"
#include "sluice/kernels/chain_length.h"
#include "sluice/kernels/finish_checksum.h"
#include "sluice/node.h"

namespace sluice {

/// Rules: the family's edge and reasons, and the headers: repeated_bytes() of the packet stand before what is cut, and
/// kAdded more in a fragment. Headers is made of the packet before it is cut and writes those of the fragments.
template <class Rules>
struct Fragment : Rules {
  using typename Rules::Drop;
  using typename Rules::Next;
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

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace, auto& out) noexcept {
    if (packet.has(kChecksumPartial)) finish_checksum(packet);
    const std::size_t repeated = Rules::repeated_bytes(packet);
    const std::size_t mtu = std::min<std::size_t>(packet.icmp_error.mtu_or_pointer, kSegmentSize);
    if (mtu < repeated + Rules::kAdded + 8) return Drop::MtuTooSmall;
    if (packet.length < repeated + 8) return Drop::ShortHead;
    if constexpr (Rules::kAdded > 0) {
      if (packet.headroom() < Rules::kAdded) return Drop::NoHeadroom;
    }
    const std::size_t step = (mtu - repeated - Rules::kAdded) & ~std::size_t{7};
    const std::size_t body = packet.chain_length - repeated;
    // The first keeps no part of a later segment: that may be shared.
    const std::size_t first = std::min(step, (packet.length - repeated) & ~std::size_t{7});
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
    const auto headers = Rules::headers_of(packet, worker);
    const std::size_t later_bytes = headers.later_bytes();
    for (std::size_t i = 0; i < others; ++i) {
      const std::size_t at = first + i * step, size = std::min(step, body - at);
      Packet& fragment = *fragments[i];
      copy_metadata(fragment, packet);
      fragment.trim(later_bytes + size);
      fragment.l4_offset = static_cast<std::uint16_t>(fragment.offset() + later_bytes);
      copy_chain(packet, repeated + at, size, fragment.data + later_bytes);
      headers.write_later(fragment, at, i + 1 < others);
      out.emit(fragment, Rules::kRewrite);
    }
    cut_chain(packet, static_cast<std::uint32_t>(repeated + first), worker);
    headers.write_first(packet, others > 0);
    worker.count(Count::Fragments, others + 1);
    return Rules::kRewrite;
  }
};

}  // namespace sluice
