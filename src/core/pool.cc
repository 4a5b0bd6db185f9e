// SPDX-License-Identifier: Apache-2.0
#include "sluice/pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "core/buffer_state.h"
#include "core/pages.h"

namespace sluice {
namespace {

constexpr std::uint32_t kEmpty = 0xffffffff;

std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

/// Maps a part. False: not with these pages, and the plan knows why; or not at all (page 0), and errno does.
bool place_part(PoolPart& part, std::span<std::byte> place, std::size_t page, PagePlan& plan) {
  if (page) {
    std::string refused;
    if (!map_hugepages(place, page, part.node, refused)) {
      plan.sizes.erase(plan.sizes.begin());
      plan.why += (plan.why.empty() ? "" : "; ") + refused;
      return false;
    }
    part.pages = size_text(page) + " hugepages" + (plan.why.empty() ? "" : " (" + plan.why + ")");
    part.page_bytes = page;
  } else {
    bool transparent = false;
    if (!map_ordinary(place, part.node, transparent)) return false;
    part.pages = fmt::format("ordinary pages{} ({})", transparent ? ", transparent hugepages asked for" : "", plan.why);
    part.page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  }
  part.region = place;
  return true;
}

}  // namespace

Status BufferPool::map(const PoolOptions& options, std::size_t bytes) {
  const HostPages host(options.root);
  const PageSize wanted = options.hugepages ? options.pages : PageSize::Ordinary;
  std::vector<PagePlan> plans;
  std::size_t unit = kHuge2M;
  for (const auto& part : parts_) {
    const auto& sizes = plans.emplace_back(plan_pages(host, part->about.node, bytes, wanted)).sizes;
    if (std::find(sizes.begin(), sizes.end(), kHuge1G) != sizes.end()) unit = kHuge1G;
  }
  const std::size_t size = round_up(bytes, unit) * parts_.size() + unit;
  void* memory = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  bool there = memory != MAP_FAILED;
  if (there) {
    reserved_ = {static_cast<std::byte*>(memory), size};
    auto* at = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::uintptr_t>(memory), unit));
    region_ = {at, 0};
    // Parts with the largest pages come first, so that each begins at a multiple of its page size without a gap.
    for (const std::size_t page : {kHuge1G, kHuge2M, std::size_t{0}}) {
      for (std::size_t i = 0; i < parts_.size(); ++i) {
        PoolPart& part = parts_[i]->about;
        const bool now = page == 0 || (!plans[i].sizes.empty() && plans[i].sizes.front() == page);
        if (!there || !part.region.empty() || !now) continue;
        const std::span<std::byte> place(region_.data() + region_.size(), round_up(bytes, page ? page : kHuge2M));
        if (place_part(part, place, page, plans[i])) {
          region_ = {region_.data(), region_.size() + place.size()};
        } else {
          there = page != 0;
        }
      }
    }
  }
  if (there) return {};
  return exhausted("{} buffers need {} MiB and the kernel refused them ({}); lower buffers.count",
                   bytes / kBufferStride * parts_.size(), (bytes * parts_.size()) >> 20, std::strerror(errno));
}

StatusOr<std::unique_ptr<BufferPool>> BufferPool::create(const PoolOptions& options) {
  const auto buffers = static_cast<std::uint32_t>(round_up(options.buffers, kBatch));
  std::unique_ptr<BufferPool> pool(new BufferPool);
  std::vector<int> nodes = options.nodes;
  if (nodes.empty()) nodes.push_back(-1);
  nodes.resize(std::min(nodes.size(), kMaxParts));
  for (const int node : nodes) {
    pool->parts_.push_back(std::make_unique<Part>());
    pool->parts_.back()->about.node = node;
    pool->parts_.back()->about.buffers = buffers;
  }
  if (auto status = pool->map(options, std::size_t{buffers} * kBufferStride); !status.ok()) return status;
  // Packets and keys that pass through must not reach a core file.
  (void)madvise(pool->region_.data(), pool->region_.size(), MADV_DONTDUMP);
  pool->on_hugepages_ = true;
  for (std::size_t i = 0; i < pool->parts_.size(); ++i) {
    Part& part = *pool->parts_[i];
    part.fill(static_cast<std::uint8_t>(i));
    pool->on_hugepages_ &= part.about.page_bytes >= kHuge2M;
    const bool same = i > 0 && part.about.pages == pool->parts_[0]->about.pages;
    if (same) continue;
    if (i > 0) pool->page_kind_ += fmt::format("; node {}: ", part.about.node);
    pool->page_kind_ += part.about.pages;
  }
  return pool;
}

