// SPDX-License-Identifier: Apache-2.0
#include "control/watchdog.h"

#include <gtest/gtest.h>
#include <time.h>

#include <atomic>
#include <optional>

#include "sluice/node.h"
#include "sluice/testing/wait_for.h"

namespace sluice::watchdog {
namespace {

using namespace std::chrono_literals;
using testing::wait_for;

/// A worker as the kernel would account for it, with a clock of the test's own.
struct FakeWorker {
  Progress progress;
  Sighting at{.now = 1s, .heartbeat = 1, .ran = 5s};

  Finding look() { return progress.look(at); }
  Finding passes(nanoseconds time, nanoseconds ran, nanoseconds waited, bool blocked) {
    at.now += time;
    at.ran += ran;
    at.waited += waited;
    at.blocked = blocked;
    return look();
  }
  Finding runs(nanoseconds time) { return passes(time, time, 0ns, false); }
  Finding blocks(nanoseconds time) { return passes(time, 0ns, 0ns, true); }
  /// Ready to run all the time, and nobody lets it.
  Finding starves(nanoseconds time) { return passes(time, 0ns, time, false); }
  /// The first finding that is not Well, at looks of one kind.
  template <class Step>
  std::pair<Finding, nanoseconds> until_found(Step step) {
    const nanoseconds start = at.now;
    for (int i = 0; i < 1000; ++i) {
      if (const Finding found = step(); found != Finding::Well) return {found, at.now - start};
    }
    return {Finding::Well, at.now - start};
  }
};

TEST(Progress, AWorkerThatSpinsIsSeenAfter350MsOfItsTime) {
  FakeWorker w;
  w.look();
  EXPECT_EQ(w.until_found([&] { return w.runs(kPeriod); }), std::pair(Finding::Spins, nanoseconds(350ms)));
  EXPECT_EQ(w.progress.silent(), 350ms);
}

TEST(Progress, AWorkerThatBlocksIsSeenJustAsSoon) {
  FakeWorker w;
  w.look();
  EXPECT_EQ(w.until_found([&] { return w.blocks(kPeriod); }), std::pair(Finding::Blocks, nanoseconds(350ms)));
}

TEST(Progress, AWorkerWithHeartbeatsIsWellHoweverBusy) {
  FakeWorker w;
  for (int i = 0; i < 100; ++i) {
    ++w.at.heartbeat;
    EXPECT_EQ(w.runs(kPeriod), Finding::Well);
  }
}

TEST(Progress, AWorkerThatSleepsIsWellHoweverLong) {
  FakeWorker w;
  w.at.asleep = true;
  EXPECT_EQ(w.until_found([&] { return w.blocks(kPeriod); }).first, Finding::Well);
  // What it does when it wakes counts from the look that saw it awake.
  w.at.asleep = false;
  EXPECT_EQ(w.runs(kPeriod), Finding::Well);
  EXPECT_EQ(w.until_found([&] { return w.runs(kPeriod); }).second, 350ms);
}

TEST(Progress, AWorkerWithoutCpuIsStarvedAndNeverStuck) {
  FakeWorker w;
  w.look();
  EXPECT_EQ(w.until_found([&] { return w.starves(kPeriod); }), std::pair(Finding::Starved, nanoseconds(450ms)));
  EXPECT_EQ(w.until_found([&] { return w.starves(kPeriod); }).first, Finding::Well) << "said once for each silence";
  ++w.at.heartbeat;
  w.look();
  EXPECT_EQ(w.until_found([&] { return w.starves(kPeriod); }).first, Finding::Starved) << "and again for the next";
}

TEST(Progress, AWorkerThatGetsLittleCpuIsStarvedUntilItsOwnTimeIsUp) {
  FakeWorker w;
  w.look();
  const auto little = [&] { return w.passes(kPeriod, 10ms, 40ms, false); };
  EXPECT_EQ(w.until_found(little), std::pair(Finding::Starved, nanoseconds(450ms)));
  EXPECT_EQ(w.progress.ran(), 90ms);
  EXPECT_EQ(w.until_found(little).first, Finding::Spins) << "350 ms in one node are too much, whoever else had the CPU";
  EXPECT_EQ(w.progress.silent(), 1750ms);
}

TEST(Progress, TimeInWhichItWaitedForACpuIsNotTimeInWhichItBlocked) {
  FakeWorker w;
  w.look();
  // At each look it happens to be in a system call, but most of the time it was ready and did not run.
  const auto mixed = [&] { return w.passes(kPeriod, 2ms, 48ms, true); };
  EXPECT_EQ(w.until_found(mixed).first, Finding::Starved);
}

TEST(Progress, SpinningAndBlockingInTurnsIsStuckToo) {
  FakeWorker w;
  w.look();
  const auto both = [&] { return w.passes(kPeriod, 20ms, 0ns, true); };
  EXPECT_EQ(w.until_found(both), std::pair(Finding::Blocks, nanoseconds(350ms)));
}

// The host has stopped the whole machine, or somebody the process: who looks was away as well.
TEST(Progress, OneLateLookIsNoEvidence) {
  FakeWorker w;
  w.look();
  EXPECT_NE(w.runs(10s), Finding::Spins);
  EXPECT_NE(w.blocks(10s), Finding::Blocks);
  ++w.at.heartbeat;
  EXPECT_EQ(w.runs(kPeriod), Finding::Well);
}

TEST(Progress, AThreadThatIsStoppedIsNotStuck) {
  FakeWorker w;
  w.look();
  // By a debugger or SIGSTOP: neither runs, nor is ready, nor waits in a system call.
  EXPECT_EQ(w.until_found([&] { return w.passes(kPeriod, 0ns, 0ns, false); }).first, Finding::Starved);
}

std::atomic<bool> let_go{false};

template <Finding kHow>
struct Stops {
  static constexpr NodeInfo kInfo{kHow == Finding::Spins ? "test-spins" : "test-blocks", "until the test lets it go"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Done };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test let it go"; }

