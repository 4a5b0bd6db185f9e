// SPDX-License-Identifier: Apache-2.0
// Many clients at once, some of them bad ones.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "control/fruit_service.h"
#include "control/test_client.h"

namespace sluice::test {
namespace {

constexpr unsigned kClients = 100;
constexpr unsigned kRounds = 5;

/// A client on a connection of its own, on a thread of its own.
class Client {
 public:
  Client(const std::string& path, unsigned number) : stub_(connect(path)), name_("fruit-" + std::to_string(number)) {}

  /// Adds a fruit of its own, finds it in the list, counts, and takes it away again. What went wrong, if anything.
  std::string work() {
    FruitSpec spec;
    spec.set_name(name_);
    spec.set_count(7);
    Done done;
    if (const auto status = patiently("Add", spec, done); !status.ok()) return "add: " + status.error_message();
    FruitQuery query;
    query.set_name(name_);
    FruitSpec found;
    if (const auto status = patiently("Show", query, found); !status.ok()) return "show: " + status.error_message();
    if (found.count() != 7) return "show: another's fruit, or none";
    CountQuery to;
    to.set_limit(500);
    CountReply last;
    if (const auto status = patiently("Count", to, last); !status.ok()) return "count: " + status.error_message();
    if (last.number() != 500) return "count: ends at " + std::to_string(last.number());
    FruitName name;
    name.set_name(name_);
    if (const auto status = patiently("Remove", name, done); !status.ok()) return "remove: " + status.error_message();
    return {};
  }

  /// Begins to read a stream that would not end, and goes.
  void leave_in_the_middle() {
    CountQuery endless;
    endless.set_limit(~std::uint64_t{0});
    TestCall call;
    call.start(stub_, "/sluice.test.Fruit/Count", serialize(endless));
    CountReply reply;
    call.read(reply);
    call.context.TryCancel();
    call.finish();
  }

 private:
  /// Tries again when the daemon says that it has too much to do at the moment.
  grpc::Status patiently(const std::string& method, const google::protobuf::Message& request,
                         google::protobuf::Message& reply) {
    auto status = unary(stub_, method, request, reply);
    while (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
      std::this_thread::yield();
      status = unary(stub_, method, request, reply);
    }
    return status;
  }

  grpc::GenericStub stub_;
  const std::string name_;
};

TEST(ApiClients, AHundredAtOnceAreServedBesideThoseThatNeverReadOrLeave) {
  FruitDaemon daemon;
  ASSERT_TRUE(daemon.start.ok()) << text(daemon.start);
  daemon.server.limits().stall = std::chrono::milliseconds(20);
  grpc::GenericStub idle_stub(connect(daemon.path()));
  CountQuery endless;
  endless.set_limit(~std::uint64_t{0});
  std::vector<std::unique_ptr<TestCall>> idle;
  for (int i = 0; i < 5; ++i) {
    idle.push_back(std::make_unique<TestCall>());
    idle.back()->start(idle_stub, "/sluice.test.Fruit/Count", serialize(endless));
  }
  std::atomic<unsigned> served{0};
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < kClients; ++number) {
    threads.emplace_back([&, number] {
      Client client(daemon.path(), number);
      for (unsigned round = 0; round < kRounds; ++round) {
        const auto wrong = client.work();
        EXPECT_EQ(wrong, "") << "client " << number << " round " << round;
        served += wrong.empty();
        if (number % 10 == 0) client.leave_in_the_middle();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(served, kClients * kRounds);
  // Who never reads is cut off, and the streams of those who left have ended.
  daemon.wait_until([&] { return daemon.fruit.counting() == 0; });
  EXPECT_TRUE(daemon.on_loop([&] { return daemon.fruit.basket().empty(); }));
  for (auto& call : idle) {
    call->context.TryCancel();
    call->finish();
  }
}

}  // namespace
}  // namespace sluice::test
