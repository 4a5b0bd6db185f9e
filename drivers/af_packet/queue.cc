// SPDX-License-Identifier: Apache-2.0
#include "queue.h"

#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sluice/read_chain.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace sluice::af_packet {
namespace {

// Newer than Debian 12's headers.
constexpr int kIgnoreOutgoing = 23;
constexpr unsigned kFanoutIgnoreOutgoing = 0x4000;
constexpr std::size_t kMacs = 12, kTagLength = 4;
constexpr int kSocketBuffer = 8 << 20;

template <class T>
bool set(int fd, int option, const T& value) {
  return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
}

Status failed(std::string_view what) {
  if (errno == EPERM || errno == EACCES)
    return not_permitted("packet socket: {}: this needs the capability CAP_NET_RAW; run as root", what);
  return unavailable("packet socket: {}: {}", what, std::strerror(errno));
}

Status configure(int fd, int interface_index, bool promiscuous, bool qdisc_bypass) {
  const int version = TPACKET_V2, on = 1;
  if (!set(fd, PACKET_VERSION, version)) return failed("ring version 2");
  if (!set(fd, PACKET_VNET_HDR, on)) return failed("virtio-net headers");
  // A frame that is longer than a slot of the ring comes whole through the socket as well.
  if (!set(fd, PACKET_COPY_THRESH, on)) return failed("copies of long frames");
  if (!set(fd, kIgnoreOutgoing, on) && errno != ENOPROTOOPT) return failed("ignoring own packets");
  if (qdisc_bypass && !set(fd, PACKET_QDISC_BYPASS, on)) return failed("bypassing the queueing discipline");
  // Without the privilege to force it the kernel's own limit holds, which is no error.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
  }
  const tpacket_req ring{.tp_block_size = 1u << 16,
                         .tp_block_nr = Socket::kRingSize >> 16,
                         .tp_frame_size = Socket::kFrameSize,
                         .tp_frame_nr = Socket::kFrames};
  if (!set(fd, PACKET_RX_RING, ring)) return failed("receive ring of 4 MiB");
  const packet_mreq membership{
      .mr_ifindex = interface_index,
      .mr_type = static_cast<unsigned short>(promiscuous ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI)};
  if (!set(fd, PACKET_ADD_MEMBERSHIP, membership)) return failed("promiscuous reception");
  return {};
}

}  // namespace

StatusOr<std::shared_ptr<Socket>> Socket::open(int interface_index, bool promiscuous, bool qdisc_bypass) {
  // Without a protocol nothing arrives before bind().
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failed("opening it");
  Status status = configure(fd, interface_index, promiscuous, qdisc_bypass);
  void* ring = MAP_FAILED;
  if (status.ok()) {
    ring = mmap(nullptr, kRingSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (ring == MAP_FAILED) status = failed("mapping its ring");
  }
  if (status.ok()) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = interface_index;
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) status = failed("binding it");
  }
  if (status.ok()) return std::shared_ptr<Socket>(new Socket(fd, static_cast<std::byte*>(ring)));
  if (ring != MAP_FAILED) munmap(ring, kRingSize);
  close(fd);
  return status;
}

Socket::~Socket() {
  munmap(ring_, kRingSize);
  close(fd_);
}

Status Socket::join(std::uint16_t group) const {
  const unsigned by_flow = group | PACKET_FANOUT_HASH << 16;
  if (set(fd_, PACKET_FANOUT, by_flow | kFanoutIgnoreOutgoing << 16) || set(fd_, PACKET_FANOUT, by_flow)) return {};
  return failed("sharing packets among queues");
}

std::size_t PacketRxQueue::receive(Worker& worker, std::span<Packet*> packets) noexcept {
  constexpr std::size_t kMostFrames = 2 * kVectorMax;
  std::size_t n = 0;
  more = false;
  // Frames that are refused, as fast as the ring takes them, must not keep the worker here.
  for (std::size_t frames = 0; n < packets.size(); ++frames) {
    more = frames == kMostFrames;
    if (more) break;
    std::byte* frame = socket_->frame(next_);
    auto& header = *reinterpret_cast<tpacket2_hdr*>(frame);
    const std::uint32_t status = std::atomic_ref(header.tp_status).load(std::memory_order_acquire);
    if ((status & TP_STATUS_USER) == 0) break;
    const auto& link = *reinterpret_cast<const sockaddr_ll*>(frame + TPACKET_ALIGN(sizeof(tpacket2_hdr)));
    const bool whole = header.tp_snaplen == header.tp_len;
    Packet* packet = (status & TP_STATUS_COPY) ? read_long(worker) : whole ? copy(worker, frame, header) : nullptr;
    if (!packet && !whole && (status & TP_STATUS_COPY) == 0) no_buffers.add();
    if (packet && (link.sll_pkttype == PACKET_OUTGOING || !finish(*packet, frame, header, status))) {
      if (link.sll_pkttype != PACKET_OUTGOING) errors.add();
      worker.buffers().free(packet);
      packet = nullptr;
    }
    std::atomic_ref(header.tp_status).store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = (next_ + 1) % Socket::kFrames;
    if (packet) packets[n++] = packet;
  }
  return n;
}

