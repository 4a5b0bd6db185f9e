// SPDX-License-Identifier: Apache-2.0
// Buffers: one contiguous region, a lock-free stack of batches, and a cache for each thread that allocates.
#pragma once
#include <sluice/counter.h>
#include <sluice/packet.h>
#include <sluice/status.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

namespace sluice {

class BufferCache;

struct PoolOptions {
  std::uint32_t buffers = 16384;
  bool hugepages = true;  ///< try libhugetlbfs before ordinary pages
};

/// What `show buffers` prints. Counts are buffers.
struct PoolUsage {
  std::uint64_t total, available, cached, used, exhausted;
};

/// A region of buffers. Made on the control thread; caches may refill from any thread.
class SLUICE_API BufferPool {
 public:
  static constexpr std::size_t kBatch = 32;

  /// Errors: the region cannot be mapped (says how much was asked for).
  static StatusOr<std::unique_ptr<BufferPool>> create(const PoolOptions& options);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// "2 MiB hugepages", "ordinary pages (transparent hugepages)" …, with the reason when it is not the best.
  std::string_view page_kind() const { return page_kind_; }
  std::span<std::byte> region() const { return region_; }
  PoolUsage usage() const;

 private:
  friend class BufferCache;
  BufferPool() = default;
  Packet* packet(std::uint32_t index) const;
  std::uint32_t index_of(const Packet* packet) const;
  void push_batch(Packet* first, std::uint32_t size) noexcept;
  Packet* pop_batch() noexcept;
  void join(BufferCache* cache);
  void leave(BufferCache* cache);

  std::span<std::byte> region_;
  bool from_hugetlbfs_ = false;
  std::string page_kind_;
  std::uint32_t total_ = 0;
  // Index of the top batch's first packet and a tag against ABA.
  alignas(kCacheLine) std::atomic<std::uint64_t> top_{0};
  alignas(kCacheLine) std::atomic<std::int64_t> available_{0};
  mutable std::mutex caches_mutex_;
  std::vector<BufferCache*> caches_;
};

/// One thread's buffers. Alloc and free touch only this object until it is empty or full.
class SLUICE_API BufferCache {
 public:
  static constexpr std::size_t kCapacity = 512;
  static constexpr std::size_t kPeekMax = kCapacity - BufferPool::kBatch;

  explicit BufferCache(BufferPool& pool);
  ~BufferCache();
  BufferCache(const BufferCache&) = delete;
  BufferCache& operator=(const BufferCache&) = delete;

  /// A reset packet, or null when the pool is exhausted (counted).
  Packet* alloc() noexcept {
    if (count_ == 0 && !refill()) return nullptr;
    Packet* packet = stack_[--count_];
    take(packet);
    return packet;
  }
  /// Fills as much of out as there is; returns how many.
  std::size_t alloc(std::span<Packet*> out) noexcept;
  /// Frees a packet with all its segments.
  void free(Packet* packet) noexcept {
    while (packet) {
      Packet* next = packet->next_segment;
      free_segment(packet);
      packet = next;
    }
  }
  void free(std::span<Packet* const> packets) noexcept;
  /// Frees single segments, whatever hangs behind them: those of a chain whose walk has just been made, which is then
  /// not made again.
  void free_segments(std::span<Packet* const> segments) noexcept;

  /// Up to n of the free buffers, which stay free: for a system call that tells afterwards how many it has filled.
  /// The next one to be taken is the last. Fewer than n (at most kPeekMax): the pool is exhausted (counted). Good until
  /// the next call of this object.
  std::span<Packet* const> peek(std::size_t n) noexcept {
    while (count_ < n && refill()) {
    }
    const std::size_t there = n < count_ ? n : count_;
    return {stack_.data() + count_ - there, there};
  }
  /// Takes the last n of those that were peeked at. Their metadata is as their last owner has left it.
  void take_peeked(std::size_t n) noexcept;

  /// Frees one segment, whatever hangs behind it.
  void free_segment(Packet* packet) noexcept;
  BufferPool& pool() const { return pool_; }
  /// Tells readers how many buffers wait here; called once a pass.
  void publish_count() noexcept { published_count_.set(count_); }
  std::uint64_t cached() const { return published_count_.get(); }
  std::uint64_t exhausted() const { return exhausted_.get(); }

 private:
  bool refill() noexcept;
  void spill() noexcept;
  void take(Packet* packet) noexcept;

  BufferPool& pool_;
  std::size_t count_ = 0;
  std::array<Packet*, kCapacity> stack_;
  Counter published_count_, exhausted_;
};

/// Makes segment one of several owners' (a later segment only); free_segment takes one owner away.
SLUICE_API void share_segment(Packet& segment) noexcept;

}  // namespace sluice
