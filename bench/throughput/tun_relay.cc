// SPDX-License-Identifier: Apache-2.0
// The bare relay that tools/bench pods measures beside sluiced: two TUN interfaces, one thread, read, write, nothing
// else. What it reaches is the limit of whoever forwards between pods by read(2) and write(2).
//
// usage: tun_relay NETNS INTERFACE NETNS INTERFACE; says "ready" when both interfaces are there, ends by a signal.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// Newer than Debian 12's headers.
constexpr unsigned kUso = 0x20 | 0x40;
constexpr unsigned kOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
constexpr int kVnetHeader = 10;
constexpr std::size_t kBuffer = 1 << 17;
constexpr int kMostReads = 64;  // of one side in a turn

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "tun_relay: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

int open_tun(const char* network_namespace, const char* name) {
  const int inside = open(network_namespace, O_RDONLY | O_CLOEXEC);
  if (inside < 0 || setns(inside, CLONE_NEWNET) != 0) fail(network_namespace);
  close(inside);
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail("/dev/net/tun");
  ifreq request{};
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);
  std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  if (ioctl(fd, TUNSETIFF, &request) != 0) fail(name);
  if (ioctl(fd, TUNSETVNETHDRSZ, &kVnetHeader) != 0) fail("the virtio-net header");
  if (ioctl(fd, TUNSETOFFLOAD, kOffloads | kUso) != 0 && ioctl(fd, TUNSETOFFLOAD, kOffloads) != 0) fail("offloads");
  return fd;
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) {
    std::fprintf(stderr, "usage: tun_relay NETNS INTERFACE NETNS INTERFACE\n");
    return 2;
  }
  std::array<pollfd, 2> ends{};
  for (std::size_t i = 0; i < 2; ++i) ends[i] = {open_tun(words[1 + 2 * i], words[2 + 2 * i]), POLLIN, 0};
  std::puts("ready");
  std::fflush(stdout);
  static std::array<char, kBuffer> buffer;
  while (poll(ends.data(), ends.size(), -1) > 0 || errno == EINTR) {
    for (std::size_t i = 0; i < 2; ++i) {
      for (int reads = 0; reads < kMostReads; ++reads) {
        const ssize_t got = read(ends[i].fd, buffer.data(), buffer.size());
        if (got <= 0) break;
        // What the far side refuses is lost, as on a wire.
        (void)!write(ends[1 - i].fd, buffer.data(), static_cast<std::size_t>(got));
      }
    }
  }
  fail("waiting for packets");
}
