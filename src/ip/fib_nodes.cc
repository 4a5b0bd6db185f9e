// SPDX-License-Identifier: Apache-2.0
#include "sluice/fib_nodes.h"

#include <sys/mman.h>

#include <mutex>
#include <new>

namespace sluice {

/// Nodes whose grace period has ended, on whichever thread.
struct FibNodes::Returned {
  std::mutex mutex;
  BySize nodes;
  std::atomic<bool> waiting{false};  // for a grace period: one at a time, for all that is given back meanwhile
};

namespace {

constexpr std::size_t size_class(std::uint32_t units) { return static_cast<std::size_t>(std::countr_zero(units)); }

void* reserve(std::size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  // A large table is walked all over: fewer TLB misses. A small one does not pay for a huge page.
  constexpr std::size_t kOrdinary = 2u << 20;
  if (bytes > kOrdinary) madvise(static_cast<std::byte*>(at) + kOrdinary, bytes - kOrdinary, MADV_HUGEPAGE);
  return at;
}

}  // namespace

FibNodes::FibNodes(Rcu& rcu, std::uint32_t max_units)
    : rcu_(rcu),
      max_units_(max_units),
      words_(static_cast<Entry*>(reserve(std::size_t{max_units} * kUnitBytes))),
      lengths_(static_cast<std::uint8_t*>(reserve(std::size_t{max_units} * kLengths))),
      returned_(std::make_shared<Returned>()) {}

FibNodes::~FibNodes() {
  munmap(words_, std::size_t{max_units_} * kUnitBytes);
  munmap(lengths_, std::size_t{max_units_} * kLengths);
}

/// Takes what readers have left, and has the next wait for them.
void FibNodes::reclaim() {
  if (returned_->waiting.load(std::memory_order_acquire)) return;
  {
    const std::lock_guard lock(returned_->mutex);
    for (std::size_t i = 0; i < free_.size(); ++i) {
      free_[i].insert(free_[i].end(), returned_->nodes[i].begin(), returned_->nodes[i].end());
      returned_->nodes[i].clear();
    }
  }
  auto batch = std::make_shared<BySize>();
  bool any = false;
  for (std::size_t i = 0; i < given_.size(); ++i) {
    any = any || !given_[i].empty();
    batch->at(i).swap(given_[i]);
  }
  if (!any) return;
  returned_->waiting.store(true, std::memory_order_relaxed);
  rcu_.defer([returned = returned_, batch] {
    const std::lock_guard lock(returned->mutex);
    returned->nodes.swap(*batch);
    returned->waiting.store(false, std::memory_order_release);
  });
}

std::uint32_t FibNodes::take(std::uint32_t units) {
  Numbers& free = free_[size_class(units)];
  if (free.empty()) reclaim();
  if (free.empty() && units < kFullUnits) {
    // A piece of the largest size makes many.
    const std::uint32_t whole = take(kFullUnits);
    if (whole == kNone) return kNone;
    --used_;
    used_units_ -= kFullUnits;
    for (std::uint32_t at = kFullUnits; at > 0; at -= units) free.push_back(whole + at - units);
  }
  if (free.empty() && next_ + kFullUnits > max_units_) return kNone;
  ++used_;
  used_units_ += units;
  if (free.empty()) {
    const std::uint32_t first = next_;
    next_ += kFullUnits;
    return first;
  }
  const std::uint32_t first = free.back();
  free.pop_back();
  return first;
}

void FibNodes::give(std::uint32_t first, std::uint32_t units) {
  --used_;
  used_units_ -= units;
  given_[size_class(units)].push_back(first);
  reclaim();
}

bool FibNodes::has_room(std::uint32_t small_units, std::uint32_t count, std::uint32_t medium_units) {
  const auto enough = [&] {
    const std::size_t whole = (max_units_ - next_) / kFullUnits + free_[size_class(kFullUnits)].size();
    const std::size_t wanted = 1u + (free_[size_class(small_units)].size() < count ? 1 : 0) +
                               (free_[size_class(medium_units)].empty() ? 1 : 0);
    return whole >= wanted;
  };
  if (enough()) return true;
  reclaim();
  return enough();
}

}  // namespace sluice
