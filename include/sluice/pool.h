// SPDX-License-Identifier: Apache-2.0
// Buffers: one contiguous region with a part for each NUMA node. A part has a lock-free stack of batches; each thread
// that allocates has a cache of its node's buffers. A buffer that is freed by a thread of another node goes home.
#pragma once
#include <sluice/counter.h>
#include <sluice/packet.h>
#include <sluice/status.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class BufferCache;

/// Which pages a pool wants. Auto: 1 GiB for a part of 512 MiB or more, else 2 MiB, and each for want of the other.
enum class PageSize : std::uint8_t { Auto, Ordinary, Huge2M, Huge1G };

struct PoolOptions {
  std::uint32_t buffers = 16384;  ///< of each node
  bool hugepages = true;          ///< try libhugetlbfs before ordinary pages
  PageSize pages = PageSize::Auto;
  std::vector<int> nodes{};          ///< a part for each of these NUMA nodes; empty: one, wherever the kernel likes
  std::filesystem::path root = "/";  ///< where /sys and /proc are looked for
};

/// What `show buffers` prints. Counts are buffers.
struct PoolUsage {
  std::uint64_t total, available, cached, used;
  std::uint64_t exhausted;  ///< how often there was none, of any node
  std::uint64_t borrowed;   ///< taken from another node's part, for want of own ones
};

/// The buffers of one NUMA node.
struct PoolPart {
  int node = -1;                ///< -1: of no certain one
  std::span<std::byte> region;  ///< buffer i lies at i * kBufferStride
  std::uint32_t buffers = 0;
  std::size_t page_bytes = 4096;
  std::string pages;  ///< "2 MiB hugepages", "ordinary pages …", with the reason when it is not the best
};

/// Made on the control thread; caches may refill from any thread.
class SLUICE_API BufferPool {
 public:
  static constexpr std::size_t kBatch = 32;
  static constexpr std::size_t kMaxParts = 16;

  /// Errors: the region cannot be mapped (says how much was asked for). Too few hugepages are none: PoolPart::pages.
  static StatusOr<std::unique_ptr<BufferPool>> create(const PoolOptions& options);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// "2 MiB hugepages", "ordinary pages (transparent hugepages)" …, with the reason when it is not the best; of all
  /// parts.
  std::string_view page_kind() const { return page_kind_; }
  /// All of it lies on hugepages.
  bool on_hugepages() const { return on_hugepages_; }
  /// All parts, without gaps; a device may register it whole.
  std::span<std::byte> region() const { return region_; }
  std::size_t parts() const { return parts_.size(); }
  const PoolPart& part(std::size_t i) const { return parts_[i]->about; }
  /// The part of a NUMA node; the first when it has none of its own.
  unsigned part_of_node(int node) const;
  PoolUsage usage() const;
  PoolUsage usage(std::size_t part) const;

 private:
  friend class BufferCache;
  struct Part {
    PoolPart about;
    // Index of the top batch's first packet and a tag against ABA.
    alignas(kCacheLine) std::atomic<std::uint64_t> top{0};
    alignas(kCacheLine) std::atomic<std::int64_t> available{0};

    Packet* packet(std::uint32_t index) const;
    std::uint32_t index_of(const Packet* packet) const;
    void push_batch(Packet* first, std::uint32_t size) noexcept;
    Packet* pop_batch() noexcept;
    void fill(std::uint8_t number);
  };

  BufferPool() = default;
  Status map(const PoolOptions& options, std::size_t part_bytes);
  void join(BufferCache* cache);
  void leave(BufferCache* cache);

  std::span<std::byte> region_;
  std::span<std::byte> reserved_;  // the region, and what was left over when it was aligned
  bool on_hugepages_ = false;
  std::string page_kind_;
  std::vector<std::unique_ptr<Part>> parts_;
  mutable std::mutex caches_mutex_;
  std::vector<BufferCache*> caches_;
};

/// One thread's buffers. Alloc and free touch only this object until it is empty or full.
class SLUICE_API BufferCache {
 public:
  static constexpr std::size_t kCapacity = 512;
  static constexpr std::size_t kPeekMax = kCapacity - BufferPool::kBatch;

  /// part: of the pool, the thread's NUMA node's.
  explicit BufferCache(BufferPool& pool, unsigned part = 0);
  ~BufferCache();
  BufferCache(const BufferCache&) = delete;
  BufferCache& operator=(const BufferCache&) = delete;

  /// A reset packet, or null when the pool is exhausted (counted).
  Packet* alloc() noexcept {
    if (count_ == 0 && !refill()) return borrow();
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
  /// The next one to be taken is the last. Fewer than n (at most kPeekMax): the node's part of the pool is
  /// exhausted (counted), and others' are not looked at. Good until
  /// the next call of this object.
  std::span<Packet* const> peek(std::size_t n) noexcept {
    while (count_ < n && refill()) {
    }
    const std::size_t there = n < count_ ? n : count_;
    if (there < n) exhausted_.add();
    return {stack_.data() + count_ - there, there};
  }
  /// Takes the last n of those that were peeked at. Their metadata is as their last owner has left it.
  void take_peeked(std::size_t n) noexcept;

  /// Frees one segment, whatever hangs behind it.
  void free_segment(Packet* packet) noexcept;
  BufferPool& pool() const { return pool_; }
  unsigned part() const { return part_; }
  /// Tells readers how many buffers wait here; called once a pass.
  void publish_count() noexcept;
  /// Buffers of a part that wait here.
  std::uint64_t cached(std::size_t part) const { return cached_[part].get(); }
  std::uint64_t exhausted() const { return exhausted_.get(); }
  std::uint64_t borrowed() const { return borrowed_.get(); }

 private:
  // Buffers of another node on their way home.
  struct Foreign {
    Packet* first = nullptr;
    std::uint32_t count = 0;
  };

  bool is_home(const Packet* packet) const noexcept {
    return static_cast<std::size_t>(reinterpret_cast<const std::byte*>(packet) - home_) < home_size_;
  }
  bool refill() noexcept;
  void spill() noexcept;
  void take(Packet* packet) noexcept;
  Packet* borrow() noexcept;
  void send_home(Packet* packet) noexcept;
  void push_foreign(std::size_t part) noexcept;

  BufferPool& pool_;
  const unsigned part_;
  const std::byte* const home_;
  const std::size_t home_size_;
  std::size_t count_ = 0;
  std::array<Packet*, kCapacity> stack_;
  std::vector<Foreign> foreign_;  // by part; nothing where the pool has one
  std::vector<Counter> cached_;   // by part
  Counter exhausted_, borrowed_;
};

/// Makes segment one of several owners' (a later segment only); free_segment takes one owner away.
SLUICE_API void share_segment(Packet& segment) noexcept;

}  // namespace sluice
