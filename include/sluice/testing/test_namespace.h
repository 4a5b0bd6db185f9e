// SPDX-License-Identifier: Apache-2.0
// A network namespace of a test's own, /run/netns/st-PID-N, gone with the object.
#pragma once
#include <fcntl.h>
#include <sched.h>
#include <sluice/host.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace sluice::testing {

/// Whether this process may make namespaces and interfaces; tests that need it skip themselves without.
inline bool can_make_namespaces() { return geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0; }

class TestNamespace {
 public:
  TestNamespace() {
    static int next = 0;
    mkdir("/run/netns", 0755);
    path_ = "/run/netns/st-" + std::to_string(getpid()) + "-" + std::to_string(next++);
    close(open(path_.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    make();
  }
  ~TestNamespace() { remove(); }
  TestNamespace(const TestNamespace&) = delete;
  TestNamespace& operator=(const TestNamespace&) = delete;

  const std::string& path() const { return path_; }
  /// The path goes; the namespace too, once nothing holds it any more.
  void remove() {
    if (path_.empty()) return;
    umount2(path_.c_str(), MNT_DETACH);
    unlink(path_.c_str());
    path_.clear();
  }
  /// Another namespace has the path from now on.
  void replace() {
    umount2(path_.c_str(), MNT_DETACH);
    make();
  }
  /// Runs function on a thread inside the namespace.
  template <class F>
  void inside(F&& function) const {
    (void)host::run_in_namespace(path_, [&]() -> Status {
      function();
      return {};
    });
  }

 private:
  void make() {
    std::thread([this] {
      if (unshare(CLONE_NEWNET) == 0) mount("/proc/thread-self/ns/net", path_.c_str(), "none", MS_BIND, nullptr);
    }).join();
  }
  std::string path_;
};

}  // namespace sluice::testing
