// SPDX-License-Identifier: Apache-2.0
#include "core/worker_thread.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <thread>
#include <utility>

#include "core/dataplane.h"
#include "sluice/node.h"
#include "sluice/testing/wait_for.h"

namespace sluice {
namespace {

using testing::wait_for;

// Counts packets; holds those that begin with 'h' until it is asked to let go.
struct Probe {
  struct Shared {
    std::atomic<std::uint64_t> seen{0}, out_of_order{0}, last{0}, seen_at{0};
    std::atomic<bool> let_go{false};
  };
  static constexpr NodeInfo kInfo{"probe", "counts packets"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Counted };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test has counted it"; }

  Shared& shared;
  std::vector<Packet*> kept = {};

  Verdict operator()(Packet& packet, Worker&, Trace*, Out<Probe>&) noexcept {
    if (packet.data[0] == std::byte{'h'}) {
      kept.push_back(&packet);
      return Hold;
    }
    std::uint64_t number = 0;
    std::memcpy(&number, packet.data + 8, sizeof number);
    if (number <= shared.last && shared.seen) ++shared.out_of_order;
    shared.last = number;
    shared.seen_at = tsc();
    ++shared.seen;
    return Drop::Counted;
  }
  std::size_t held() const noexcept { return kept.size(); }
  void release(Worker& worker, Out<Probe>&) noexcept {
    if (shared.let_go) flush(worker);
  }
  void flush(Worker& worker) noexcept {
    worker.buffers().free(kept);
    kept.clear();
  }
};

class EventQueue final : public RxQueue {
 public:
  ~EventQueue() override { close(fd_); }
  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override {
    std::uint64_t ready = 0;
    if (more) {
      ready = std::exchange(late_, 0);
    } else if (read(fd_, &ready, sizeof ready) != sizeof ready) {
      return 0;
    }
    more = ready > 0 && find_nothing_at_first;
    if (more) {
      find_nothing_at_first = false;
      late_ = ready;
      return 0;
    }
    std::size_t n = 0;
    for (; n < std::min<std::size_t>(ready, packets.size()); ++n) {
      packets[n] = worker.buffers().alloc();
      packets[n]->length = 16;
      packets[n]->chain_length = 16;
      packets[n]->data[0] = std::byte{'p'};
      ++number_;
      std::memcpy(packets[n]->data + 8, &number_, sizeof number_);
    }
    return n;
  }
  int fd() const override { return fd_; }
  void arrive(std::uint64_t n) { (void)!write(fd_, &n, sizeof n); }
  /// The next that arrive are found by the second look, with the event gone.
  std::atomic<bool> find_nothing_at_first{false};

 private:
  std::uint64_t late_ = 0;
  int fd_ = eventfd(0, EFD_NONBLOCK);
  std::uint64_t number_ = 0;
};

std::uint64_t cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
}

struct WorkerThreadTest : ::testing::Test {
  void make(unsigned workers) {
    auto made = Dataplane::create({.workers = workers, .pool = {.buffers = 8192, .hugepages = false}}, {});
    ASSERT_TRUE(made.ok());
    dataplane = std::move(*made);
    registry.node<Probe>(shared);
    kind = registry.control_message([this](const ControlMessage& m) { told = m.as<std::uint64_t>(); });
    ASSERT_TRUE(dataplane->build(registry).ok());
    dataplane->interfaces().update([](InterfaceTable& t) {
      t.slots.resize(1);
      t.slots[0].index = InterfaceIndex(0, 1);
    });
    probe = dataplane->graph().find("probe");
  }
  void TearDown() override {
    dataplane->stop();
    EXPECT_EQ(dataplane->pool().usage().used, 0u) << "buffers leaked";
  }

