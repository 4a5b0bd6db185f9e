// SPDX-License-Identifier: Apache-2.0
// Puts the fragments of one worker's packets together, for both families. What it holds is bounded in datagrams, in
// fragments of each and in buffers, and aged. Overlapping fragments spoil their datagram: RFC 5722, and the same for
// IPv4 (RFC 1858, RFC 3128). Fragments are linked, not copied.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "sluice/clock.h"
#include "sluice/packet.h"
#include "sluice/worker.h"

namespace sluice {

/// A fragment as its family's node has understood it.
struct FragmentInfo {
  std::uint32_t offset;  ///< of its payload in the datagram's
  std::uint32_t length;  ///< of its payload
  std::uint16_t header;  ///< bytes from packet.data to its payload
  bool more;
};

enum class FragmentFate : std::uint8_t {
  Held,
  Complete,   ///< head() has the whole datagram
  Duplicate,  ///< the same bytes are there already; the caller still has the packet
  Overlap,    ///< the datagram is spoilt; the caller still has the packet
  TooMany,    ///< of fragments, datagrams or buffers; the caller still has the packet
};

template <class Key, class Hash>
class Reassembler {
 public:
  static constexpr std::size_t kMaxDatagrams = 256, kMaxFragments = 64, kMaxHeld = 2048;

  explicit Reassembler(std::uint64_t timeout_ns) : timeout_(ns_to_tsc(timeout_ns)) {
    slots_.resize(kMaxDatagrams);
    for (std::uint16_t i = 0; i < kMaxDatagrams; ++i) free_.push_back(i);
    buckets_.fill(kNone);
  }

  std::size_t held() const noexcept { return kMaxDatagrams - free_.size(); }
  std::size_t held_fragments() const noexcept { return held_; }

  /// On Complete, head is the first fragment's packet with all others' payloads behind it.
  FragmentFate add(const Key& key, Packet& packet, const FragmentInfo& info, Worker& worker, Packet*& head) noexcept {
    Datagram* found = find(key);
    if (!found && (free_.empty() || held_ >= kMaxHeld)) return FragmentFate::TooMany;
    Datagram& datagram = found ? *found : start(key, worker.now());
    if (datagram.spoilt) return FragmentFate::Overlap;
    const FragmentFate fate = place(datagram, packet, info);
    if (fate == FragmentFate::Overlap) {
      drop_fragments(datagram, worker);
      datagram.spoilt = true;
    }
    if (fate != FragmentFate::Held) return fate;
    if (!datagram.whole()) return FragmentFate::Held;
    head = join(datagram);
    finish(datagram);
    return FragmentFate::Complete;
  }

  /// Calls give_up for the first fragment of each datagram that took too long, if it has come; frees the others.
  template <class F>
  void expire(Worker& worker, F&& give_up) noexcept {
    for (Datagram& datagram : slots_) {
      if (!datagram.used || worker.now() - datagram.since < timeout_) continue;
      Packet* first = nullptr;
      if (datagram.count && datagram.piece[0].offset == 0) {
        first = datagram.piece[0].packet;
        datagram.piece[0].packet = nullptr;
      }
      drop_fragments(datagram, worker);
      finish(datagram);
      if (first) give_up(*first);
    }
  }
  void flush(Worker& worker) noexcept {
    for (Datagram& datagram : slots_) {
      if (!datagram.used) continue;
      drop_fragments(datagram, worker);
      finish(datagram);
    }
  }

 private:
  static constexpr std::uint16_t kNone = 0xffff;
  static constexpr std::size_t kBuckets = 512;
  struct Piece {
    Packet* packet;
    std::uint32_t offset, length;
    std::uint16_t header;
  };
  struct Datagram {
    Key key{};
    bool used = false, spoilt = false;
    std::uint16_t count = 0, next = kNone;
    std::uint32_t have = 0;   // bytes of payload
    std::uint32_t total = 0;  // 0 until the last fragment has come
    std::uint64_t since = 0;
    std::array<Piece, kMaxFragments> piece;  // by offset
    bool whole() const { return total && have == total; }
  };