  Verdict operator()(Packet&, Worker&, Trace*) noexcept {
    const timespec nap{0, 100'000'000};
    while (!let_go.load(std::memory_order_relaxed)) {
      if (kHow == Finding::Blocks) clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);
    }
    return Drop::Done;
  }
};

/// What the watchdog says of a worker that has got a packet for the node.
template <Finding kHow>
StuckWorker said_of() {
  let_go = false;
  auto made = Dataplane::create({.workers = 2, .pool = {.buffers = 1024, .hugepages = false}}, {});
  EXPECT_TRUE(made.ok());
  Dataplane& dataplane = **made;
  Registry registry;
  registry.node<Stops<kHow>>();
  EXPECT_TRUE(dataplane.build(registry).ok());
  dataplane.start();
  std::mutex mutex;
  std::optional<StuckWorker> said;
  {
    Watchdog watchdog(dataplane, [&](const StuckWorker& stuck) {
      const std::lock_guard lock(mutex);
      if (!said) said = stuck;
    });
    EXPECT_TRUE(dataplane.inject(1, dataplane.graph().find(Stops<kHow>::kInfo.name), dataplane.buffers().alloc()));
    wait_for([&] {
      const std::lock_guard lock(mutex);
      return said.has_value();
    });
    let_go = true;
  }
  dataplane.stop();
  EXPECT_EQ(dataplane.pool().usage().used, 0u);
  return *said;
}

TEST(Watchdog, NamesTheWorkerAndTheNodeThatSpins) {
  const StuckWorker said = said_of<Finding::Spins>();
  EXPECT_EQ(said.worker, 1u);
  EXPECT_EQ(said.node, "test-spins");
  EXPECT_EQ(said.how, Finding::Spins);
}

TEST(Watchdog, NamesTheNodeThatBlocksInASystemCall) {
  const StuckWorker said = said_of<Finding::Blocks>();
  EXPECT_EQ(said.node, "test-blocks");
  EXPECT_EQ(said.how, Finding::Blocks);
}

}  // namespace
}  // namespace sluice::watchdog
