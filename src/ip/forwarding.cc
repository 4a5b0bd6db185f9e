// SPDX-License-Identifier: Apache-2.0
#include "sluice/forwarding.h"

#include <mutex>

namespace sluice {

// Given back by deferred functions, which run on Rcu's own thread when there is no control loop.
struct ForwardingTable::FreeList {
  std::mutex mutex;
  std::vector<std::uint32_t> indices;
};

namespace {

const Forwarding kNoRoute{};

}  // namespace

ForwardingTable::ForwardingTable(Rcu& rcu)
    : rcu_(rcu), objects_(new std::atomic<const Forwarding*>[kCapacity]), free_(std::make_shared<FreeList>()) {
  for (std::uint32_t i = 0; i < kCapacity; ++i) objects_[i].store(&kNoRoute, std::memory_order_relaxed);
}

ForwardingTable::~ForwardingTable() {
  for (std::uint32_t i = 0; i < next_; ++i) {
    const Forwarding* object = objects_[i].load(std::memory_order_relaxed);
    if (object != &kNoRoute) delete object;
  }
}

std::optional<ForwardingIndex> ForwardingTable::add(Forwarding object) {
  std::uint32_t index = next_;
  if (const std::lock_guard lock(free_->mutex); !free_->indices.empty()) {
    index = free_->indices.back();
    free_->indices.pop_back();
  } else if (next_ == kCapacity - 1) {
    return std::nullopt;
  } else {
    ++next_;
  }
  ++used_;
  objects_[index].store(new Forwarding(std::move(object)), std::memory_order_release);
  return ForwardingIndex{index};
}

void ForwardingTable::replace(ForwardingIndex index, Forwarding object) {
  const Forwarding* old = objects_[index.value].exchange(new Forwarding(std::move(object)), std::memory_order_acq_rel);
  if (old != &kNoRoute) rcu_.defer([old] { delete old; });
}

void ForwardingTable::remove(ForwardingIndex index) {
  const Forwarding* old = objects_[index.value].exchange(&kNoRoute, std::memory_order_acq_rel);
  if (old == &kNoRoute) return;
  --used_;
  rcu_.defer([free = free_, old, index] {
    delete old;
    const std::lock_guard lock(free->mutex);
    free->indices.push_back(index.value);
  });
}

}  // namespace sluice
