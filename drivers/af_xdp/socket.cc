// SPDX-License-Identifier: Apache-2.0
#include "socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace sluice::af_xdp {
namespace {

// Newer than Debian 12's headers.
constexpr std::uint16_t kUseSg = 1u << 4;
constexpr int kMaxTxBudget = 9;  // XDP_MAX_TX_SKB_BUDGET
constexpr int kPreferBusyPoll = 69, kBusyPollBudget = 70;
constexpr int kBusyPollMicroseconds = 20;
constexpr int kSendBuffer = 8 << 20;
// Calls of sendto() that may come to nothing in a row.
constexpr unsigned kFruitless = 8;

}  // namespace

Socket::Socket(BufferPool& pool, SocketOptions options)
    : lent_to_receive(Places(pool).count()),
      lent_to_send(Places(pool).count()),
      pool_(pool),
      region_(pool.region()),
      places_(pool),
      options_(std::move(options)) {}

std::unique_ptr<Socket> Socket::open(BufferPool& pool, const SocketOptions& options, int& error) {
  std::unique_ptr<Socket> socket(new Socket(pool, options));
  error = socket->create();
  if (error != 0) return nullptr;
  socket->set_options();
  return socket;
}

int Socket::create() {
  const xsk_umem_config umem{.fill_size = options_.ring,
                             .comp_size = options_.ring,
                             .frame_size = kChunk,
                             .frame_headroom = 0,
                             .flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG};
  // The rings are zero here: libxdp 1.3 takes what it finds in them for positions.
  if (const int error = xsk_umem__create(&umem_, region_.data(), region_.size(), &fill, &completion, &umem); error != 0)
    return -error;
  xsk_socket_config config{};
  config.rx_size = config.tx_size = options_.ring;
  config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
  config.bind_flags = static_cast<std::uint16_t>(XDP_USE_NEED_WAKEUP | (options_.zero_copy ? XDP_ZEROCOPY : XDP_COPY) |
                                                 (options_.multi_buffer ? kUseSg : 0));
  return -xsk_socket__create(&socket_, options_.interface.c_str(), options_.queue, umem_, &rx, &tx, &config);
}

// Each is an improvement that an older kernel lacks.
void Socket::set_options() const {
  const int most = static_cast<int>(options_.ring), on = 1, budget = static_cast<int>(options_.busy_poll);
  (void)setsockopt(fd(), SOL_XDP, kMaxTxBudget, &most, sizeof most);
  if (setsockopt(fd(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer) != 0)
    (void)setsockopt(fd(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  if (options_.busy_poll == 0) return;
  (void)setsockopt(fd(), SOL_SOCKET, kPreferBusyPoll, &on, sizeof on);
  (void)setsockopt(fd(), SOL_SOCKET, SO_BUSY_POLL, &kBusyPollMicroseconds, sizeof kBusyPollMicroseconds);
  (void)setsockopt(fd(), SOL_SOCKET, kBusyPollBudget, &budget, sizeof budget);
}

void Socket::close() {
  if (socket_) xsk_socket__delete(socket_);
  if (umem_) (void)xsk_umem__delete(umem_);
  socket_ = nullptr;
  umem_ = nullptr;
}

Socket::~Socket() {
  close();
  if (lent_to_receive.count() + lent_to_send.count() == 0) return;
  BufferCache buffers(pool_);
  const auto give_back = [&](std::size_t buffer) { buffers.free_segment(packet(buffer)); };
  lent_to_receive.for_each(give_back);
  lent_to_send.for_each(give_back);
}

xdp_statistics Socket::statistics() const {
  xdp_statistics statistics{};
  socklen_t size = sizeof statistics;
  (void)getsockopt(fd(), SOL_XDP, XDP_STATISTICS, &statistics, &size);
  return statistics;
}

bool Socket::refill(BufferCache& buffers) noexcept {
  constexpr std::size_t kBatch = 64;
  const std::size_t least = std::min<std::size_t>(kBatch, options_.ring / 8);
  std::array<Packet*, kBatch> packets;
  for (;;) {
    const std::size_t room = std::min<std::size_t>(options_.ring - lent_to_receive.count(), kBatch);
    if (room < least) break;
    if (xsk_prod_nb_free(&fill, static_cast<std::uint32_t>(room)) < room) break;
    const std::size_t n = buffers.alloc(std::span(packets).subspan(0, room));
    if (n == 0) break;
    std::uint32_t index = 0;
    xsk_ring_prod__reserve(&fill, static_cast<std::uint32_t>(n), &index);
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint64_t address = address_of(packets[i]->storage());
      *xsk_ring_prod__fill_addr(&fill, index + static_cast<std::uint32_t>(i)) = address;
      lent_to_receive.add(buffer_of(address));
    }
    xsk_ring_prod__submit(&fill, static_cast<std::uint32_t>(n));
    if (n < room) break;
  }
  return lent_to_receive.count() >= options_.ring / 8;
}

void Socket::wake_receiver() noexcept {
  if (options_.busy_poll > 0 || receiver_sleeps()) (void)recvfrom(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
}

void Socket::reap(BufferCache& buffers) noexcept {
  constexpr std::uint32_t kBatch = 64;
  std::array<Packet*, kBatch> packets;
  for (;;) {
    std::uint32_t index = 0;
    const std::uint32_t n = xsk_ring_cons__peek(&completion, kBatch, &index);
    if (n == 0) return;
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
      const std::size_t buffer = buffer_of(*xsk_ring_cons__comp_addr(&completion, index + i));
      if (lent_to_send.take(buffer)) packets[count++] = packet(buffer);
    }
    xsk_ring_cons__release(&completion, n);
    buffers.free(std::span<Packet* const>(packets.data(), count));
  }
}

bool Socket::has_unsent() const noexcept {
  return std::atomic_ref(*tx.consumer).load(std::memory_order_relaxed) !=
         std::atomic_ref(*tx.producer).load(std::memory_order_relaxed);
}

std::size_t Socket::kick() noexcept {
  std::size_t dropped = 0;
  std::uint32_t before = std::atomic_ref(*tx.consumer).load(std::memory_order_relaxed);
  for (unsigned fruitless = 0; fruitless < kFruitless && has_unsent() && xsk_ring_prod__needs_wakeup(&tx);) {
    const bool failed = sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) < 0;
    const int error = failed ? errno : 0;
    const std::uint32_t now = std::atomic_ref(*tx.consumer).load(std::memory_order_relaxed);
    fruitless = now == before ? fruitless + 1 : 0;
    before = now;
    // EBUSY: the device dropped a frame, the ring goes on behind it. EAGAIN, ENOBUFS: not all at once.
    if (failed && error == EBUSY) ++dropped;
    if (failed && error != EBUSY && error != EAGAIN && error != ENOBUFS && error != EINTR) break;
    if (!failed && options_.zero_copy) break;
  }
  return dropped;
}

}  // namespace sluice::af_xdp
