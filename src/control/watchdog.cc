// SPDX-License-Identifier: Apache-2.0
#include "control/watchdog.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "sluice/log.h"

namespace sluice::watchdog {
namespace {

constexpr std::chrono::seconds kSayStarved{10};

nanoseconds clock_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

/// Returns when every CPU that runs a thread of this process has executed something. A virtual CPU that the host has
/// stopped looks to the kernel as if it ran on; this waits for it, and so makes the look a late one.
void wait_for_cpus() { (void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0); }

}  // namespace

/// What the kernel knows of a thread: /proc/self/task/TID/{schedstat,stat}.
class Watchdog::Kernel {
 public:
  explicit Kernel(int tid) : schedstat_(open_file(tid, "schedstat")), stat_(open_file(tid, "stat")) {}
  ~Kernel() {
    close(schedstat_);
    close(stat_);
  }
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  /// How long it was ready and did not run; nothing where the kernel does not count it.
  nanoseconds waited() const {
    std::array<char, 128> text;
    const std::string_view line = read_line(schedstat_, text);
    const std::size_t second = line.find(' ');
    return nanoseconds(second == line.npos ? 0 : std::strtoll(line.data() + second, nullptr, 10));
  }
  bool blocked() const {
    std::array<char, 512> text;
    const std::string_view line = read_line(stat_, text);
    const std::size_t name = line.rfind(')');  // PID (NAME) STATE
    return name + 2 < line.size() && (line[name + 2] == 'S' || line[name + 2] == 'D');
  }

 private:
  static int open_file(int tid, const char* name) {
    return open(fmt::format("/proc/self/task/{}/{}", tid, name).c_str(), O_RDONLY | O_CLOEXEC);
  }
  template <std::size_t kSize>
  static std::string_view read_line(int fd, std::array<char, kSize>& text) {
    const ssize_t n = pread(fd, text.data(), kSize - 1, 0);
    text[n > 0 ? static_cast<std::size_t>(n) : 0] = 0;
    return {text.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
  }
  const int schedstat_, stat_;
};

Watchdog::Watchdog(Dataplane& dataplane, std::function<void(const StuckWorker&)> on_stuck)
    : dataplane_(dataplane), on_stuck_(std::move(on_stuck)) {
  for (const auto& thread : dataplane.workers()) watched_.push_back({thread.get(), nullptr, {}});
  (void)syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
  thread_ = std::thread([this] { run(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Watchdog::run() {
  pthread_setname_np(pthread_self(), "sluice-watchdog");
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kPeriod, [&] { return stop_; })) {
    for (Watched& watched : watched_) look(watched);
  }
}

void Watchdog::look(Watched& watched) {
  WorkerThread& thread = *watched.thread;
  if (!watched.kernel) {
    if (thread.tid() == 0) return;  // about to start
    watched.kernel = std::make_unique<Kernel>(thread.tid());
  }
  Sighting seen;
  seen.asleep = thread.worker().sleeping.load(std::memory_order_relaxed);
  seen.heartbeat = thread.heartbeat();
  const bool silent = watched.progress.silent_at(seen.heartbeat, seen.asleep);
  if (silent) wait_for_cpus();
  if (!seen.asleep) {
    seen.ran = thread.cpu_time();
    seen.waited = watched.kernel->waited();
    seen.blocked = silent && watched.kernel->blocked();
  }
  seen.now = clock_now();
  switch (const Finding found = watched.progress.look(seen)) {
    case Finding::Well: break;
    case Finding::Starved: say_starved(watched); break;
    case Finding::Spins:
    case Finding::Blocks: {
      const NodeRuntime* node = thread.worker().current();
      on_stuck_({thread.worker().index(), node ? dataplane_.graph().node(node->index).description.name : "none", found,
                 std::chrono::duration_cast<std::chrono::milliseconds>(watched.progress.silent())});
    }
  }
}

void Watchdog::say_starved(const Watched& watched) {
  watched.thread->starved.add();
  ++starved_;
  const nanoseconds now = clock_now();
  if (said_starved_ != nanoseconds::zero() && now - said_starved_ < kSayStarved) return;
  const auto ms = [](nanoseconds time) { return std::chrono::duration_cast<std::chrono::milliseconds>(time).count(); };
  log(LogLevel::Warning, "a worker gets no CPU", field("worker", watched.thread->worker().index()),
      field("silent-ms", ms(watched.progress.silent())), field("ran-ms", ms(watched.progress.ran())),
      field("times", starved_));
  said_starved_ = now;
  starved_ = 0;
}

}  // namespace sluice::watchdog
