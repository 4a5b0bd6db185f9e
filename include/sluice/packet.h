// SPDX-License-Identifier: Apache-2.0
//
// A packet: metadata in two cache lines, in front of the bytes that it describes.
//
//   buffer (2,624 bytes = 41 cache lines, an odd number, so that the Packets of a pool spread over all L1 sets)
//   | 128 mbuf | 128 Packet | 256 headroom | 2,048 data | 64 pad |
//              ^ this         ^ storage()    ^ where drivers put the first byte
//
// Who owns it. Exactly one of: a frame on its way through the graph, a device queue, a kernel that said Hold, a cache
// or the pool. A kernel that gets a Packet& may change its bytes and metadata until it returns; it never frees it.
//
// Chains. A packet longer than a segment goes on in next_segment; chain_length counts all bytes, length those of this
// segment. Headers lie in the head segment: header<H>() looks no further. A head is never shared. Later segments may be
// (kShared), and are read-only then; the count of their owners stands in the mbuf's refcnt field.
//
// Offsets (l2_offset …) count from storage(), so that pull() and push() leave them true. Zero means not known.
//
// Checksums of the outermost transport header: kChecksumPartial says that the bytes at checksum_start +
// checksum_offset hold the folded pseudo-header sum only and the output must finish it (in hardware or software);
// kChecksumValid that it was verified or made by us. Neither: nobody has looked. A node that rewrites addresses or
// ports keeps this true, for a partial checksum by updating the pseudo-header sum.
//
// GSO. kGso with gso_type and gso_size (bytes of payload a segment): a super-packet that leaves as it is by an output
// with the offload, else cut by gso-segment. MTU checks use wire_size(), not the chain's length.
//
// Thread: one worker at a time. What names a published object (forwarding, feature position) is valid within one pass
// of the graph; a packet that waits keeps interface indices only and looks up again.
#pragma once
#include <sluice/types.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace sluice {

inline constexpr std::size_t kMbufSize = 128;
inline constexpr std::size_t kHeadroom = 256;
inline constexpr std::size_t kSegmentSize = 2048;
inline constexpr std::size_t kBufferStride = 2624;

enum PacketFlag : std::uint32_t {
  kTraced = 1u << 0,           ///< trace names a slot of the worker's trace buffer
  kGso = 1u << 1,              ///< gso_type and gso_size hold
  kChecksumPartial = 1u << 2,  ///< checksum_start and checksum_offset hold
  kChecksumValid = 1u << 3,
  kShared = 1u << 4,     ///< of a later segment: read-only, counted
  kLocal = 1u << 5,      ///< made by this node: output keeps the TTL, input checks do not apply
  kBroadcast = 1u << 6,  ///< link-layer broadcast or multicast
  kReassembled = 1u << 7,
  kTraceCandidate = 1u << 8,  ///< matched a trace filter at input; traced from the node that was asked for
  kHandedOver = 1u << 9,      ///< came to this worker because its flow is this worker's (flow-handoff)
};

enum class GsoType : std::uint8_t { None = 0, Tcp4 = 1, Udp = 3, Tcp6 = 4, UdpL4 = 5 };  ///< virtio's numbers

/// Scratch for the nodes that make an ICMP error of a packet. Set by the node that gives it to ip4-icmp-error or
/// ip6-icmp-error.
struct IcmpErrorRequest {
  std::uint8_t type, code;
  std::uint16_t reserved;
  std::uint32_t mtu_or_pointer;
};

struct alignas(kCacheLine) Packet {
  // hot
  std::byte* data;             ///< first byte of the current header
  std::uint16_t length;        ///< bytes in this segment
  std::uint16_t l2_offset;     ///< Ethernet header, from storage()
  std::uint32_t chain_length;  ///< bytes in all segments
  std::uint32_t flags;         ///< PacketFlag
  InterfaceIndex rx_interface;
  InterfaceIndex tx_interface;
  std::uint16_t l3_offset, l4_offset;              ///< outermost, from storage()
  std::uint16_t inner_l3_offset, inner_l4_offset;  ///< behind a tunnel header, from storage()
  std::uint32_t flow_hash;                         ///< zero: not computed
  TableIndex table;                                ///< where the next lookup happens
  ForwardingIndex forwarding;                      ///< what the lookup found
  std::uint16_t feature_position;                  ///< place on the current arc's chain
  std::uint16_t arc_next;                          ///< node behind the arc, or the node that Next::Registered means
  std::uint16_t checksum_start, checksum_offset;   ///< start from storage(), offset from start
  Packet* next_segment;
  // cold
  std::uint32_t trace;  ///< slot in the worker's trace buffer
  std::uint32_t session;
  std::uint16_t gso_size;
  GsoType gso_type;
  std::uint8_t pool;  ///< which BufferPool owns the buffer
  std::uint32_t reserved;
  IcmpErrorRequest icmp_error;
  Packet* pool_link;         ///< used by the pool while the buffer is free
  std::uint32_t pool_state;  ///< alive or free, checked in debug builds
  std::uint8_t scratch[28];

