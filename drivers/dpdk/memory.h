// SPDX-License-Identifier: Apache-2.0
// The daemon's buffers as DPDK sees them: one mempool whose mbufs lie in front of the Packets, so that nothing is
// copied between the two. Taking and giving back go to the BufferCache of the worker that is in a driver's call.
//
// While a buffer is not DPDK's: mbuf.next is null and nb_segs is 1; its reference count belongs to shared segments
// (pool.cc) and is set when DPDK gets the buffer.
#pragma once
#include <sluice/pool.h>

#include <array>
#include <memory>
#include <vector>

#include "idle.h"
#include "rte.h"

namespace sluice::dpdk {

static_assert(sizeof(rte_mbuf) == kMbufSize);
static_assert(offsetof(rte_mbuf, refcnt) == 18, "where pool.cc counts the owners of a segment");

inline rte_mbuf* mbuf_of(Packet* packet) {
  return reinterpret_cast<rte_mbuf*>(reinterpret_cast<std::byte*>(packet) - kMbufSize);
}
inline Packet* packet_of(void* mbuf) { return reinterpret_cast<Packet*>(static_cast<std::byte*>(mbuf) + kMbufSize); }

/// On the stack of a worker that calls a driver: the mempool uses its cache meanwhile. Other threads (control, DPDK's
/// own) take from the pool itself.
class Lender {
 public:
  explicit Lender(BufferCache& cache) noexcept;
  ~Lender();
  Lender(const Lender&) = delete;
  Lender& operator=(const Lender&) = delete;

  static Lender* current() noexcept;
  bool take(void** mbufs, unsigned n) noexcept;
  void give(void* const* mbufs, unsigned n) noexcept;
  /// How many buffers were asked for in vain.
  std::uint32_t missing() const { return missing_; }

 private:
  void flush() noexcept;

  BufferCache& cache_;
  std::uint32_t missing_ = 0;
  std::uint32_t count_ = 0;
  std::array<Packet*, 256> given_;
};

/// Lives as long as any device; made anew for the first one after.
class Memory {
 public:
  /// The daemon's, made when there is none. Errors: what DPDK has no room for.
  static StatusOr<std::shared_ptr<Memory>> of(BufferPool& pool);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  BufferPool& pool() const { return pool_; }
  rte_mempool* mempool() const { return mempool_; }
  Tick& tick() { return tick_; }
  /// Has a card reach the buffers. Errors: its IOMMU refuses.
  Status map(rte_device* device);
  /// Of cards that share a container the last one takes the mapping with it.
  void unmap(rte_device* device);

 private:
  explicit Memory(BufferPool& pool) : pool_(pool) {}
  Status register_region();
  Status make_mempool();

  BufferPool& pool_;
  Tick tick_;
  bool registered_ = false;
  rte_mempool* mempool_ = nullptr;
  std::vector<const rte_device*> container_;  // whose one mapping is there
};

}  // namespace sluice::dpdk
