// SPDX-License-Identifier: Apache-2.0
#include "sluice/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "sluice/read_chain.h"

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

TEST(Pool, LeavesWhatIsPeekedAtFreeUntilItIsTaken) {
  auto pool = small_pool();
  BufferCache cache(*pool);
  const auto first = cache.peek(40);
  ASSERT_EQ(first.size(), 40u);
  EXPECT_EQ(used(*pool, cache), 0u);
  EXPECT_EQ(std::set<Packet*>(first.begin(), first.end()).size(), 40u);
  const std::vector<Packet*> wanted(first.end() - 3, first.end());
  cache.take_peeked(3);
  EXPECT_EQ(used(*pool, cache), 3u);
  const auto rest = cache.peek(BufferCache::kPeekMax);
  EXPECT_EQ(rest.size(), 61u);
  EXPECT_EQ(pool->usage().exhausted, 1u);
  for (Packet* packet : wanted) EXPECT_EQ(std::count(rest.begin(), rest.end(), packet), 0);
  cache.free_segments(wanted);
  EXPECT_EQ(used(*pool, cache), 0u);
}

TEST(Pool, ACacheOfAPoolThatIsUsedUpBeginsEmpty) {
  auto pool = small_pool(2048);
  BufferCache cache(*pool);
  std::vector<Packet*> all;
  while (Packet* packet = cache.alloc()) all.push_back(packet);
  {
    cache.free(all.back());
    all.pop_back();
    BufferCache late(*pool);
    EXPECT_EQ(late.alloc(), nullptr);
    EXPECT_EQ(late.peek(8).size(), 0u);
    EXPECT_EQ(cache.peek(40).size(), 1u) << "one is there, and no batch behind it";
  }
  for (Packet* packet : all) cache.free(packet);
}

TEST(Pool, FreesSegmentsWithoutWhatHangsBehindThem) {
  auto pool = small_pool(1024);
  BufferCache cache(*pool);
  std::vector<Packet*> packets(1000);
  ASSERT_EQ(cache.alloc(packets), 1000u);
  for (std::size_t i = 0; i + 1 < packets.size(); ++i) packets[i]->next_segment = packets[i + 1];
  share_segment(*packets[700]);
  cache.free_segments(std::span(packets).first(900));
  EXPECT_EQ(used(*pool, cache), 101u);
  packets[700]->next_segment = nullptr;
  cache.free(packets[700]);
  cache.free(packets[900]);
  EXPECT_EQ(used(*pool, cache), 0u);
}

TEST(ReadChain, GivesAPacketTheBuffersThatItFilled) {
  auto pool = small_pool(128);
  BufferCache cache(*pool);
  std::uint64_t header = 0;
  ReadChain chain(cache, &header, sizeof header);
  for (const std::size_t size : {1u, 2047u, 2048u, 2049u, 4096u, 65000u}) {
    const auto vectors = chain.vectors();
    ASSERT_EQ(vectors.size(), ReadChain::kSegments + 1);
    EXPECT_EQ(vectors[0].iov_base, &header);
    for (std::size_t i = 0; i < size; ++i)
      static_cast<std::byte*>(vectors[1 + i / kSegmentSize].iov_base)[i % kSegmentSize] = std::byte(i * 7 + size);
    Packet* packet = chain.take(size);
    EXPECT_EQ(packet->chain_length, size);
    std::size_t at = 0;
    for (const Packet* s = packet; s; s = s->next_segment) {
      EXPECT_EQ(s->flags, 0u);
      for (std::size_t i = 0; i < s->length; ++i, ++at) ASSERT_EQ(s->data[i], std::byte(at * 7 + size));
    }
    EXPECT_EQ(at, size);
    EXPECT_EQ(used(*pool, cache), (size + kSegmentSize - 1) / kSegmentSize);
    packet->flags = kGso;  // what is left of one packet must not be seen in the next
    if (packet->next_segment) packet->next_segment->flags = kGso;
    cache.free(packet);
  }
}

