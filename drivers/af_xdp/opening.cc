// SPDX-License-Identifier: Apache-2.0
#include "opening.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "host_device.h"
#include "queue.h"

namespace sluice::af_xdp {
namespace {

// The kernel frees the queue of a socket that was closed some 10 ms later.
constexpr auto kStep = std::chrono::milliseconds(2);
constexpr unsigned kSteps = 250;

std::string why_not_native(const Wanted& wanted, int error) {
  const std::string driver = wanted.driver.empty() ? "the driver" : "driver " + wanted.driver;
  if (error == ENOSPC && wanted.driver == "veth") {
    return fmt::format("no native XDP: the veth's peer sends by more queues than this end receives by; run: {}",
                       in_namespace(wanted.namespace_path, fmt::format("ethtool -L {} rx N", wanted.interface)));
  }
  if (error == EOPNOTSUPP) return fmt::format("no native XDP: {} has none", driver);
  return fmt::format("no native XDP: {} refuses it with MTU {}: {}", driver, wanted.mtu, std::strerror(error));
}

std::string why_not_zero_copy(const Wanted& wanted, int error) {
  const std::string driver = wanted.driver.empty() ? "the driver" : "driver " + wanted.driver;
  if (error == EOPNOTSUPP) return fmt::format("no zero copy: {} has none", driver);
  return fmt::format("no zero copy: {} refuses it: {}", driver, std::strerror(error));
}

Status occupied(const Wanted& wanted, std::uint32_t queue) {
  return failed_precondition("{}: queue {} has an AF_XDP socket of another program; end that one first", wanted.where,
                             queue);
}

Status program_there(const Wanted& wanted) {
  const std::string program = program_on(wanted.index);
  return failed_precondition(
      "{}: another XDP program is there ({}); end who uses it, or run: {}", wanted.where,
      program.empty() ? "not known which" : program,
      in_namespace(wanted.namespace_path, fmt::format("ip link set dev {} xdp off", wanted.interface)));
}

Status mtu_too_large(const Wanted& wanted) {
  return failed_precondition(
      "{}: its MTU is {}; this kernel's AF_XDP has no frames of several buffers (Linux 6.6), so it takes up to {}; "
      "run: {}",
      wanted.where, wanted.mtu, kOneBufferMtu,
      in_namespace(wanted.namespace_path, fmt::format("ip link set dev {} mtu {}", wanted.interface, kOneBufferMtu)));
}

/// Buffers of a frame that a queue may take.
std::uint32_t segments_with(const Wanted& wanted, const Opened& opened, bool zero_copy) {
  if (!opened.multi_buffer) return 1;
  return zero_copy ? std::clamp<std::uint32_t>(wanted.zero_copy_segments, 1, kMostSegments) : kMostSegments;
}

/// Bytes of layer 3 behind an Ethernet header with two tags.
std::uint32_t mtu_of(std::uint32_t segments) { return segments * kSegmentSize - 22; }

std::string too_long_for_zero_copy(const Wanted& wanted, std::uint32_t segments) {
  return fmt::format("no zero copy: a frame of MTU {} is longer than the {} buffer{} that the device takes; run: {}",
                     wanted.mtu, segments, segments == 1 ? "" : "s",
                     in_namespace(wanted.namespace_path,
                                  fmt::format("ip link set dev {} mtu {}", wanted.interface, mtu_of(segments))));
}

/// One way of opening all queues.
class Attempt {
 public:
  Attempt(BufferPool& pool, const Wanted& wanted, Opened& opened) : pool_(pool), wanted_(wanted), opened_(opened) {}

  /// 0, or an errno of a way that does not work; EBUSY sets queue(), whose socket another one has.
  int open(bool zero_copy) {
    opened_.queues.clear();
    for (queue_ = 0; queue_ < wanted_.queues; ++queue_) {
      OpenQueue made;
      std::string reason;
      if (zero_copy) {
        const int error = open_one(made, true);
        if (error == EBUSY) return error;
        if (error != 0) made.reason = why_not_zero_copy(wanted_, error);
      }
      if (!made.socket) {
        if (zero_copy && wanted_.slowest == Mode::ZeroCopy) return EOPNOTSUPP;
        if (const int error = open_one(made, false); error != 0) return error;
      }
      opened_.queues.push_back(std::move(made));
    }
    return 0;
  }
  std::uint32_t queue() const { return queue_; }

