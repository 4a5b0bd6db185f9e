// SPDX-License-Identifier: Apache-2.0
// Many clients at once, some of them bad ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "control/fruit_service.h"
#include "control/test_client.h"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kClients = 100;
constexpr unsigned kRounds = 5;

/// A client on a connection of its own, on a thread of its own.
class Client {
 public:
  Client(const std::string& path, unsigned number)
      : stub_(connect(path, true)), name_("fruit-" + std::to_string(number)) {}

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
  /// Tries again when the daemon says that it has too much to do at the moment, and lets it do that: a hundred that ask
  /// at once again keep a slow one from it for minutes.
  grpc::Status patiently(const std::string& method, const google::protobuf::Message& request,
                         google::protobuf::Message& reply) {
    auto status = unary(stub_, method, request, reply);
    for (auto pause = 1ms; status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
         pause = std::min(2 * pause, 50ms)) {
      std::this_thread::sleep_for(pause);
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
  grpc::GenericStub idle_stub(connect(daemon.path(), true));
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

class Batches : public ::testing::Test {
 protected:
  Batches() : stub_(connect(daemon_.path())) {
    EXPECT_TRUE(daemon_.start.ok()) << text(daemon_.start);
    daemon_.on_loop([this] {
      daemon_.dispatcher.on_change([this](const Api::Method&, const google::protobuf::Message&, CallContext& call) {
        changes_.push_back(call.recorded().size());
        return Status();
      });
      return true;
    });
  }
  static Crate crate(const std::vector<std::string>& names, std::string label = {}) {
    Crate made;
    for (const auto& name : names) {
      auto* fruit = made.add_fruit();
      fruit->set_name(name);
      fruit->set_count(3);
    }
    made.set_label(std::move(label));
    return made;
  }
  void open(TestCall& call) { call.open(stub_, "/sluice.test.Crates/Add"); }
  std::string basket() {
    return daemon_.on_loop([this] {
      std::string names;
      for (const auto& [name, fruit] : daemon_.fruit.basket()) names += name + std::to_string(fruit.price()) + " ";
      return names;
    });
  }
  /// An answer, or "".
  static std::string answer(TestCall& call) {
    CrateReply reply;
    return call.read(reply) ? reply.ShortDebugString() : "";
  }
  static std::string end(TestCall& call) {
    const auto status = call.finish();
    return std::to_string(status.error_code()) + " " + status.error_message();
  }

  std::vector<std::size_t> changes_;  // how many things each change was; the control thread's
  FruitDaemon daemon_;
  grpc::GenericStub stub_;
};

TEST_F(Batches, AreAnsweredOneByOneAndNotedAsWhatTheyChanged) {
  TestCall call;
  open(call);
  ASSERT_TRUE(call.write(crate({"apple", "pear"}, "one")));
  EXPECT_EQ(answer(call), "added: 2 label: \"one\"");
  ASSERT_TRUE(call.write(crate({"pear", "fig"})));
  EXPECT_EQ(answer(call), "added: 1");
  ASSERT_TRUE(call.write(crate({"fig"})));
  EXPECT_EQ(answer(call), "");
  ASSERT_TRUE(call.write(crate({"kiwi", "two words", "lime"})));
  EXPECT_EQ(answer(call), "wrong: \"2: name two words: must be a name of letters, digits and -_./ (at most 63)\"");
  call.end_requests();
  EXPECT_EQ(answer(call), "");
  EXPECT_EQ(end(call), "0 ");
  EXPECT_EQ(basket(), "apple7 fig7 pear7 ") << "with their defaults";
  EXPECT_EQ(daemon_.on_loop([this] { return changes_; }), (std::vector<std::size_t>{2, 1}));
}

TEST_F(Batches, WithoutAnyIsACallThatDoesNothing) {
  TestCall call;
  open(call);
  call.end_requests();
  EXPECT_EQ(answer(call), "");
  EXPECT_EQ(end(call), "0 ");
}

TEST_F(Batches, OfADryRunChangeNothing) {
  TestCall call;
  call.context.AddMetadata("sluice-dry-run", "1");
  open(call);
  ASSERT_TRUE(call.write(crate({"apple"})));
  EXPECT_EQ(answer(call), "added: 1");
  call.end_requests();
  EXPECT_EQ(end(call), "0 ");
  EXPECT_EQ(basket(), "");
  EXPECT_TRUE(daemon_.on_loop([this] { return changes_.empty(); }));
}

TEST_F(Batches, BeforeABadOneStay) {
  TestCall refused;
  open(refused);
  ASSERT_TRUE(refused.write(crate({"apple"})));
  EXPECT_EQ(answer(refused), "added: 1");
  ASSERT_TRUE(refused.write(crate({"fig"}, "rotten")));
  EXPECT_EQ(answer(refused), "");
  EXPECT_EQ(end(refused), "3 the crate is rotten; nothing changed");
  TestCall malformed;
  open(malformed);
  ASSERT_TRUE(malformed.write(crate({"pear"})));
  EXPECT_EQ(answer(malformed), "added: 1");
  const grpc::Slice garbage("\xff\xff\xff");
  malformed.stream->Write(grpc::ByteBuffer(&garbage, 1), nullptr);
  malformed.wait();
  EXPECT_EQ(answer(malformed), "");
  EXPECT_EQ(end(malformed), "3 the batch is not a sluice.test.Crate");
  EXPECT_EQ(basket(), "apple7 pear7 ");
}

TEST_F(Batches, OfAClientThatDiesAreThoseThatItWasAnswered) {
  {
    TestCall call;
    open(call);
    ASSERT_TRUE(call.write(crate({"apple"})));
    EXPECT_EQ(answer(call), "added: 1");
    call.context.TryCancel();
    call.finish();
  }
  // Others are served, and calls do not pile up.
  for (std::size_t i = 0; i < 2 * daemon_.server.limits().open; ++i) {
    TestCall call;
    open(call);
    if (i % 2) call.write(crate({"pear"}));
    call.context.TryCancel();
    call.finish();
  }
  Done done;
  FruitSpec fig;
  fig.set_name("fig");
  fig.set_count(1);
  auto status = unary(stub_, "Add", fig, done);
  while (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) status = unary(stub_, "Add", fig, done);
  EXPECT_TRUE(status.ok()) << status.error_message();
  const auto names = basket();
  EXPECT_TRUE(names == "apple7 fig7 " || names == "apple7 fig7 pear7 ") << names;
}

TEST_F(Batches, AreHeldBackWhileTheControlThreadHasNoTimeAndOthersRunBetweenThem) {
  constexpr std::size_t kLabel = 512 * 1024;
  daemon_.halt();
  TestCall call;
  open(call);
  std::size_t sent = 0;
  bool held = false;
  while (!held) {
    ASSERT_LT(sent, 64u) << "everything is taken";
    call.stream->Write(serialize(crate({"fruit-" + std::to_string(sent)}, std::string(kLabel, 'x'))), nullptr);
    ++sent;
    void* tag = nullptr;
    bool ok = false;
    const auto soon = std::chrono::system_clock::now() + std::chrono::milliseconds(300);
    held = call.queue.AsyncNext(&tag, &ok, soon) == grpc::CompletionQueue::TIMEOUT;
  }
  daemon_.run();
  ASSERT_TRUE(call.wait()) << "the write that was held back";
  CrateReply reply;
  for (std::size_t i = 0; i < sent; ++i) {
    Done done;
    FruitSpec fig;
    fig.set_name("fig-" + std::to_string(i));
    fig.set_count(1);
    ASSERT_TRUE(unary(stub_, "Add", fig, done).ok()) << "another client's";
    ASSERT_TRUE(call.read(reply));
    EXPECT_EQ(reply.added(), 1u);
    EXPECT_EQ(reply.label().size(), kLabel);
  }
  call.end_requests();
  EXPECT_EQ(end(call), "0 ");
}

TEST_F(Batches, OfAClientThatDoesNotReadAreNotTaken) {
  daemon_.on_loop([this] { return daemon_.server.limits().stall = 50ms; });
  TestCall call;
  open(call);
  for (unsigned i = 0; i < 1000; ++i) {
    if (!call.write(crate({"fruit-" + std::to_string(i)}, std::string(512 * 1024, 'x')))) break;
  }
  CrateReply reply;
  while (call.read(reply)) {
  }
  EXPECT_EQ(call.finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_LT(daemon_.on_loop([this] { return daemon_.fruit.basket().size(); }), 64u);
}

TEST_F(Batches, AreNotForTheReadOnlySocket) {
  grpc::GenericStub stub(connect(daemon_.read_only_path()));
  TestCall call;
  call.open(stub, "/sluice.test.Crates/Add");
  EXPECT_EQ(call.finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

}  // namespace
}  // namespace sluice::test
