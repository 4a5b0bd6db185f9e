// SPDX-License-Identifier: Apache-2.0
#include "control/socket_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::control {
namespace {

Status in_use(const std::string& path, std::string_view pid) {
  return failed_precondition(
      "socket {}: another daemon{}{}{} serves it; stop that one (systemctl stop sluice) or choose another socket", path,
      pid.empty() ? "" : " (pid ", pid, pid.empty() ? "" : ")");
}

std::string read_pid(int fd) {
  char buffer[32];
  const auto size = pread(fd, buffer, sizeof buffer, 0);
  std::string pid(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
  pid.erase(pid.find_last_not_of("\n") + 1);
  return pid;
}

/// True when something accepts connections there.
bool answers(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

Status make_folder(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return {};
  const auto folder = path.substr(0, slash);
  if (mkdir(folder.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return unavailable("socket {}: cannot make the folder {}: {}; choose another socket", path, folder,
                     std::strerror(errno));
}

}  // namespace

StatusOr<SocketLock> SocketLock::take(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return refused("socket {}: the path has {} characters, at most {} are allowed", path, path.size(),
                   sizeof(sockaddr_un::sun_path) - 1);
  }
  if (auto status = make_folder(path); !status.ok()) return status;
  const auto lock_path = path + ".lock";
  const int fd = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return unavailable("socket {}: cannot open {}: {}; let sluiced write to its folder, or choose another socket", path,
                       lock_path, std::strerror(errno));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const auto pid = read_pid(fd);
    close(fd);
    return in_use(path, pid);
  }
  struct stat found{};
  if (lstat(path.c_str(), &found) == 0) {
    const bool foreign = !S_ISSOCK(found.st_mode);
    if (foreign || answers(path)) {
      close(fd);
      return foreign
                 ? refused("socket {}: the path holds something that is no socket; remove it or choose another socket",
                           path)
                 : in_use(path, "");
    }
    unlink(path.c_str());
  }
  const auto pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    close(fd);
    return unavailable("socket {}: cannot write {}: {}", path, lock_path, std::strerror(errno));
  }
  return SocketLock(path, fd);
}

SocketLock::SocketLock(SocketLock&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

SocketLock::~SocketLock() {
  if (fd_ < 0) return;
  unlink(path_.c_str());
  unlink((path_ + ".lock").c_str());
  close(fd_);
}

}  // namespace sluice::control