 private:
  int open_one(OpenQueue& made, bool zero_copy) {
    made.segments = segments_with(wanted_, opened_, zero_copy);
    int error = open_socket(made, zero_copy);
    // A kernel that does not know the flag, or a device that has zero copy of single buffers only.
    const bool refused = error == EINVAL || (zero_copy && error == EOPNOTSUPP);
    if (refused && made.segments > 1 && (!zero_copy || wanted_.mtu <= mtu_of(1))) {
      made.segments = 1;
      error = open_socket(made, zero_copy);
    }
    if (error == 0) made.mode = zero_copy ? Mode::ZeroCopy : Mode::Copy;
    return error;
  }
  int open_socket(OpenQueue& made, bool zero_copy) {
    const SocketOptions options{.interface = wanted_.interface,
                                .queue = queue_,
                                .ring = wanted_.ring,
                                .zero_copy = zero_copy,
                                .multi_buffer = made.segments > 1,
                                .busy_poll = wanted_.busy_poll};
    int error = 0;
    for (unsigned step = 0; step < kSteps; ++step) {
      made.socket = Socket::open(pool_, options, error);
      if (error != EBUSY) break;
      std::this_thread::sleep_for(kStep);
    }
    return error;
  }

  BufferPool& pool_;
  const Wanted& wanted_;
  Opened& opened_;
  std::uint32_t queue_ = 0;
};

/// Goes down the ladder: native with zero copy, native by copying, generic.
class Ladder {
 public:
  Ladder(BufferPool& pool, const Wanted& wanted, Opened& opened) : pool_(pool), wanted_(wanted), opened_(opened) {}

  Status climb_down() {
    if (wanted_.fastest >= Mode::Copy) {
      if (Status status = try_native(); !status.ok() || !opened_.queues.empty()) return status;
    }
    if (wanted_.slowest == Mode::Generic) {
      if (Status status = try_generic(); !status.ok() || !opened_.queues.empty()) return status;
    }
    return failed_precondition("{}: {}", wanted_.where, reason_);
  }

 private:
  Status try_native() {
    if (const int error = opened_.filter->attach(wanted_.index, Filter::Hook::Native); error != 0) {
      if (error == EBUSY || error == EEXIST) return program_there(wanted_);
      reason_ = why_not_native(wanted_, error);
      return {};
    }
    bool zero_copy = wanted_.fastest == Mode::ZeroCopy;
    if (!zero_copy) reason_ = "no zero copy: copy was asked for";
    if (zero_copy && !pool_.on_hugepages()) {
      zero_copy = false;
      reason_ = fmt::format("no zero copy: it needs the packet pool in hugepages, which lies in {}", pool_.page_kind());
    }
    if (const auto segments = segments_with(wanted_, opened_, true); zero_copy && wanted_.mtu > mtu_of(segments)) {
      zero_copy = false;
      reason_ = too_long_for_zero_copy(wanted_, segments);
    }
    if (!zero_copy && wanted_.slowest == Mode::ZeroCopy) return {};
    Attempt attempt(pool_, wanted_, opened_);
    const int error = attempt.open(zero_copy);
    if (error == EBUSY) return occupied(wanted_, attempt.queue());
    if (error != 0) {
      opened_.queues.clear();
      opened_.filter->detach();
      reason_ = fmt::format("no AF_XDP in the driver: {}", std::strerror(error));
      return {};
    }
    for (OpenQueue& queue : opened_.queues) {
      if (queue.mode != Mode::ZeroCopy && queue.reason.empty()) queue.reason = reason_;
    }
    return {};
  }

