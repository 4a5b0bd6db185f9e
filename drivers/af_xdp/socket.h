// SPDX-License-Identifier: Apache-2.0
// An AF_XDP socket on one queue of an interface: four rings, and the whole packet pool as its UMEM.
//
//   fill ring        empty buffers for the kernel       written by who receives
//   receive ring     those that hold a frame            read by who receives
//   transmit ring    frames to send                     written by who sends
//   completion ring  buffers of frames that are out     read by who sends
//
// So who receives and who sends need not be the same worker. Each socket registers the pool's memory for itself: a UMEM
// that several sockets share (XDP_SHARED_UMEM) belongs to the first of them, and goes with that one's interface. A
// packet may leave by any socket all the same, because the memory is the same.
//
// A chunk of the UMEM begins where a buffer's headroom begins: XDP keeps 256 bytes for itself, which is kHeadroom, and
// the frame lies where every driver puts it.
#pragma once
#include <sluice/pool.h>
#include <xdp/xsk.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sluice::af_xdp {

inline constexpr std::size_t kChunk = kHeadroom + kSegmentSize;

/// Which buffers of the pool the kernel has. One thread.
class Lent {
 public:
  explicit Lent(std::size_t buffers) : words_((buffers + 63) / 64) {}
  void add(std::size_t buffer) noexcept {
    words_[buffer / 64] |= std::uint64_t{1} << (buffer % 64);
    ++count_;
  }
  /// False: it was not lent.
  bool take(std::size_t buffer) noexcept {
    const std::uint64_t bit = std::uint64_t{1} << (buffer % 64);
    if (buffer / 64 >= words_.size() || !(words_[buffer / 64] & bit)) [[unlikely]]
      return false;
    words_[buffer / 64] &= ~bit;
    --count_;
    return true;
  }
  std::size_t count() const noexcept { return count_; }
  template <class F>
  void for_each(F&& function) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t rest = words_[i]; rest; rest &= rest - 1)
        function(i * 64 + static_cast<std::size_t>(__builtin_ctzll(rest)));
    }
  }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t count_ = 0;
};

/// Where the pool's buffers lie in its region, which is the UMEM: a pool may have a part for each NUMA node, which
/// begins at a page. Buffers are numbered through.
class Places {
 public:
  template <class Pool>
  explicit Places(const Pool& pool) : region_(pool.region()) {
    for (std::size_t i = 0; i < pool.parts(); ++i) add(pool.part(i).region);
  }
  std::size_t count() const noexcept { return parts_.back().first + parts_.back().count; }
  /// Of the buffer that an address of the UMEM lies in; count(): in none.
  std::size_t buffer_of(std::uint64_t address) const noexcept {
    for (const Part& part : parts_) {
      if (address < part.end) [[likely]]
        return part.first + (address - part.begin) / kBufferStride;
    }
    return count();
  }
  Packet* packet(std::size_t buffer) const noexcept {
    const Part* part = parts_.data();
    while (buffer >= part->first + part->count) ++part;
    return reinterpret_cast<Packet*>(region_.data() + part->begin + (buffer - part->first) * kBufferStride + kMbufSize);
  }

 private:
  struct Part {
    std::uint64_t begin, end;
    std::size_t first, count;
  };
  void add(std::span<std::byte> part) {
    const auto begin = static_cast<std::uint64_t>(part.data() - region_.data());
    const std::size_t first = parts_.empty() ? 0 : count();
    parts_.push_back({begin, begin + part.size(), first, part.size() / kBufferStride});
  }
  std::span<std::byte> region_;
  std::vector<Part> parts_;
};

struct SocketOptions {
  std::string interface;
  std::uint32_t queue = 0;
  std::uint32_t ring = 2048;    ///< descriptors of each ring, a power of two
  bool zero_copy = false;       ///< else by copying
  bool multi_buffer = false;    ///< frames of several descriptors (Linux 6.6)
  std::uint32_t busy_poll = 0;  ///< packets a poll; 0: without
};

class Socket {
 public:
  /// In the namespace of the calling thread. Null: error is an errno. EBUSY: the queue has a socket already; one that
  /// was closed keeps it for some 10 ms.
  static std::unique_ptr<Socket> open(BufferPool& pool, const SocketOptions& options, int& error);
  /// Gives back all buffers that the kernel had.
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  /// Lets go of the queue; buffers stay lent until this object goes. With zero copy the device may write into them for
  /// as long as the queue is not free yet (is_free). Nothing but the destructor after that.
  void close();

  int fd() const { return xsk_socket__fd(socket_); }
  const SocketOptions& options() const { return options_; }
  xdp_statistics statistics() const;

  // Who receives.

  /// Lends as many buffers as there is room for. False: there were none, and the kernel has next to none left.
  bool refill(BufferCache& buffers) noexcept;
  /// A driver with zero copy has run out of buffers and asks to be woken when there are some.
  bool receiver_sleeps() const noexcept { return xsk_ring_prod__needs_wakeup(&fill); }
  /// Has the kernel look at the rings where it asks for that. After refill(): a driver finds nothing in them before.
  void wake_receiver() noexcept;

  // Who sends.

  /// Takes back the buffers of what is out.
  void reap(BufferCache& buffers) noexcept;
  /// Has the kernel send what is in the ring. Returns how many packets it has dropped.
  std::size_t kick() noexcept;
  /// Whether descriptors wait for a kick(). Any thread.
  bool has_unsent() const noexcept;

  std::size_t buffers() const noexcept { return places_.count(); }
  /// buffers(): the address lies in none.
  std::size_t buffer_of(std::uint64_t address) const noexcept { return places_.buffer_of(address); }
  Packet* packet(std::size_t buffer) const noexcept { return places_.packet(buffer); }
  std::byte* at(std::uint64_t address) const noexcept { return region_.data() + address; }
  /// Where it lies in the UMEM; at least the region's size: not in there.
  std::uint64_t address_of(const std::byte* data) const noexcept {
    return static_cast<std::uint64_t>(data - region_.data());
  }
  bool holds(const Packet& segment) const noexcept { return address_of(segment.data) < region_.size(); }

  // Who receives and who sends may be two workers: no cache line is both's.
  alignas(kCacheLine) xsk_ring_prod fill{};
  xsk_ring_cons rx{};
  Lent lent_to_receive;
  alignas(kCacheLine) xsk_ring_prod tx{};
  xsk_ring_cons completion{};
  Lent lent_to_send;

 private:
  Socket(BufferPool& pool, SocketOptions options);
  int create();
  void set_options() const;

  alignas(kCacheLine) BufferPool& pool_;
  const std::span<std::byte> region_;
  const Places places_;
  const SocketOptions options_;
  xsk_umem* umem_ = nullptr;
  xsk_socket* socket_ = nullptr;
};

}  // namespace sluice::af_xdp
