// SPDX-License-Identifier: Apache-2.0
#include "sluice/pool.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace sluice {
namespace {

std::unique_ptr<BufferPool> small_pool(std::uint32_t buffers = 64) {
  auto pool = BufferPool::create({.buffers = buffers, .hugepages = false});
  EXPECT_TRUE(pool.ok());
  return std::move(*pool);
}

std::uint64_t used(BufferPool& pool, BufferCache& cache) {
  cache.publish_count();
  return pool.usage().used;
}

TEST(Pool, GivesEveryBufferOnceAndCountsExhaustion) {
  auto pool = small_pool();
  BufferCache cache(*pool);
  std::set<Packet*> seen;
  while (Packet* packet = cache.alloc()) {
    EXPECT_TRUE(seen.insert(packet).second);
    EXPECT_EQ(packet->headroom(), kHeadroom);
    EXPECT_EQ(packet->tailroom(), kSegmentSize);
  }
  EXPECT_EQ(seen.size(), 64u);
  EXPECT_EQ(used(*pool, cache), 64u);
  EXPECT_EQ(pool->usage().exhausted, 1u);
  for (Packet* packet : seen) cache.free(packet);
  EXPECT_EQ(used(*pool, cache), 0u);
}

TEST(Pool, FreesAllSegmentsOfAChain) {
  auto pool = small_pool();
  BufferCache cache(*pool);
  Packet* head = cache.alloc();
  head->next_segment = cache.alloc();
  head->next_segment->next_segment = cache.alloc();
  EXPECT_EQ(used(*pool, cache), 3u);
  cache.free(head);
  EXPECT_EQ(used(*pool, cache), 0u);
}

TEST(Pool, KeepsASharedSegmentUntilItsLastOwnerIsGone) {
  auto pool = small_pool();
  BufferCache cache(*pool);
  Packet* a = cache.alloc();
  Packet* b = cache.alloc();
  Packet* tail = cache.alloc();
  a->next_segment = b->next_segment = tail;
  share_segment(*tail);
  cache.free(a);
  EXPECT_EQ(used(*pool, cache), 2u);
  cache.free(b);
  EXPECT_EQ(used(*pool, cache), 0u);
}

TEST(Pool, SurvivesThreadsThatAllocateAndFreeAtOnce) {
  auto pool = small_pool(4096);
  const auto churn = [&] {
    BufferCache cache(*pool);
    std::array<Packet*, 700> held;
    for (int round = 0; round < 200; ++round) {
      const std::size_t n = cache.alloc(held);
      for (std::size_t i = 0; i < n; ++i) held[i]->data[0] = std::byte{1};
      cache.free(std::span(held).first(n));
    }
  };
  {
    std::thread one(churn), two(churn), three(churn);
    one.join();
    two.join();
    three.join();
  }
  EXPECT_EQ(pool->usage().available, 4096u);
}

#ifdef SLUICE_DEBUG
TEST(PoolDeathTest, CatchesADoubleFree) {
  auto pool = small_pool();
  BufferCache cache(*pool);
  Packet* packet = cache.alloc();
  cache.free(packet);
  EXPECT_DEATH(cache.free(packet), "freed twice");
}
#endif

}  // namespace
}  // namespace sluice
