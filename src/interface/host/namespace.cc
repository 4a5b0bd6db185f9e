// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "sluice/host.h"

namespace sluice::host {
namespace {

constexpr const char* kOwn = "/proc/thread-self/ns/net";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Status open_error(const std::string& path, int error) {
  if (error == ENOENT)
    return not_found("namespace {}: there is nothing at this path; name an existing one, such as /run/netns/NAME",
                     path);
  if ((error == EACCES || error == EPERM) && path.starts_with("/proc/"))
    return not_permitted(
        "namespace {}: not allowed to open it, which needs the capability CAP_SYS_PTRACE; give that to the daemon, or "
        "a name to the namespace (ip netns attach NAME PID)",
        path);
  if (error == EACCES || error == EPERM)
    return not_permitted("namespace {}: not allowed to open it; run as root", path);
  return unavailable("namespace {}: {}", path, std::strerror(error));
}

Status check_kind(const std::string& path, int fd) {
  if (ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET) return {};
  return refused("namespace {}: this is not a network namespace; name one such as /run/netns/NAME or /proc/PID/ns/net",
                 path);
}

}  // namespace

std::string describe_namespace(const std::string& path) {
  return path.empty() ? std::string("the host's namespace") : "namespace " + path;
}

StatusOr<NamespaceId> namespace_id(const std::string& path) {
  const std::string& file = path.empty() ? std::string(kOwn) : path;
  const Descriptor fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return open_error(file, errno);
  if (const Status status = check_kind(file, fd.get()); !status.ok()) return status;
  struct stat s{};
  if (fstat(fd.get(), &s) != 0) return unavailable("namespace {}: {}", file, std::strerror(errno));
  return NamespaceId{s.st_dev, s.st_ino};
}

Status still_there(const std::string& path, const NamespaceId& id) {
  const auto now = namespace_id(path);
  const bool gone = now.ok() ? *now != id : absl::IsNotFound(now.status()) || absl::IsInvalidArgument(now.status());
  return gone ? not_found("namespace {}: it is gone", path) : Status();
}

Status run_in_namespace(const std::string& path, const std::function<Status()>& function) {
  if (path.empty()) return function();
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return open_error(path, errno);
  if (Status status = check_kind(path, fd.get()); !status.ok()) return status;
  return run_in_namespace(fd.get(), path, function);
}

Status run_in_namespace(int descriptor, const std::string& path, const std::function<Status()>& function) {
  Status result;
  std::thread thread([&] {
    if (setns(descriptor, CLONE_NEWNET) == 0) {
      result = function();
    } else if (errno == EPERM) {
      result = not_permitted("namespace {}: entering it needs the capability CAP_SYS_ADMIN; run as root", path);
    } else {
      result = unavailable("namespace {}: cannot enter it: {}", path, std::strerror(errno));
    }
  });
  thread.join();
  return result;
}

Status write_sysctl(const std::string& namespace_path, const std::string& name, const std::string& value) {
  return run_in_namespace(namespace_path, [&]() -> Status {
    std::ofstream file("/proc/sys/net/" + name);
    file << value << std::flush;
    if (file) return {};
    return unavailable("setting net/{} in {}: cannot write {}", name, describe_namespace(namespace_path), value);
  });
}

StatusOr<std::string> read_sysctl(const std::string& namespace_path, const std::string& name) {
  std::string value;
  const Status status = run_in_namespace(namespace_path, [&]() -> Status {
    std::ifstream file("/proc/sys/net/" + name);
    file >> value;
    if (file) return {};
    return not_found("setting net/{} in {}: there is none", name, describe_namespace(namespace_path));
  });
  if (!status.ok()) return status;
  return value;
}

}  // namespace sluice::host
