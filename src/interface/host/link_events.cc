// SPDX-License-Identifier: Apache-2.0
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sluice/host.h"

namespace sluice::host {
namespace {

bool tells_of(const std::byte* data, std::size_t size, int index) {
  auto left = static_cast<unsigned>(size);
  for (auto* header = reinterpret_cast<const nlmsghdr*>(data); NLMSG_OK(header, left);
       header = NLMSG_NEXT(header, left)) {
    const void* body = NLMSG_DATA(header);
    if (header->nlmsg_type == RTM_NEWLINK && header->nlmsg_len >= NLMSG_LENGTH(sizeof(ifinfomsg)) &&
        static_cast<const ifinfomsg*>(body)->ifi_index == index)
      return true;
    if (header->nlmsg_type == RTM_DELADDR && header->nlmsg_len >= NLMSG_LENGTH(sizeof(ifaddrmsg)) &&
        static_cast<const ifaddrmsg*>(body)->ifa_index == static_cast<unsigned>(index))
      return true;
  }
  return false;
}

}  // namespace

StatusOr<LinkEvents> LinkEvents::open(const std::string& namespace_path) {
  LinkEvents events(-1);
  const Status status = run_in_namespace(namespace_path, [&]() -> Status {
    events.fd_ = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (events.fd_ >= 0 && bind(events.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      return {};
    return unavailable("{}: cannot hear of changes to interfaces: {}", describe_namespace(namespace_path),
                       std::strerror(errno));
  });
  if (!status.ok()) return status;
  return events;
}

LinkEvents::LinkEvents(LinkEvents&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

LinkEvents::~LinkEvents() {
  if (fd_ >= 0) close(fd_);
}

bool LinkEvents::changed(int index) {
  bool found = false;
  alignas(nlmsghdr) std::array<std::byte, 16384> buffer;
  while (true) {
    sockaddr_nl from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(fd_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got >= 0) {
      // Other processes may write to the socket too.
      found |= from.nl_pid == 0 && tells_of(buffer.data(), static_cast<std::size_t>(got), index);
    } else if (errno == ENOBUFS) {
      found = true;  // more came than the socket holds
    } else if (errno != EINTR) {
      return found;
    }
  }
}

}  // namespace sluice::host
