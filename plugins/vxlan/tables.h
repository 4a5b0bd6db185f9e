// SPDX-License-Identifier: Apache-2.0
// What the nodes of VXLAN tunnels read.
#pragma once
#include <sluice/ip_tables.h>
#include <sluice/net/udp.h>
#include <sluice/published.h>
#include <sluice/tunnel/demux.h>
#include <sluice/tunnel/encapsulate.h>
#include <sluice/tunnel/remote.h>

#include <cstring>
#include <vector>

namespace sluice::vxlan {

inline constexpr std::uint16_t kPort = 4789;  // RFC 7348 section 8

/// RFC 7348 section 5. Reserved bits are zero when sent and ignored when received.
struct VxlanHeader {
  static constexpr std::uint8_t kVniValid = 0x08;
  std::uint8_t flags;
  std::uint8_t reserved[3];
  be32 vni_reserved;  ///< 24 and 8 bits

  std::uint32_t vni() const { return vni_reserved.host() >> 8; }
};
static_assert(sizeof(VxlanHeader) == 8 && alignof(VxlanHeader) == 1);

/// A destination address on a tunnel.
struct MacKey {
  std::uint64_t value = 0;
  static MacKey of(const MacAddress& mac, std::uint32_t slot) noexcept {
    MacKey key;
    std::memcpy(&key.value, mac.bytes.data(), mac.bytes.size());
    key.value |= std::uint64_t{slot} << 48;
    return key;
  }
  std::uint32_t hash() const noexcept { return crc32c_word(0, value); }
  friend bool operator==(const MacKey&, const MacKey&) = default;
};

/// By which remote a frame leaves.
struct EncapTable {
  struct Link {
    const TunnelRemote* remote =
        nullptr;  ///< of frames for addresses that are not in the table; null: they are dropped
    bool has_addresses = false;
  };
  std::vector<Link> by_slot;
  DemuxTable<MacKey> addresses;  ///< the value is a place in remotes
  std::vector<const TunnelRemote*> remotes;
};

/// By which tunnel a frame came. Keys: outer source and destination, and id.
struct DecapTable {
  DemuxTable<TunnelKey4> ip4;
  DemuxTable<TunnelKey6> ip6;

  static std::uint64_t id(std::uint32_t vni, std::uint16_t port, TableIndex table) noexcept {
    return std::uint64_t{vni} | std::uint64_t{port} << 24 | std::uint64_t{table.value} << 40;
  }
};

/// A router has dropped an outer packet. From vxlan-errors to the control thread.
struct PathMtu {
  IpAddress local, remote;
  TableIndex table;
  std::uint32_t mtu;  ///< of the outer packet
};

struct State {
  State(Rcu& rcu, const IpTables* tables) : encap(rcu), decap(rcu), ip(tables) {}
  Published<EncapTable> encap;
  Published<DecapTable> decap;
  const IpTables* ip;
  TunnelArcs arcs;             ///< set when the graph is there
  std::uint32_t path_mtu = 0;  ///< kind of message, set when the nodes are registered
};

}  // namespace sluice::vxlan
