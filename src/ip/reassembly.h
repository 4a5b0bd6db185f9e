// SPDX-License-Identifier: Apache-2.0
// What ip4-reassembly and ip6-reassembly do with a fragment that they have understood.
#pragma once
#include "ip/reassembler.h"
#include "sluice/net/icmp.h"
#include "sluice/node.h"

namespace sluice {

/// Rules: the family's edges and reasons, what tells datagrams apart, and how a whole one's header is made.
template <class Rules>
struct Reassembly : Rules {
  using typename Rules::Drop;
  using typename Rules::Key;
  using typename Rules::Next;
  enum class Count : std::uint8_t { Reassembled, TimedOut };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    std::uint32_t id, offset, length;
    bool more;
    void describe(auto&& field) const {
      field("id", id);
      field("offset", offset);
      field("length", length);
      field("more", more);
    }
  };

  Reassembler<Key, typename Rules::Hash> fragments{Rules::kTimeoutNs};

  std::size_t held() const noexcept { return fragments.held(); }
  // RFC 792, RFC 8200 section 4.5: time exceeded, code 1, if the first fragment is there.
  void release(Worker& worker, auto& out) noexcept {
    fragments.expire(worker, [&](Packet& first) {
      worker.count(Count::TimedOut);
      first.icmp_error = Rules::kTimedOut;
      out.emit(first, Rules::kIcmpError);
    });
  }
  void flush(Worker& worker) noexcept { fragments.flush(worker); }

 protected:
  Verdict add(const Key& key, Packet& packet, const FragmentInfo& info, Worker& worker, auto& out) noexcept {
    Packet* head = nullptr;
    switch (fragments.add(key, packet, info, worker, head)) {
      case FragmentFate::Held: return Hold;
      case FragmentFate::Duplicate: return Drop::Duplicate;
      case FragmentFate::Overlap: return Drop::Overlap;
      case FragmentFate::TooMany: return Drop::TooMany;
      case FragmentFate::Complete: break;
    }
    // Later fragments may have been so long that no header can say it.
    if (!Rules::make_whole(*head)) {
      out.discard(*head);
      return Hold;
    }
    head->flags |= kReassembled;
    worker.count(Count::Reassembled);
    out.emit(*head, Rules::kDeliver);
    return Hold;
  }
};

}  // namespace sluice