Packet* PacketRxQueue::copy(Worker& worker, const std::byte* frame, const tpacket2_hdr& header) noexcept {
  Packet* packet = worker.buffers().alloc();
  if (!packet) {
    no_buffers.add();
    return nullptr;
  }
  std::memcpy(packet->data, frame + header.tp_mac, header.tp_snaplen);
  packet->length = static_cast<std::uint16_t>(header.tp_snaplen);
  packet->chain_length = header.tp_snaplen;
  return packet;
}

// What did not fit a slot waits in the socket, in the ring's order, with a virtio-net header of its own.
Packet* PacketRxQueue::read_long(Worker& worker) noexcept {
  VnetHeader header;
  ReadChain chain(worker.buffers(), &header, sizeof header);
  const auto vectors = chain.vectors();
  ssize_t got = -1;
  // An error that waited in the socket (the interface was down for a while) is not this frame's.
  for (int tries = 0; got < 0 && tries < 3; ++tries) {
    got = worker.system_call([&] { return readv(socket_->fd(), vectors.data(), static_cast<int>(vectors.size())); });
  }
  if (got <= static_cast<ssize_t>(sizeof header)) {
    (vectors.size() == 1 ? no_buffers : errors).add();
    return nullptr;
  }
  const std::size_t size = static_cast<std::size_t>(got) - sizeof header;
  if (size < chain.capacity()) return chain.take(size);
  (chain.short_of_buffers() ? no_buffers : errors).add();
  return nullptr;
}

bool PacketRxQueue::finish(Packet& packet, const std::byte* frame, const tpacket2_hdr& header,
                           std::uint32_t status) noexcept {
  VnetHeader vnet;
  std::memcpy(&vnet, frame + header.tp_mac - sizeof vnet, sizeof vnet);
  if (!apply_vnet_header(vnet, packet)) return false;
  if ((status & TP_STATUS_VLAN_VALID) == 0 || packet.length < kMacs) return true;
  // The kernel has taken the outer tag out; back with it, so that VLAN code, filters and traces see what was sent.
  const std::uint16_t type = htons((status & TP_STATUS_VLAN_TPID_VALID) ? header.tp_vlan_tpid : ETH_P_8021Q);
  const std::uint16_t tci = htons(header.tp_vlan_tci);
  packet.push(kTagLength);
  std::memmove(packet.data, packet.data + kTagLength, kMacs);
  std::memcpy(packet.data + kMacs, &type, sizeof type);
  std::memcpy(packet.data + kMacs + sizeof type, &tci, sizeof tci);
  return true;
}

// Prepares messages for as many packets as there is room for; returns how many.
std::size_t PacketTxQueue::fill(std::span<Packet* const> packets) noexcept {
  std::size_t used = 0, count = 0;
  for (; count < std::min(packets.size(), kRun); ++count) {
    const Packet& packet = *packets[count];
    std::size_t segments = 1;
    for (const Packet* s = &packet; s; s = s->next_segment) ++segments;
    if (used + segments > kVectors) break;
    headers_[count] = make_vnet_header(packet);
    msghdr& message = messages_[count].msg_hdr;
    message = {};
    message.msg_iov = &vectors_[used];
    message.msg_iovlen = segments;
    vectors_[used++] = {&headers_[count], sizeof(VnetHeader)};
    for (const Packet* s = &packet; s; s = s->next_segment) vectors_[used++] = {s->data, s->length};
  }
  return count;
}

// False: the socket's buffer is full; what was not sent may be tried again later.
bool PacketTxQueue::send(std::size_t count, std::size_t& sent) noexcept {
  sent = 0;
  while (sent < count) {
    const int n = sendmmsg(socket_->fd(), &messages_[sent], static_cast<unsigned>(count - sent), 0);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      errors.add();
      ++sent;
    }
  }
  return true;
}

std::size_t PacketTxQueue::transmit(Worker& worker, std::span<Packet* const> packets) noexcept {
  std::size_t done = 0;
  while (done < packets.size()) {
    const std::size_t count = fill(packets.subspan(done));
    if (count == 0) {
      // One packet of more segments than a message can have.
      errors.add();
      ++done;
      continue;
    }
    std::size_t sent = 0;
    const bool room = worker.system_call([&] { return send(count, sent); });
    done += sent;
    if (!room) break;
  }
  worker.buffers().free(packets.subspan(0, done));
  return done;
}

}  // namespace sluice::af_packet