  static std::size_t bucket_of(const Key& key) noexcept { return Hash{}(key) % kBuckets; }
  Datagram* find(const Key& key) noexcept {
    for (std::uint16_t slot = buckets_[bucket_of(key)]; slot != kNone; slot = slots_[slot].next) {
      if (slots_[slot].key == key) return &slots_[slot];
    }
    return nullptr;
  }
  Datagram& start(const Key& key, std::uint64_t now) noexcept {
    const std::uint16_t slot = free_.back();
    free_.pop_back();
    Datagram& datagram = slots_[slot];
    datagram.key = key;
    datagram.used = true;
    datagram.spoilt = false;
    datagram.count = 0;
    datagram.have = datagram.total = 0;
    datagram.since = now;
    std::uint16_t& bucket = buckets_[bucket_of(key)];
    datagram.next = bucket;
    bucket = slot;
    return datagram;
  }

  FragmentFate place(Datagram& datagram, Packet& packet, const FragmentInfo& info) noexcept {
    auto* begin = datagram.piece.data();
    auto* end = begin + datagram.count;
    auto* at = std::lower_bound(begin, end, info.offset, [](const Piece& p, std::uint32_t o) { return p.offset < o; });
    if (at != end && at->offset == info.offset && at->length == info.length) {
      const bool last = datagram.total == info.offset + info.length;
      return last == !info.more ? FragmentFate::Duplicate : FragmentFate::Overlap;
    }
    const std::uint32_t stop = info.offset + info.length;
    if (at != end && stop > at->offset) return FragmentFate::Overlap;
    if (at != begin && at[-1].offset + at[-1].length > info.offset) return FragmentFate::Overlap;
    if (datagram.total && (stop > datagram.total || !info.more)) return FragmentFate::Overlap;
    if (!info.more && at != end) return FragmentFate::Overlap;
    if (datagram.count == kMaxFragments || held_ >= kMaxHeld) return FragmentFate::TooMany;
    std::move_backward(at, end, end + 1);
    *at = {&packet, info.offset, info.length, info.header};
    ++datagram.count;
    ++held_;
    datagram.have += info.length;
    if (!info.more) datagram.total = stop;
    return FragmentFate::Held;
  }

  static Packet* join(Datagram& datagram) noexcept {
    Packet* head = datagram.piece[0].packet;
    Packet* tail = head;
    for (std::uint16_t i = 0; i < datagram.count; ++i) {
      Packet* next = datagram.piece[i].packet;
      if (i > 0) {
        next->pull(datagram.piece[i].header);
        head->chain_length += next->chain_length;
        tail->next_segment = next;
        tail = next;
      }
      while (tail->next_segment) tail = tail->next_segment;
    }
    return head;
  }

  void drop_fragments(Datagram& datagram, Worker& worker) noexcept {
    for (std::uint16_t i = 0; i < datagram.count; ++i) {
      if (datagram.piece[i].packet) worker.buffers().free(datagram.piece[i].packet);
    }
    held_ -= datagram.count;
    datagram.count = 0;
  }
  void finish(Datagram& datagram) noexcept {
    held_ -= datagram.count;
    datagram.count = 0;
    datagram.used = false;
    const auto slot = static_cast<std::uint16_t>(&datagram - slots_.data());
    std::uint16_t* link = &buckets_[bucket_of(datagram.key)];
    while (*link != slot) link = &slots_[*link].next;
    *link = datagram.next;
    free_.push_back(slot);
  }

  const std::uint64_t timeout_;
  std::vector<Datagram> slots_;
  std::vector<std::uint16_t> free_;
  std::array<std::uint16_t, kBuckets> buckets_;  // first slot of each
  std::size_t held_ = 0;
};

}  // namespace sluice
