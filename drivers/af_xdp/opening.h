// SPDX-License-Identifier: Apache-2.0
// How an interface's queues come to their sockets: the fastest way that works, and why it is not a faster one.
#pragma once
#include <sluice/pool.h>
#include <sluice/status.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "filter.h"
#include "socket.h"

namespace sluice::af_xdp {

/// From slow to fast. Generic: the program runs in the kernel's stack. Copy: in the driver; frames are copied into our
/// buffers. ZeroCopy: the device itself writes into them.
enum class Mode : std::uint8_t { Generic, Copy, ZeroCopy };
std::string_view name_of(Mode mode);

/// What is asked for, of an interface in the namespace of the calling thread.
struct Wanted {
  std::string where;  ///< "interface eth0 in …", for messages
  std::string interface;
  int index = 0;
  std::string driver;  ///< the kernel's for it; may be empty
  std::string namespace_path;
  std::uint32_t mtu = 1500;
  std::uint32_t queues = 1, ring = 2048, busy_poll = 0;
  std::uint32_t zero_copy_segments = 1;                    ///< buffers of a frame that the device takes with zero copy
  bool multi_buffer = true;                                ///< false: as if the kernel had no frames of several buffers
  Mode slowest = Mode::Generic, fastest = Mode::ZeroCopy;  ///< equal: this one or none
};

struct OpenQueue {
  std::shared_ptr<Socket> socket;
  Mode mode = Mode::Generic;
  std::uint32_t segments = 1;  ///< buffers of a frame, at most
  std::string reason;          ///< why it is not a faster one; empty: there is none
};

struct Opened {
  std::unique_ptr<Filter> filter;
  std::vector<OpenQueue> queues;
  bool multi_buffer = false;  ///< the program takes frames of several buffers
  std::uint32_t mtu_max = 0;  ///< what all queues have room for
};

/// Bytes of layer 3 that a frame in one buffer has room for behind an Ethernet header with two tags.
inline constexpr std::uint32_t kOneBufferMtu = kSegmentSize - 22;

/// The sockets have buffers and get their queues' frames when this returns. Errors: another XDP program or socket is
/// there; the MTU needs what the kernel lacks; no way that is wanted works (with what each said); the pool is too
/// small.
StatusOr<Opened> open_queues(BufferPool& pool, const Wanted& wanted, const DenyMaps& shared);

/// Takes the program off and closes all sockets, which keep their buffers until they go. True: a device may write into
/// those for as long as its queues are not free yet (wait_until_free).
bool let_go(Opened& opened);

/// Waits until sockets that were closed have let go of these queues: at most half a second.
void wait_until_free(const std::string& interface, std::uint32_t queues);

}  // namespace sluice::af_xdp
