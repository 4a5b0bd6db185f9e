// SPDX-License-Identifier: Apache-2.0
// What finding a packet's session costs, as a feature: a hash of the 5-tuple, one cache line that is prefetched, a
// comparison. The table is the benchmark's own: filled once, by one thread, with as many flows as it will ever have.
#pragma once
#include <sluice/net/flow.h>
#include <sluice/node.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace sluice::bench {

/// IPv4 flows by their 5-tuple, four to a cache line.
class SessionTable {
 public:
  struct Key {
    std::uint64_t addresses;
    std::uint32_t ports;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct alignas(kCacheLine) Bucket {
    static constexpr std::size_t kSlots = 4;
    std::array<std::uint64_t, kSlots> addresses;
    std::array<std::uint32_t, kSlots> ports;
    std::array<std::uint32_t, kSlots> sessions;  ///< zero: free
  };
  static_assert(sizeof(Bucket) == kCacheLine);

  /// Twice as many slots as there will be flows: a bucket that is full passes its flows on to the next.
  explicit SessionTable(std::size_t flows) : buckets_(std::bit_ceil(2 * flows / Bucket::kSlots)) {}

  static Key key_of(const Packet& packet) noexcept {
    const auto* ip = packet.header<Ip4Header>();
    Key key;
    std::memcpy(&key.addresses, &ip->source, sizeof key.addresses);
    std::memcpy(&key.ports, packet.data + ip->header_length(), sizeof key.ports);
    return key;
  }
  const Bucket* bucket(std::uint32_t hash) const noexcept { return &buckets_[hash & (buckets_.size() - 1)]; }

  /// The session of a flow, or zero.
  std::uint32_t find(const Bucket* at, const Key& key) const noexcept {
    for (;; at = next(at)) {
      for (std::size_t i = 0; i < Bucket::kSlots; ++i) {
        if (at->addresses[i] == key.addresses && at->ports[i] == key.ports) return at->sessions[i];
        if (at->sessions[i] == 0) return 0;
      }
    }
  }
  /// Of a packet with a new or a known flow.
  void add(const Packet& packet) {
    const Key key = key_of(packet);
    for (const Bucket* found = bucket(flow_hash4(packet));; found = next(found)) {
      Bucket& at = buckets_[static_cast<std::size_t>(found - buckets_.data())];
      for (std::size_t i = 0; i < Bucket::kSlots; ++i) {
        if (at.addresses[i] == key.addresses && at.ports[i] == key.ports) return;
        if (at.sessions[i] != 0) continue;
        at.addresses[i] = key.addresses;
        at.ports[i] = key.ports;
        at.sessions[i] = ++count_;
        if (count_ > buckets_.size() * Bucket::kSlots / 2) std::abort();  // more flows than were announced
        return;
      }
    }
  }
  std::uint32_t count() const { return count_; }

 private:
  const Bucket* next(const Bucket* at) const noexcept { return at == &buckets_.back() ? buckets_.data() : at + 1; }

  std::vector<Bucket> buckets_;
  std::uint32_t count_ = 0;
};

struct SessionLookup {
  static constexpr NodeInfo kInfo{"session-lookup", "finds the packet's session"};
  static constexpr FeatureInfo kFeature{.arc = "ip4-unicast"};
  enum class Next : std::uint8_t { Continue };
  enum class Drop : std::uint8_t { Unknown };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  struct Key {
    const SessionTable::Bucket* bucket;
    SessionTable::Key flow;
  };
  static constexpr std::string_view why(Drop) { return "the flow has no session"; }

  const SessionTable& table;

  Key prepare(Packet& packet, Worker&) const noexcept {
    packet.flow_hash = flow_hash4(packet);
    const auto* bucket = table.bucket(packet.flow_hash);
    __builtin_prefetch(bucket);
    return {bucket, SessionTable::key_of(packet)};
  }
  Verdict finish(Packet& packet, Key& key, Worker&, Trace*) const noexcept {
    packet.session = table.find(key.bucket, key.flow);
    if (packet.session == 0) return Drop::Unknown;
    return Next::Continue;
  }
};

}  // namespace sluice::bench