  Status try_generic() {
    if (const int error = opened_.filter->attach(wanted_.index, Filter::Hook::Generic); error != 0) {
      if (error == EBUSY || error == EEXIST) return program_there(wanted_);
      return unavailable("{}: the kernel takes no XDP program: {}{}{}", wanted_.where, std::strerror(error),
                         reason_.empty() ? "" : "; ", reason_);
    }
    Attempt attempt(pool_, wanted_, opened_);
    const int error = attempt.open(false);
    if (error == EBUSY) return occupied(wanted_, attempt.queue());
    if (error == EPERM || error == EACCES)
      return not_permitted("{}: AF_XDP needs the capability CAP_NET_RAW; run as root", wanted_.where);
    if (error != 0)
      return unavailable("{}: AF_XDP socket of queue {}: {}", wanted_.where, attempt.queue(), std::strerror(error));
    for (OpenQueue& queue : opened_.queues) {
      queue.mode = Mode::Generic;
      queue.reason = reason_.empty() ? "no native XDP: generic was asked for" : reason_;
    }
    return {};
  }

  BufferPool& pool_;
  const Wanted& wanted_;
  Opened& opened_;
  std::string reason_;
};

/// Gives all sockets buffers, and then their queues' frames.
Status supply(BufferPool& pool, const Wanted& wanted, Opened& opened) {
  BufferCache buffers(pool);
  for (std::uint32_t queue = 0; queue < wanted.queues; ++queue) {
    Socket& socket = *opened.queues[queue].socket;
    if (!socket.refill(buffers))
      return exhausted("{}: {} buffers for each of {} queues are not free in the pool; raise buffers.count",
                       wanted.where, wanted.ring, wanted.queues);
    socket.wake_receiver();
    if (const int error = opened.filter->serve(queue, socket.fd()); error != 0)
      return unavailable("{}: giving queue {} its socket: {}", wanted.where, queue, std::strerror(error));
  }
  return {};
}

}  // namespace

std::string_view name_of(Mode mode) {
  switch (mode) {
    case Mode::Generic: return "generic";
    case Mode::Copy: return "copy";
    case Mode::ZeroCopy: return "zero-copy";
  }
  return "";
}

StatusOr<Opened> open_queues(BufferPool& pool, const Wanted& wanted, const DenyMaps& shared) {
  Opened opened;
  auto filter = Filter::load(wanted.queues, shared);
  if (!filter.ok()) return filter.status();
  opened.filter = std::move(*filter);
  opened.multi_buffer = wanted.multi_buffer && opened.filter->frags();
  if (Status status = Ladder(pool, wanted, opened).climb_down(); !status.ok()) return status;
  opened.mtu_max = mtu_of(kMostSegments);
  for (const OpenQueue& queue : opened.queues) opened.mtu_max = std::min(opened.mtu_max, mtu_of(queue.segments));
  if (wanted.mtu > opened.mtu_max) return mtu_too_large(wanted);
  if (Status status = supply(pool, wanted, opened); !status.ok()) {
    if (let_go(opened)) wait_until_free(wanted.interface, wanted.queues);
    return status;
  }
  return opened;
}

bool let_go(Opened& opened) {
  opened.filter.reset();
  for (const OpenQueue& queue : opened.queues) queue.socket->close();
  return std::any_of(opened.queues.begin(), opened.queues.end(),
                     [](const OpenQueue& queue) { return queue.mode == Mode::ZeroCopy; });
}

void wait_until_free(const std::string& interface, std::uint32_t queues) {
  const PoolOptions small{.buffers = 32, .hugepages = false};
  const auto pool = BufferPool::create(small);
  unsigned steps = 0;
  for (std::uint32_t queue = 0; pool.ok() && queue < queues; ++queue) {
    for (int error = EBUSY; error == EBUSY && steps < kSteps; ++steps) {
      if (Socket::open(**pool, {.interface = interface, .queue = queue, .ring = 64}, error)) break;
      if (error == EBUSY) std::this_thread::sleep_for(kStep);
    }
  }
}

}  // namespace sluice::af_xdp
