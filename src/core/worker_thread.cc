// SPDX-License-Identifier: Apache-2.0
#include "core/worker_thread.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace sluice {
namespace {

constexpr std::uint64_t kWakeSlot = ~std::uint64_t{0};

}  // namespace

WorkerThread::WorkerThread(Rcu& rcu, Worker& worker, std::optional<int> cpu)
    : worker_(worker),
      cpu_(cpu),
      poll_set_(rcu),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      spin_ticks_(ns_to_tsc(kSpinNs)),
      tick_ticks_(ns_to_tsc(kTickNs)),
      look_ticks_(ns_to_tsc(kLookNs)),
      is_active_(kMaxQueues) {
  active_.reserve(kMaxQueues);
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWakeSlot}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, worker.wake_fd(), &event);
}

WorkerThread::~WorkerThread() {
  stop();
  close(epoll_);
}

void WorkerThread::start() {
  stop_ = false;
  thread_ = std::thread([this] { run(); });
}

void WorkerThread::stop() {
  if (!thread_.joinable()) return;
  stop_ = true;
  worker_.wake();
  thread_.join();
}

std::chrono::nanoseconds WorkerThread::cpu_time() const {
  clockid_t clock{};
  timespec time{};
  // native_handle() is not const, but changes nothing.
  if (pthread_getcpuclockid(const_cast<std::thread&>(thread_).native_handle(), &clock) == 0)
    clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Status WorkerThread::add(const RxBinding& binding) {
  auto next = std::make_unique<PollSet>(poll_set_.get());
  ++next->version;
  auto slot = std::find_if(next->queues.begin(), next->queues.end(), [](const RxBinding& b) { return !b.queue; });
  if (slot == next->queues.end()) {
    if (next->queues.size() == kMaxQueues)
      return exhausted("worker {} serves {} queues, the most", worker_.index(), kMaxQueues);
    slot = next->queues.emplace(slot);
  }
  *slot = binding;
  const auto index = static_cast<std::uint64_t>(slot - next->queues.begin());
  poll_set_.publish(std::move(next));
  if (const int fd = binding.queue->fd(); fd >= 0) {
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = index}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  worker_.wake();
  return {};
}

void WorkerThread::remove(const RxQueue* queue) {
  poll_set_.update([&](PollSet& set) {
    ++set.version;
    for (RxBinding& binding : set.queues) {
      if (binding.queue == queue) binding = {};
    }
  });
  if (const int fd = queue->fd(); fd >= 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  worker_.wake();
}

void WorkerThread::set_mode(const RxQueue* queue, RxMode mode) {
  poll_set_.update([&](PollSet& set) {
    ++set.version;
    for (RxBinding& binding : set.queues) {
      if (binding.queue == queue) binding.mode = mode;
    }
  });
  worker_.wake();
}

void WorkerThread::run() {
  tid_ = static_cast<int>(gettid());
  pthread_setname_np(pthread_self(), fmt::format("sluice-wk{}", worker_.index()).c_str());
  if (cpu_) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<unsigned>(*cpu_), &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
  }
  Rcu::register_reader();
  while (!stop_.load(std::memory_order_relaxed)) {
    const std::uint64_t before = tsc();
    const bool busy = pass();
    Rcu::quiescent();
    const std::uint64_t after = tsc();
    worker_.loops.add();
    heartbeat_.set(after);
    (busy ? worker_.busy_cycles : worker_.idle_cycles).add(after - before);
    const std::uint64_t in_kernel = worker_.take_system_ticks();
    if (busy) worker_.system_cycles.add(in_kernel);
    if (busy) {
      last_work_ = after;
    } else if (!polling_ && (!spin_ || after - last_work_ > spin_ticks_)) {
      sleep();
      (void)worker_.take_system_ticks();
      const std::uint64_t awake = tsc();
      heartbeat_.set(awake);
      worker_.idle_cycles.add(awake - after);
    }
  }
  worker_.begin_pass();
  worker_.graph().flush_held(worker_);
  worker_.buffers().publish_count();
  Rcu::unregister_reader();
}

bool WorkerThread::pass() {
  // Before the tables, which then know the interface of whatever a new queue brings.
  const PollSet& set = poll_set_.read(worker_);
  worker_.begin_pass();
  if (set.version != seen_) {
    // A new set: look at every queue once, so that no edge is missed.
    seen_ = set.version;
    polling_ = spin_ = false;
    for (std::uint32_t i = 0; i < set.queues.size(); ++i) {
      if (!set.queues[i].queue) continue;
      activate(i);
      polling_ |= set.queues[i].mode == RxMode::Polling || set.queues[i].queue->fd() < 0;
      spin_ |= set.queues[i].mode == RxMode::Adaptive;
    }
  }
  // A system call costs as much as some tens of packets: not in every pass while there are queues that have some.
  if (active_.empty() || worker_.now() - last_look_ > look_ticks_) {
    last_look_ = worker_.now();
    collect_events(0);
  }
  bool busy = poll_queues(set);
  busy |= worker_.take_hand_offs();
  const bool asked = worker_.release_requested.load(std::memory_order_relaxed) &&
                     worker_.release_requested.exchange(false, std::memory_order_acquire);
  if (const std::uint64_t now = worker_.now(); asked || now - last_tick_ > tick_ticks_) {
    last_tick_ = now;
    worker_.graph().release_held(worker_);
  }
  worker_.graph().run(worker_);
  worker_.wake_peers();
  worker_.buffers().publish_count();
  return busy;
}

bool WorkerThread::poll_queues(const PollSet& set) {
  bool busy = false;
  std::size_t kept = 0, waiting = 0;
  for (std::size_t i = 0; i < active_.size(); ++i) {
    const std::uint32_t slot = active_[i];
    const RxBinding binding = slot < set.queues.size() ? set.queues[slot] : RxBinding{};
    if (!binding.queue) {
      is_active_[slot] = false;
      continue;
    }
    std::array<Packet*, kVectorMax> packets;
    if (binding.input_node.valid()) worker_.set_current(&worker_.graph().node(binding.input_node));
    const std::size_t n = binding.queue->receive(worker_, packets);
    if (n == 0 && !binding.queue->more && binding.mode != RxMode::Polling && binding.queue->fd() >= 0) {
      is_active_[slot] = false;
      continue;
    }
    active_[kept++] = slot;
    if (n == 0) continue;
    busy = true;
    binding.queue->packets.add(n);
    worker_.received_vectors.add();
    worker_.received.add(n);
    std::uint64_t bytes = 0;
    for (std::size_t p = 0; p < n; ++p) {
      packets[p]->rx_interface = binding.interface;
      bytes += packets[p]->chain_length;
    }
    if (binding.interface.valid()) {
      auto& counters = worker_.counters(binding.interface);
      counters[InterfaceCounter::RxPackets].add(n);
      counters[InterfaceCounter::RxBytes].add(bytes);
    }
    const std::span<Packet* const> in(packets.data(), n);
    if (worker_.tracing()) [[unlikely]]
      worker_.trace_start(binding.input_node, in, true);
    if (worker_.capturing()) [[unlikely]]
      worker_.capture_received(binding.input_node, in);
    worker_.graph().enqueue(worker_, binding.input_node, in);
    waiting += n;
    if (waiting >= kVectorMax) {
      worker_.graph().run(worker_);
      heartbeat_.set(tsc());  // a pass over hundreds of full queues may take long
      waiting = 0;
    }
  }
  active_.resize(kept);
  return busy;
}

void WorkerThread::activate(std::uint32_t slot) {
  if (slot >= kMaxQueues || is_active_[slot]) return;
  is_active_[slot] = true;
  active_.push_back(slot);
}

bool WorkerThread::collect_events(int timeout_ms) {
  std::array<epoll_event, 64> events;
  const int n = worker_.system_call([&] { return epoll_wait(epoll_, events.data(), events.size(), timeout_ms); });
  for (int i = 0; i < n; ++i) {
    const std::uint64_t slot = events[static_cast<std::size_t>(i)].data.u64;
    if (slot == kWakeSlot) {
      std::uint64_t count = 0;
      (void)!read(worker_.wake_fd(), &count, sizeof count);
    } else {
      activate(static_cast<std::uint32_t>(slot));
    }
  }
  return n > 0;
}

void WorkerThread::sleep() {
  worker_.sleeping.store(true, std::memory_order_relaxed);
  // Pairs with the fence in Worker::wake(): either the producer sees sleeping, or this thread sees its packet.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (active_.empty() && !worker_.has_hand_offs() && !worker_.release_requested.load() && !stop_.load() &&
      poll_set_.read(worker_).version == seen_) {
    worker_.sleeps.add();
    const int timeout = worker_.graph().held() ? 50 : 500;
    Rcu::offline();
    if (collect_events(timeout)) worker_.wakeups.add();
    Rcu::online();
  }
  worker_.sleeping.store(false, std::memory_order_relaxed);
}

}  // namespace sluice
