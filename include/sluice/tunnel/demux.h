// SPDX-License-Identifier: Apache-2.0
// Which tunnel a packet came by: one hash lookup by outer addresses and tunnel id, whatever the number of tunnels and
// remotes. Immutable while workers see it; the control thread publishes a changed copy.
#pragma once
#include <sluice/net/crc32c.h>
#include <sluice/net/ip4.h>
#include <sluice/net/ip6.h>
#include <sluice/types.h>

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace sluice {

/// Source and destination as they lie on the wire, and what else tells tunnels apart: VNI, port, table.
struct TunnelKey4 {
  std::uint64_t addresses = 0, id = 0;
  static TunnelKey4 of(const Ip4Address& source, const Ip4Address& destination, std::uint64_t id) noexcept {
    TunnelKey4 key;
    std::uint32_t from, to;
    std::memcpy(&from, source.bytes.data(), sizeof from);
    std::memcpy(&to, destination.bytes.data(), sizeof to);
    key.addresses = std::uint64_t{to} << 32 | from;
    key.id = id;
    return key;
  }
  /// Of a received packet.
  static TunnelKey4 of(const Ip4Header& ip, std::uint64_t id) noexcept {
    TunnelKey4 key;
    std::memcpy(&key.addresses, &ip.source, sizeof key.addresses);
    key.id = id;
    return key;
  }
  std::uint32_t hash() const noexcept { return crc32c_word(crc32c_word(0, addresses), id); }
  friend bool operator==(const TunnelKey4&, const TunnelKey4&) = default;
};

struct TunnelKey6 {
  std::uint64_t words[4]{}, id = 0;
  static TunnelKey6 of(const Ip6Address& source, const Ip6Address& destination, std::uint64_t id) noexcept {
    TunnelKey6 key;
    std::memcpy(&key.words[0], source.bytes.data(), 16);
    std::memcpy(&key.words[2], destination.bytes.data(), 16);
    key.id = id;
    return key;
  }
  static TunnelKey6 of(const Ip6Header& ip, std::uint64_t id) noexcept { return of(ip.source, ip.destination, id); }
  std::uint32_t hash() const noexcept {
    std::uint32_t crc = 0;
    for (const std::uint64_t word : words) crc = crc32c_word(crc, word);
    return crc32c_word(crc, id);
  }
  friend bool operator==(const TunnelKey6&, const TunnelKey6&) = default;
};

/// Key: equality and hash(). Linear probing, at most half full.
template <class Key>
class DemuxTable {
 public:
  struct Entry {
    Key key{};
    InterfaceIndex interface;  ///< not valid: the entry is empty
    std::uint32_t value = 0;   ///< what else is found: a remote's number
  };

  /// Data path. Where a key's search begins; good for prefetching.
  std::uint32_t place(const Key& key) const noexcept { return spread_hash(key.hash()) & mask_; }
  void prefetch(std::uint32_t place) const noexcept { __builtin_prefetch(&entries_[place]); }
  /// Null when there is none.
  const Entry* find(const Key& key, std::uint32_t place) const noexcept {
    for (;; place = (place + 1) & mask_) {
      const Entry& entry = entries_[place];
      if (!entry.interface.valid()) return nullptr;
      if (entry.key == key) return &entry;
    }
  }
  const Entry* find(const Key& key) const noexcept { return find(key, place(key)); }

  /// Control thread, before it is published.
  void set(const Key& key, InterfaceIndex interface, std::uint32_t value = 0) {
    if (2 * (used_ + 1) > entries_.size()) grow();
    put({key, interface, value});
  }
  void erase(const Key& key) {
    std::vector<Entry> kept;
    for (const Entry& entry : entries_) {
      if (entry.interface.valid() && !(entry.key == key)) kept.push_back(entry);
    }
    entries_.assign(entries_.size(), Entry{});
    used_ = 0;
    for (const Entry& entry : kept) put(entry);
  }
  std::size_t size() const { return used_; }

 private:
  void put(const Entry& added) {
    for (std::uint32_t at = place(added.key);; at = (at + 1) & mask_) {
      if (entries_[at].interface.valid() && !(entries_[at].key == added.key)) continue;
      used_ += !entries_[at].interface.valid();
      entries_[at] = added;
      return;
    }
  }
  void grow() {
    const std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(entries_.size() * 2));
    mask_ = static_cast<std::uint32_t>(entries_.size() - 1);
    used_ = 0;
    for (const Entry& entry : old) {
      if (entry.interface.valid()) put(entry);
    }
  }
  std::vector<Entry> entries_ = std::vector<Entry>(8);
  std::uint32_t mask_ = 7;
  std::size_t used_ = 0;
};

}  // namespace sluice