  bool has(std::uint32_t flag) const { return (flags & flag) != 0; }

  std::byte* storage() { return reinterpret_cast<std::byte*>(this) + sizeof(Packet); }
  const std::byte* storage() const { return reinterpret_cast<const std::byte*>(this) + sizeof(Packet); }
  /// The end of what this segment can hold.
  const std::byte* limit() const { return storage() + kHeadroom + kSegmentSize; }
  std::uint16_t offset() const { return static_cast<std::uint16_t>(data - storage()); }
  std::byte* at(std::uint16_t storage_offset) { return storage() + storage_offset; }
  std::size_t headroom() const { return static_cast<std::size_t>(data - storage()); }
  std::size_t tailroom() const { return static_cast<std::size_t>(limit() - data) - length; }

  /// The header at the current position, or null when fewer bytes than sizeof(H) are there.
  template <class H>
  H* header(std::size_t offset = 0) {
    static_assert(std::is_trivially_copyable_v<H> && alignof(H) == 1, "wire headers are packed and plain");
    return offset + sizeof(H) <= length ? known_header<H>(offset) : nullptr;
  }
  template <class H>
  const H* header(std::size_t offset = 0) const {
    return const_cast<Packet*>(this)->header<H>(offset);
  }
  /// The header at the current position, or behind it, where an earlier node has found enough bytes.
  template <class H>
  H* known_header(std::size_t offset = 0) {
    if (!data) __builtin_unreachable();
    return reinterpret_cast<H*>(data + offset);
  }
  template <class H>
  const H* known_header(std::size_t offset = 0) const {
    return const_cast<Packet*>(this)->known_header<H>(offset);
  }
  /// The header at an offset that an earlier node has checked.
  template <class H>
  H* l3() {
    return reinterpret_cast<H*>(at(l3_offset));
  }
  template <class H>
  H* l4() {
    return reinterpret_cast<H*>(at(l4_offset));
  }

  /// Moves the current position n bytes on; the caller has checked that they are there.
  void pull(std::size_t n) {
    data += n;
    length = static_cast<std::uint16_t>(length - n);
    chain_length -= static_cast<std::uint32_t>(n);
  }
  /// Moves the current position n bytes back; the caller has checked headroom(). Returns the new position.
  std::byte* push(std::size_t n) {
    data -= n;
    length = static_cast<std::uint16_t>(length + n);
    chain_length += static_cast<std::uint32_t>(n);
    return data;
  }
  /// Cuts the packet to n bytes; only for packets of one segment.
  void trim(std::size_t n) {
    length = static_cast<std::uint16_t>(n);
    chain_length = static_cast<std::uint32_t>(n);
  }

  /// The largest packet, counted from l3_offset, that this one becomes on the wire.
  std::uint32_t wire_size(std::uint32_t header_bytes) const {
    return has(kGso) ? header_bytes + gso_size : chain_length;
  }

  /// Metadata of a fresh packet of no bytes; what the pool needs stays.
  void reset() {
    data = storage() + kHeadroom;
    length = l2_offset = 0;
    chain_length = flags = 0;
    rx_interface = tx_interface = InterfaceIndex{};
    l3_offset = l4_offset = inner_l3_offset = inner_l4_offset = 0;
    flow_hash = 0;
    table = TableIndex{0};
    forwarding = ForwardingIndex{};
    feature_position = checksum_start = checksum_offset = 0;
    arc_next = 0xffff;  // no node
    next_segment = nullptr;
    session = 0;
    gso_size = 0;
    gso_type = GsoType::None;
  }
};

static_assert(sizeof(Packet) == 128, "a Packet is two cache lines");
static_assert(offsetof(Packet, trace) == kCacheLine, "the cold line starts with the trace slot");
static_assert(kMbufSize + sizeof(Packet) + kHeadroom + kSegmentSize <= kBufferStride);
static_assert(kBufferStride % kCacheLine == 0 && (kBufferStride / kCacheLine) % 2 == 1);

}  // namespace sluice
