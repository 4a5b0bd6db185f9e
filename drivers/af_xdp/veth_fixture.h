// SPDX-License-Identifier: Apache-2.0
// A veth pair in a namespace of a test's own: "near" for the device, "far" with a packet socket.
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <sluice/testing/test_namespace.h>
#include <sluice/testing/test_world.h>
#include <sluice/testing/wait_for.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

#include "device.h"

namespace sluice::af_xdp {

using testing::Bytes;
using testing::TestWorld;
using testing::wait_for;

inline Bytes frame(std::size_t size, std::uint16_t type = 0x88b5) {
  Bytes bytes(size, 0x5a);
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = 0xff;
  for (std::size_t i = 6; i < 12; ++i) bytes[i] = static_cast<std::uint8_t>(i == 6 ? 2 : i);
  bytes[12] = static_cast<std::uint8_t>(type >> 8);
  bytes[13] = static_cast<std::uint8_t>(type);
  for (std::size_t i = 14; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return bytes;
}

class VethTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::can_make_namespaces()) GTEST_SKIP() << "needs root";
    ns.emplace();
    ns->inside([] { make_pair(); });
    auto netlink = host::Netlink::open(ns->path());
    for (const char* name : {"near", "far"}) {
      ASSERT_TRUE(host::write_sysctl(ns->path(), fmt::format("ipv6/conf/{}/disable_ipv6", name), "1").ok());
      ASSERT_TRUE(netlink->set_mtu(name, 9000).ok());
      ASSERT_TRUE(netlink->set_up(name, true).ok());
    }
    ns->inside([this] { open_far(); });
  }
  void TearDown() override {
    if (far >= 0) close(far);
  }

  static void make_pair() {
    nl_sock* socket = nl_socket_alloc();
    ASSERT_EQ(nl_connect(socket, NETLINK_ROUTE), 0);
    rtnl_link* near = rtnl_link_veth_alloc();
    rtnl_link_set_name(near, "near");
    rtnl_link* peer = rtnl_link_veth_get_peer(near);
    rtnl_link_set_name(peer, "far");
    rtnl_link_put(peer);
    EXPECT_EQ(rtnl_link_add(socket, near, NLM_F_CREATE | NLM_F_EXCL), 0);
    rtnl_link_put(near);
    nl_socket_free(socket);
  }
  void open_far() {
    far = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int buffer = 32 << 20;
    ASSERT_EQ(setsockopt(far, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer), 0);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex("far"));
    ASSERT_EQ(bind(far, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  void send_far(const Bytes& bytes) const {
    ASSERT_EQ(write(far, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size())) << strerror(errno);
  }
  /// What came out of near; own frames that the socket sees too are passed over.
  Bytes receive_far() const {
    Bytes bytes(80000);
    ssize_t n = -1;
    sockaddr_ll from{};
    wait_for([&] {
      do {
        socklen_t size = sizeof from;
        n = recvfrom(far, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      } while (n >= 0 && from.sll_pkttype == PACKET_OUTGOING);
      return n >= 0;
    });
    bytes.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return bytes;
  }

  std::optional<testing::TestNamespace> ns;
  int far = -1;
};

}  // namespace sluice::af_xdp
