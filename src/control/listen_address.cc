// SPDX-License-Identifier: Apache-2.0
#include "control/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace sluice::control {
namespace {

constexpr int kBacklog = 16;

Status no_address(std::string_view text) {
  return refused(
      "'{}' is no address to listen on: give ADDRESS:PORT (127.0.0.1:9464, [::1]:9464) or the path of a unix socket, "
      "which begins with / and has at most 107 characters",
      text);
}

StatusOr<int> open_socket(const sockaddr* address, socklen_t size) {
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (fd >= 0 && address->sa_family != AF_UNIX) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->sa_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (fd >= 0 && bind(fd, address, size) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  if (fd >= 0) close(fd);
  return unavailable("{}", std::strerror(error));
}

StatusOr<int> open_unix(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto mask = umask(0117);  // the socket is born with its mode
  auto fd = open_socket(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  umask(mask);
  return fd;
}

StatusOr<int> open_tcp(const ListenAddress& where) {
  if (where.address.is_ip4()) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(where.port), .sin_addr = {}, .sin_zero = {}};
    const auto bytes = where.address.ip4();
    std::memcpy(&address.sin_addr, &bytes, sizeof address.sin_addr);
    return open_socket(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(where.port);
  const auto bytes = where.address.ip6();
  std::memcpy(&address.sin6_addr, &bytes, sizeof address.sin6_addr);
  return open_socket(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

StatusOr<ListenAddress> ListenAddress::parse(std::string_view text) {
  ListenAddress made;
  if (text.starts_with('/')) {
    if (text.size() >= sizeof(sockaddr_un::sun_path)) return no_address(text);
    made.path = text;
    return made;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return no_address(text);
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), made.port);
  if (!address.ok() || error != std::errc() || end != port.data() + port.size()) return no_address(text);
  if (bracketed == address->is_ip4()) return no_address(text);
  made.address = *address;
  return made;
}

StatusOr<int> listen_on(const ListenAddress& where) {
  auto fd = where.path.empty() ? open_tcp(where) : open_unix(where.path);
  if (fd.ok()) return fd;
  const auto name = where.path.empty() ? fmt::format("{}:{}", where.address.to_string(), where.port) : where.path;
  return unavailable("cannot listen on {}: {}; choose another address", name, text(fd.status()));
}

}  // namespace sluice::control