BufferPool::~BufferPool() {
  if (!reserved_.empty()) munmap(reserved_.data(), reserved_.size());
}

unsigned BufferPool::part_of_node(int node) const {
  for (unsigned i = 0; i < parts_.size(); ++i) {
    if (parts_[i]->about.node == node) return i;
  }
  return 0;
}

void BufferPool::Part::fill(std::uint8_t number) {
  top.store(kEmpty, std::memory_order_relaxed);
  // Every other stretch first: between two that caches begin with lies one that nobody uses yet.
  for (const std::uint32_t odd : {1u, 0u}) {
    for (std::uint32_t i = 0; i < about.buffers; i += kBatch) {
      if (i / kOwnStretch % 2 != odd) continue;
      for (std::uint32_t j = i; j < i + kBatch; ++j) {
        auto* made = new (packet(j)) Packet;
        made->pool_state = kFree;
        made->pool = number;
        made->next_segment = j + 1 < i + kBatch ? packet(j + 1) : nullptr;
      }
      push_batch(packet(i), kBatch);
    }
  }
}

Packet* BufferPool::Part::packet(std::uint32_t index) const {
  return reinterpret_cast<Packet*>(about.region.data() + std::size_t{index} * kBufferStride + kMbufSize);
}

std::uint32_t BufferPool::Part::index_of(const Packet* packet) const {
  const auto offset = reinterpret_cast<const std::byte*>(packet) - kMbufSize - about.region.data();
  return static_cast<std::uint32_t>(static_cast<std::size_t>(offset) / kBufferStride);
}

// A Treiber stack of batches. The link of a batch that another thread pops at the same moment may be read stale; the
// tag then makes the exchange fail. Buffers are never unmapped, so the read itself is harmless.
void BufferPool::Part::push_batch(Packet* first, std::uint32_t size) noexcept {
  first->trace = size;
  const std::uint32_t index = index_of(first);
  std::uint64_t old = top.load(std::memory_order_relaxed);
  std::uint64_t wanted;
  do {
    const auto below = static_cast<std::uint32_t>(old);
    std::atomic_ref<Packet*>(first->pool_link)
        .store(below == kEmpty ? nullptr : packet(below), std::memory_order_relaxed);
    wanted = ((old >> 32) + 1) << 32 | index;
  } while (!top.compare_exchange_weak(old, wanted, std::memory_order_release, std::memory_order_relaxed));
  available.fetch_add(size, std::memory_order_relaxed);
}

Packet* BufferPool::Part::pop_batch() noexcept {
  std::uint64_t old = top.load(std::memory_order_acquire);
  for (;;) {
    const auto index = static_cast<std::uint32_t>(old);
    if (index == kEmpty) return nullptr;
    Packet* first = packet(index);
    Packet* below = std::atomic_ref<Packet*>(first->pool_link).load(std::memory_order_relaxed);
    const std::uint64_t wanted = ((old >> 32) + 1) << 32 | (below ? index_of(below) : kEmpty);
    if (top.compare_exchange_weak(old, wanted, std::memory_order_acquire, std::memory_order_acquire)) {
      available.fetch_sub(first->trace, std::memory_order_relaxed);
      return first;
    }
  }
}

void BufferPool::join(BufferCache* cache) {
  const std::lock_guard lock(caches_mutex_);
  caches_.push_back(cache);
}

void BufferPool::leave(BufferCache* cache) {
  const std::lock_guard lock(caches_mutex_);
  std::erase(caches_, cache);
}

PoolUsage BufferPool::usage(std::size_t part) const {
  const Part& of = *parts_[part];
  PoolUsage usage{};
  usage.total = of.about.buffers;
  usage.available = static_cast<std::uint64_t>(std::max<std::int64_t>(0, of.available.load(std::memory_order_relaxed)));
  const std::lock_guard lock(caches_mutex_);
  for (const BufferCache* cache : caches_) {
    usage.cached += cache->cached(part);
    if (cache->part() != part) continue;
    usage.exhausted += cache->exhausted();
    usage.borrowed += cache->borrowed();
  }
  const std::uint64_t idle = usage.available + usage.cached;
  usage.used = usage.total > idle ? usage.total - idle : 0;
  return usage;
}

PoolUsage BufferPool::usage() const {
  PoolUsage sum{};
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const PoolUsage part = usage(i);
    sum.total += part.total;
    sum.available += part.available;
    sum.cached += part.cached;
    sum.used += part.used;
    sum.exhausted += part.exhausted;
    sum.borrowed += part.borrowed;
  }
  return sum;
}

}  // namespace sluice
