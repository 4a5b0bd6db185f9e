// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include <rte_memory.h>

#include <filesystem>
#include <span>

#include "log.h"

namespace sluice::dpdk {
namespace {

constexpr const char* kOps = "sluice";
// From one mbuf to the next, with the object header that DPDK wants in front: it lies in the pad of the buffer before.
constexpr std::size_t kElement = kMbufSize + sizeof(Packet) + kHeadroom + kSegmentSize;
static_assert(kElement + sizeof(rte_mempool_objhdr) <= kBufferStride);
constexpr std::size_t kPage = 4096;

// One pointer, read with each call of a driver: initial-exec spares the call that finds it.
[[gnu::tls_model("initial-exec")]] thread_local Lender* lender = nullptr;

BufferPool& pool_of(const rte_mempool* mempool) { return *static_cast<BufferPool*>(mempool->pool_config); }

int dequeue(rte_mempool* mempool, void** mbufs, unsigned n) {
  // A memory pool that goes takes all that it was given; these have been ours all along.
  if (!mempool->pool_data) return 0;
  if (lender) return lender->take(mbufs, n) ? 0 : -ENOBUFS;
  BufferCache cache(pool_of(mempool));
  Lender own(cache);
  return own.take(mbufs, n) ? 0 : -ENOBUFS;
}

int enqueue(rte_mempool* mempool, void* const* mbufs, unsigned n) {
  if (lender) {
    lender->give(mbufs, n);
    return 0;
  }
  BufferCache cache(pool_of(mempool));
  Lender(cache).give(mbufs, n);
  return 0;
}

int allocate(rte_mempool* mempool) {
  mempool->pool_data = mempool->pool_config;
  return 0;
}

void release(rte_mempool*) {}

unsigned count(const rte_mempool* mempool) { return static_cast<unsigned>(pool_of(mempool).usage().available); }

void initialise(rte_mempool* mempool, void* object) {
  auto* mbuf = static_cast<rte_mbuf*>(object);
  Packet* packet = packet_of(mbuf);
  // Not the reference count: workers may hold this buffer as a shared segment at this moment.
  mbuf->buf_addr = packet->storage();
  rte_mbuf_iova_set(mbuf, reinterpret_cast<rte_iova_t>(packet->storage()));
  mbuf->data_off = RTE_PKTMBUF_HEADROOM;
  mbuf->nb_segs = 1;
  mbuf->port = RTE_MBUF_PORT_INVALID;
  mbuf->ol_flags = 0;
  mbuf->packet_type = 0;
  mbuf->buf_len = kHeadroom + kSegmentSize;
  mbuf->pool = mempool;
  mbuf->next = nullptr;
  mbuf->tx_offload = 0;
  mbuf->shinfo = nullptr;
  mbuf->priv_size = sizeof(Packet);
}

int populate(rte_mempool* mempool, unsigned, void* start, rte_iova_t iova, std::size_t,
             rte_mempool_populate_obj_cb_t* add, void* argument) {
  auto* region = static_cast<std::byte*>(start);
  const BufferPool& pool = pool_of(mempool);
  int added = 0;
  for (std::size_t i = 0; i < pool.parts(); ++i) {
    const PoolPart& part = pool.part(i);
    for (std::size_t j = 0; j < part.buffers; ++j) {
      std::byte* mbuf = part.region.data() + j * kBufferStride;
      initialise(mempool, mbuf);
      // The very first buffer has no room in front of it for an object header, which DPDK itself never looks for.
      if (mbuf == region) continue;
      add(mempool, argument, mbuf, iova + static_cast<rte_iova_t>(mbuf - region));
      ++added;
    }
  }
  return added;
}

bool register_ops() {
  rte_mempool_ops ops{};
  std::snprintf(ops.name, sizeof ops.name, "%s", kOps);
  ops.alloc = allocate;
  ops.free = release;
  ops.enqueue = enqueue;
  ops.dequeue = dequeue;
  ops.get_count = count;
  ops.populate = populate;
  return rte_mempool_register_ops(&ops) >= 0;
}

/// DPDK has all cards that are bound to it in one container of the IOMMU.
bool in_container(const rte_device* device) {
  std::error_code error;
  const auto link = std::filesystem::path("/sys/bus/pci/devices") / rte_dev_name(device) / "driver";
  return std::filesystem::read_symlink(link, error).filename() == "vfio-pci";
}

}  // namespace

Lender::Lender(BufferCache& cache) noexcept : cache_(cache) { lender = this; }

Lender::~Lender() {
  flush();
  lender = nullptr;
}

Lender* Lender::current() noexcept { return lender; }

bool Lender::take(void** mbufs, unsigned n) noexcept {
  const std::span<Packet*> packets(reinterpret_cast<Packet**>(mbufs), n);
  const std::size_t got = cache_.alloc(packets);
  if (got < n) [[unlikely]] {
    cache_.free(std::span<Packet* const>(packets.first(got)));
    missing_ += n;
    return false;
  }
  for (unsigned i = 0; i < n; ++i) {
    rte_mbuf* mbuf = mbuf_of(packets[i]);
    mbuf->refcnt = 1;
    mbufs[i] = mbuf;
  }
  return true;
}

void Lender::give(void* const* mbufs, unsigned n) noexcept {
  for (unsigned i = 0; i < n; ++i) {
    if (count_ == given_.size()) flush();
    Packet* packet = packet_of(mbufs[i]);
    // DPDK frees segments one by one, and has counted the owners of a shared one.
    packet->next_segment = nullptr;
    packet->flags &= ~kShared;
    given_[count_++] = packet;
  }
}

void Lender::flush() noexcept {
  cache_.free(std::span<Packet* const>(given_.data(), count_));
  count_ = 0;
}

StatusOr<std::shared_ptr<Memory>> Memory::of(BufferPool& pool) {
  static std::weak_ptr<Memory> made;
  static const bool registered = register_ops();
  if (!registered) return exhausted("DPDK takes no more kinds of memory pools");
  if (auto there = made.lock(); there && &there->pool_ == &pool) return there;
  std::shared_ptr<Memory> memory(new Memory(pool));
  if (Status status = memory->register_region(); !status.ok()) return status;
  if (Status status = memory->make_mempool(); !status.ok()) return status;
  made = memory;
  return memory;
}

Status Memory::register_region() {
  const Said said;
  const auto region = pool_.region();
  // An address is the same for the CPU and for a card (IOVA as VA), so that pages need not be told apart.
  std::vector<rte_iova_t> addresses(region.size() / kPage);
  for (std::size_t i = 0; i < addresses.size(); ++i)
    addresses[i] = reinterpret_cast<rte_iova_t>(region.data()) + i * kPage;
  if (rte_extmem_register(region.data(), region.size(), addresses.data(), static_cast<unsigned>(addresses.size()),
                          kPage) != 0)
    return unavailable("DPDK does not take the {} MiB of buffers: {} ({})", region.size() >> 20,
                       rte_strerror(rte_errno), said.text());
  registered_ = true;
  return {};
}

Status Memory::make_mempool() {
  const Said said;
  const auto region = pool_.region();
  const auto total = static_cast<unsigned>(pool_.usage().total);
  mempool_ = rte_mempool_create_empty("sluice", total - 1, kElement, 0, sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY,
                                      RTE_MEMPOOL_F_NO_SPREAD);
  if (!mempool_) return exhausted("DPDK has no room for a memory pool: {} ({})", rte_strerror(rte_errno), said.text());
  rte_pktmbuf_pool_private shape{};
  shape.mbuf_data_room_size = kHeadroom + kSegmentSize;
  shape.mbuf_priv_size = sizeof(Packet);
  if (rte_mempool_set_ops_byname(mempool_, kOps, &pool_) != 0) return unavailable("DPDK: {}", said.text());
  rte_pktmbuf_pool_init(mempool_, &shape);
  const int made =
      rte_mempool_populate_iova(mempool_, reinterpret_cast<char*>(region.data()),
                                reinterpret_cast<rte_iova_t>(region.data()), region.size(), nullptr, nullptr);
  if (made != static_cast<int>(total) - 1)
    return unavailable("DPDK took {} of {} buffers: {}", made, total, said.text());
  return {};
}

Memory::~Memory() {
  if (mempool_) {
    mempool_->pool_data = nullptr;
    rte_mempool_free(mempool_);
  }
  if (registered_) rte_extmem_unregister(pool_.region().data(), pool_.region().size());
}

Status Memory::map(rte_device* device) {
  const bool shares = in_container(device);
  if (shares && !container_.empty()) {
    container_.push_back(device);
    return {};
  }
  const auto region = pool_.region();
  const auto address = reinterpret_cast<std::uint64_t>(region.data());
  if (rte_dev_dma_map(device, region.data(), address, region.size()) != 0 && rte_errno != EEXIST)
    return unavailable("{} cannot reach the {} MiB of buffers: {}; look whether memlock allows as much",
                       rte_dev_name(device), region.size() >> 20, rte_strerror(rte_errno));
  if (shares) container_.push_back(device);
  return {};
}

void Memory::unmap(rte_device* device) {
  // The others of the container would lose the buffers too.
  if (std::erase(container_, device) > 0 && !container_.empty()) return;
  const auto region = pool_.region();
  rte_dev_dma_unmap(device, region.data(), reinterpret_cast<std::uint64_t>(region.data()), region.size());
}

}  // namespace sluice::dpdk