TEST(ReadChain, IsShortWhereThePoolIs) {
  auto pool = small_pool(64);
  BufferCache cache(*pool);
  std::uint64_t header = 0;
  ReadChain chain(cache, &header, sizeof header);
  std::array<Packet*, 62> held;
  ASSERT_EQ(cache.alloc(held), held.size());
  EXPECT_EQ(chain.vectors().size(), 3u);
  EXPECT_TRUE(chain.short_of_buffers());
  EXPECT_EQ(chain.capacity(), 2 * kSegmentSize);
  Packet* last = chain.take(2 * kSegmentSize - 1);
  EXPECT_EQ(chain.vectors().size(), 1u);
  EXPECT_EQ(chain.capacity(), 0u);
  cache.free(last);
  cache.free(held);
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

// A host with one node makes parts of two as well: only where their memory lies is the kernel's affair.
struct PoolOfTwoNodes : ::testing::Test {
  void SetUp() override {
    auto made = BufferPool::create({.buffers = 1024, .hugepages = false, .nodes = {0, 1}});
    ASSERT_TRUE(made.ok());
    pool = std::move(*made);
  }
  std::uint64_t used(std::size_t part) const { return pool->usage(part).used; }
  std::unique_ptr<BufferPool> pool;
};

TEST_F(PoolOfTwoNodes, LieSideBySideAndKnowTheirNode) {
  ASSERT_EQ(pool->parts(), 2u);
  EXPECT_EQ(pool->part(0).region.data(), pool->region().data());
  EXPECT_EQ(pool->part(0).region.size() + pool->part(1).region.size(), pool->region().size());
  EXPECT_EQ(pool->part(1).region.data(), pool->region().data() + pool->part(0).region.size());
  EXPECT_EQ(pool->part_of_node(1), 1u);
  EXPECT_EQ(pool->part_of_node(7), 0u);
  BufferCache zero(*pool, 0), one(*pool, 1);
  for (auto* cache : {&zero, &one}) {
    Packet* packet = cache->alloc();
    EXPECT_EQ(packet->pool, cache->part());
    const auto region = pool->part(cache->part()).region;
    EXPECT_TRUE(packet->storage() > region.data() && packet->storage() < region.data() + region.size());
    cache->free(packet);
  }
}

TEST_F(PoolOfTwoNodes, ABufferThatIsFreedElsewhereGoesHome) {
  BufferCache zero(*pool, 0), one(*pool, 1);
  std::vector<Packet*> packets(700);
  ASSERT_EQ(zero.alloc(packets), packets.size());
  std::vector<Packet*> own(100);
  ASSERT_EQ(one.alloc(own), own.size());
  packets.insert(packets.begin() + 300, own.begin(), own.end());
  packets[5]->next_segment = packets.back();
  packets.pop_back();
  one.free(packets);
  for (auto* cache : {&zero, &one}) cache->publish_count();
  EXPECT_EQ(used(0), 0u);
  EXPECT_EQ(used(1), 0u);
  EXPECT_LT(one.cached(0), BufferPool::kBatch) << "more than a batch does not wait";
  EXPECT_GE(pool->usage(0).available, 1024u - zero.cached(0) - BufferPool::kBatch);
  // What one allocates is its own again.
  std::vector<Packet*> again(500);
  ASSERT_EQ(one.alloc(again), again.size());
  for (const Packet* packet : again) EXPECT_EQ(packet->pool, 1);
  one.free(again);
}

TEST_F(PoolOfTwoNodes, SegmentsThatAreFreedElsewhereGoHomeToo) {
  BufferCache zero(*pool, 0), one(*pool, 1);
  std::vector<Packet*> packets(200);
  ASSERT_EQ(zero.alloc(packets), packets.size());
  one.free_segments(packets);
  std::vector<Packet*> own(600);
  ASSERT_EQ(one.alloc(own), own.size());
  for (const Packet* packet : own) EXPECT_EQ(packet->pool, 1);
  zero.free(own);
  for (auto* cache : {&zero, &one}) cache->publish_count();
  EXPECT_EQ(used(0), 0u);
  EXPECT_EQ(used(1), 0u);
}

TEST_F(PoolOfTwoNodes, ANodeWithoutBuffersBorrowsUntilThereAreNoneAnywhere) {
  BufferCache zero(*pool, 0);
  std::set<Packet*> seen;
  while (Packet* packet = zero.alloc()) EXPECT_TRUE(seen.insert(packet).second);
  EXPECT_EQ(seen.size(), 2048u);
  EXPECT_EQ(zero.borrowed(), 1024u);
  EXPECT_EQ(zero.exhausted(), 1u);
  EXPECT_EQ(pool->usage().borrowed, 1024u);
  BufferCache one(*pool, 1);
  EXPECT_EQ(one.alloc(), nullptr);
  std::array<Packet*, 4> some{};
  EXPECT_EQ(zero.alloc(some), 0u);
  for (Packet* packet : seen) zero.free(packet);
  zero.publish_count();
  EXPECT_EQ(used(0), 0u);
  EXPECT_EQ(used(1), 0u);
  ASSERT_NE(one.alloc(), nullptr) << "its own have come back";
}

TEST_F(PoolOfTwoNodes, SurvivesThreadsThatFreeEachOthersBuffers) {
  std::array<std::array<std::atomic<Packet*>, 512>, 2> exchange{};
  const auto churn = [&](unsigned part) {
    BufferCache cache(*pool, part);
    for (int round = 0; round < 100; ++round) {
      for (std::size_t i = 0; i < 512; ++i) {
        Packet* packet = cache.alloc();
        if (packet) packet->data[0] = std::byte{1};
        if (Packet* other = exchange[(i + part) % 2][i].exchange(packet)) cache.free(other);
      }
    }
  };
  {
    std::thread zero(churn, 0u), one(churn, 1u);
    zero.join();
    one.join();
  }
  BufferCache last(*pool);
  for (auto& row : exchange) {
    for (auto& place : row) last.free(place.load());
  }
  last.publish_count();
  EXPECT_EQ(pool->usage().used, 0u);
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