  Probe::Shared shared;
  std::uint64_t told = 0;
  std::uint32_t kind = 0;
  NodeIndex probe;
  Registry registry;
  std::unique_ptr<Dataplane> dataplane;
  EventQueue queue;
};

TEST_F(WorkerThreadTest, WakesForAQueueAndForAnInjectedPacket) {
  make(1);
  ASSERT_TRUE(dataplane->workers()[0]->add({&queue, InterfaceIndex(0, 1), probe, RxMode::Interrupt}).ok());
  dataplane->start();
  Counter& sleeps = dataplane->workers()[0]->worker().sleeps;
  for (std::uint64_t round = 1; round <= 50; ++round) {
    const std::uint64_t slept = sleeps.get();
    wait_for([&] { return sleeps.get() > slept || dataplane->workers()[0]->worker().sleeping; });
    queue.arrive(3);
    wait_for([&] { return shared.seen == 4 * round - 1; });
    Packet* packet = dataplane->buffers().alloc();
    packet->length = 16;
    packet->chain_length = 16;
    packet->data[0] = std::byte{'p'};
    ASSERT_TRUE(dataplane->inject(0, probe, packet));
    wait_for([&] { return shared.seen == 4 * round; });
  }
  dataplane->workers()[0]->remove(&queue);
  dataplane->stop();
}

// The worker tells sets apart by it: a set may lie where one that it has seen lay before.
TEST_F(WorkerThreadTest, EveryChangeOfTheQueuesIsANewVersion) {
  make(1);
  WorkerThread& thread = *dataplane->workers()[0];
  std::uint64_t before = thread.queues().version;
  const auto grew = [&] { return std::exchange(before, thread.queues().version) < thread.queues().version; };
  ASSERT_TRUE(thread.add({&queue, InterfaceIndex(0, 1), probe, RxMode::Interrupt}).ok());
  EXPECT_TRUE(grew());
  thread.set_mode(&queue, RxMode::Polling);
  EXPECT_TRUE(grew());
  thread.remove(&queue);
  EXPECT_TRUE(grew());
}

TEST_F(WorkerThreadTest, AsksAQueueAgainThatSaysItHasMore) {
  make(1);
  ASSERT_TRUE(dataplane->workers()[0]->add({&queue, InterfaceIndex(0, 1), probe, RxMode::Interrupt}).ok());
  dataplane->start();
  for (std::uint64_t round = 1; round <= 10; ++round) {
    queue.find_nothing_at_first = true;
    queue.arrive(3);
    wait_for([&] { return shared.seen == 3 * round; });
  }
  dataplane->workers()[0]->remove(&queue);
  dataplane->stop();
}

TEST_F(WorkerThreadTest, SleepsWhenNothingComes) {
  make(2);
  ASSERT_TRUE(dataplane->workers()[0]->add({&queue, InterfaceIndex(0, 1), probe, RxMode::Adaptive}).ok());
  dataplane->start();
  const Worker& worker = dataplane->workers()[0]->worker();
  // A worker that sleeps through whole time-outs makes about one pass for each sleep.
  wait_for([&] { return worker.sleeps.get() >= 2; });
  const std::uint64_t loops = worker.loops.get(), sleeps = worker.sleeps.get(), cpu = cpu_ns();
  wait_for([&] { return worker.sleeps.get() >= sleeps + 3; });
  EXPECT_LT(worker.loops.get() - loops, 20u) << "while the process used " << cpu_ns() - cpu << " ns";
  dataplane->workers()[0]->remove(&queue);
  dataplane->stop();
}

TEST_F(WorkerThreadTest, KeepsOrderAcrossAHandOff) {
  make(2);
  dataplane->start();
  std::uint64_t sent = 0;
  for (std::uint64_t i = 1; i <= 20000; ++i) {
    Packet* packet = dataplane->buffers().alloc();
    if (!packet) {
      std::this_thread::yield();
      continue;
    }
    packet->length = 16;
    packet->chain_length = 16;
    packet->data[0] = std::byte{'p'};
    std::memcpy(packet->data + 8, &i, sizeof i);
    if (dataplane->inject(1, probe, packet)) ++sent;
  }
  wait_for([&] { return shared.seen == sent; });
  EXPECT_EQ(shared.out_of_order, 0u);
  EXPECT_GT(sent, 0u);
}

TEST_F(WorkerThreadTest, LetsGoOfHeldPacketsWhenAsked) {
  make(1);
  dataplane->start();
  for (int i = 0; i < 5; ++i) {
    Packet* packet = dataplane->buffers().alloc();
    packet->length = 16;
    packet->chain_length = 16;
    packet->data[0] = std::byte{'h'};
    ASSERT_TRUE(dataplane->inject(0, probe, packet));
  }
  dataplane->buffers().publish_count();
  wait_for([&] { return dataplane->pool().usage().used == 5; });
  shared.let_go = true;
  dataplane->release_held();
  wait_for([&] { return dataplane->pool().usage().used == 0; });
}

TEST_F(WorkerThreadTest, AFullRingIsCountedAndThePacketComesBack) {
  make(1);  // not started: nobody empties the ring
  std::size_t refused = 0;
  for (std::size_t i = 0; i < Worker::kRing + 10; ++i) {
    Packet* packet = dataplane->buffers().alloc();
    ASSERT_NE(packet, nullptr);
    if (!dataplane->inject(0, probe, packet)) ++refused;
  }
  EXPECT_EQ(refused, 10u);
  dataplane->start();
  wait_for([&] { return shared.seen == Worker::kRing; });
}

TEST_F(WorkerThreadTest, MessagesReachTheControlThreadAndAFullRingIsCounted) {
  make(1);
  Worker& worker = dataplane->workers()[0]->worker();
  std::size_t taken = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) taken += worker.report(ControlMessage::of(kind, i)) ? 1 : 0;
  EXPECT_EQ(taken, 1024u);
  EXPECT_EQ(worker.lost_messages.get(), 2000u - 1024u);
  dataplane->handle_messages();
  EXPECT_EQ(told, 1023u);
}

}  // namespace
}  // namespace sluice
