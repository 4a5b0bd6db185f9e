// SPDX-License-Identifier: Apache-2.0
#include "control/api_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include "control/fruit_service.h"
#include "control/reflection.pb.h"
#include "control/selected_stream.h"
#include "control/socket_lock.h"
#include "control/test_client.h"

namespace sluice::control {
namespace {

using test::connect;
using test::CountQuery;
using test::CountReply;
using test::FruitDaemon;
using test::FruitSpec;
using test::serialize;
using test::TestCall;
using test::unary;

class ApiServerTest : public ::testing::Test {
 protected:
  ApiServerTest() : stub_(connect(daemon_.path())), read_only_(connect(daemon_.read_only_path())) {
    EXPECT_TRUE(daemon_.start.ok()) << text(daemon_.start);
  }
  static FruitSpec apple(std::uint32_t count) {
    FruitSpec fruit;
    fruit.set_name("apple");
    fruit.set_count(count);
    return fruit;
  }

  FruitDaemon daemon_;
  grpc::GenericStub stub_;
  grpc::GenericStub read_only_;
};

TEST_F(ApiServerTest, RunsAMethodAndSaysUnchangedTheSecondTime) {
  Done done;
  auto status = unary(stub_, "Add", apple(3), done);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(done.text(), "fruit apple added");
  status = unary(stub_, "Add", apple(3), done);
  ASSERT_TRUE(status.ok());
  EXPECT_TRUE(done.unchanged());
  status = unary(stub_, "Add", apple(4), done);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(status.error_message(), "fruit apple: is there already with other properties; nothing changed");
}

TEST_F(ApiServerTest, ChecksTheFieldsBeforeTheHandlerRuns) {
  Done done;
  auto status = unary(stub_, "Add", apple(1001), done);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "count 1001: must be 1 to 1000; nothing changed");
  auto fruit = apple(3);
  fruit.set_colour("rad");
  status = unary(stub_, "Add", fruit, done);
  EXPECT_EQ(status.error_message(), "colour rad: no such colour; did you mean red?; nothing changed");
  EXPECT_TRUE(daemon_.on_loop([&] { return daemon_.fruit.basket().empty(); }));
}

TEST_F(ApiServerTest, CutsOffAClientThatNeverReadsItsStream) {
  daemon_.server.limits().stall = std::chrono::milliseconds(20);
  CountQuery query;
  query.set_limit(1'000'000'000);
  TestCall idle;
  idle.start(stub_, "/sluice.test.Fruit/Count", serialize(query));
  daemon_.wait_until([&] { return daemon_.fruit.counting() == 1; });
  Done done;
  EXPECT_TRUE(unary(stub_, "Add", apple(3), done).ok()) << "others go on meanwhile";
  daemon_.wait_until([&] { return daemon_.fruit.counting() == 0; });
  idle.context.TryCancel();
  idle.finish();
}

TEST_F(ApiServerTest, RefusesMoreOpenCallsThanItsLimitAndGoesOn) {
  daemon_.server.limits().open = 2;
  CountQuery query;
  query.set_limit(1'000'000'000);
  query.set_every(50);
  TestCall first, second;
  for (TestCall* call : {&first, &second}) call->start(stub_, "/sluice.test.Fruit/Count", serialize(query));
  daemon_.wait_until([&] { return daemon_.fruit.counting() == 2; });
  Done done;
  const auto status = unary(stub_, "Add", apple(3), done);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(status.error_message().find("too many calls are open"), std::string::npos) << status.error_message();
  first.context.TryCancel();
  first.finish();
  daemon_.wait_until([&] { return daemon_.fruit.counting() == 1; });
  while (!unary(stub_, "Add", apple(3), done).ok()) std::this_thread::yield();
  second.context.TryCancel();
  second.finish();
}

TEST_F(ApiServerTest, SendsOnlyTheRowsThatTheListVerbsWant) {
  Done done;
  for (std::uint32_t count = 1; count <= 9; ++count) {
    auto fruit = apple(count);
    fruit.set_name("apple-" + std::to_string(count));
    ASSERT_TRUE(unary(stub_, "Add", fruit, done).ok());
  }
  const auto show = [this](const std::string& verbs, std::vector<std::uint32_t>& counts) {
    TestCall call;
    call.context.AddMetadata(kListVerbsKey, verbs);
    call.start(read_only_, "/sluice.test.Fruit/Show", serialize(test::FruitQuery()));
    for (FruitSpec fruit; call.read(fruit);) counts.push_back(fruit.count());
    return call.finish();
  };
  ListVerbs verbs;
  verbs.set_sort("-count");
  verbs.set_top(2);
  std::vector<std::uint32_t> counts;
  EXPECT_TRUE(show(verbs.SerializeAsString(), counts).ok());
  EXPECT_EQ(counts, (std::vector<std::uint32_t>{9, 8}));
  verbs.set_sort("weight");
  EXPECT_NE(show(verbs.SerializeAsString(), counts).error_message().find("sort weight: no such column"),
            std::string::npos);
  EXPECT_EQ(show("\xff\xff", counts).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(counts.size(), 2u);
}

TEST_F(ApiServerTest, AStreamThatHasItsTopRowsEnds) {
  CountQuery query;
  query.set_limit(1'000'000'000);
  ListVerbs verbs;
  verbs.set_top(3);
  TestCall call;
  call.context.AddMetadata(kListVerbsKey, verbs.SerializeAsString());
  call.start(stub_, "/sluice.test.Fruit/Count", serialize(query));
  std::vector<std::uint64_t> numbers;
  for (CountReply reply; call.read(reply);) numbers.push_back(reply.number());
  EXPECT_TRUE(call.finish().ok());
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1, 2, 3}));
  daemon_.wait_until([&] { return daemon_.fruit.counting() == 0; });
}

TEST_F(ApiServerTest, ADryRunChangesNothing) {
  Done done;
  const auto status = unary(stub_, "Add", apple(3), done, true);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(done.text(), "fruit apple added");
  EXPECT_TRUE(daemon_.on_loop([&] { return daemon_.fruit.basket().empty(); }));
}

TEST_F(ApiServerTest, TheReadOnlySocketRefusesWhatChangesSomething) {
  Done done;
  auto status = unary(read_only_, "Add", apple(3), done);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_NE(status.error_message().find("read-only socket; nothing changed"), std::string::npos);
  FruitSpec fruit;
  EXPECT_TRUE(unary(read_only_, "Show", test::FruitQuery(), fruit).ok());
  struct stat mode{};
  ASSERT_EQ(stat(daemon_.path().c_str(), &mode), 0);
  EXPECT_EQ(mode.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(daemon_.read_only_path().c_str(), &mode), 0);
  EXPECT_EQ(mode.st_mode & 0777, 0660u);
}

TEST_F(ApiServerTest, RefusesAnUnknownMethodAndAMessageThatIsNone) {
  Done done;
  EXPECT_EQ(unary(stub_, "Peel", apple(3), done).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  TestCall call;
  const grpc::Slice garbage("\xff\xff\xff\xff");
  call.start(stub_, "/sluice.test.Fruit/Add", grpc::ByteBuffer(&garbage, 1));
  EXPECT_FALSE(call.read(done));
  EXPECT_EQ(call.finish().error_message(), "the request is not a sluice.test.FruitSpec");
}

TEST_F(ApiServerTest, ALongStreamComesWholeWhileOtherCallsRun) {
  constexpr std::uint64_t kCount = 200'000;
  CountQuery query;
  query.set_limit(kCount);
  TestCall call;
  call.start(stub_, "/sluice.test.Fruit/Count", serialize(query));
  CountReply reply;
  std::uint64_t expected = 0;
  while (expected < kCount / 2 && call.read(reply)) ASSERT_EQ(reply.number(), ++expected);
  Done done;  // the stream is still open: its client has read half of it
  EXPECT_TRUE(unary(stub_, "Add", apple(3), done).ok());
  while (call.read(reply)) ASSERT_EQ(reply.number(), ++expected);
  EXPECT_TRUE(call.finish().ok());
  EXPECT_EQ(expected, kCount);
}

TEST_F(ApiServerTest, AClientThatDoesNotReadHoldsUpItsOwnStreamOnly) {
  CountQuery query;
  query.set_limit(~std::uint64_t{0});
  TestCall call;
  call.start(stub_, "/sluice.test.Fruit/Count", serialize(query));
  daemon_.wait_until([&] { return daemon_.fruit.counting() == 1; });
  for (std::uint32_t i = 1; i <= 100; ++i) {
    Done done;
    ASSERT_TRUE(unary(read_only_, "Show", test::FruitQuery(), done).ok());
  }
  call.context.TryCancel();
  EXPECT_EQ(call.finish().error_code(), grpc::StatusCode::CANCELLED);
  daemon_.wait_until([&] { return daemon_.fruit.counting() == 0; });
}

TEST_F(ApiServerTest, AClientThatDiesInMidStreamLeavesNothingBehind) {
  CountQuery query;
  query.set_limit(1000);
  query.set_every(100'000);
  {
    auto channel = connect(daemon_.path());
    grpc::GenericStub stub(channel);
    TestCall call;
    call.start(stub, "/sluice.test.Fruit/Count", serialize(query));
    daemon_.wait_until([&] { return daemon_.fruit.counting() == 1; });
    call.context.TryCancel();
    call.finish();
  }
  daemon_.wait_until([&] { return daemon_.fruit.counting() == 0; });
}

TEST_F(ApiServerTest, AtMostSixtyFourCallsWait) {
  daemon_.halt();
  std::vector<std::unique_ptr<TestCall>> calls;
  const auto request = serialize(apple(3));
  constexpr unsigned kMore = 8;
  for (unsigned i = 0; i < ApiServer::kWaitingMax + kMore; ++i) {
    calls.push_back(std::make_unique<TestCall>());
    calls.back()->start(stub_, "/sluice.test.Fruit/Add", request);
  }
  // The refused ones end while the control thread stands still; only then it may go on.
  std::vector<std::thread> readers;
  std::atomic<unsigned> ended{0}, refused{0}, done{0};
  for (auto& call : calls) {
    readers.emplace_back([&] {
      Done reply;
      while (call->read(reply)) {
      }
      const auto status = call->finish();
      if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) ++refused;
      EXPECT_EQ(call->context.GetServerTrailingMetadata().contains(kBusyKey), !status.ok());
      if (status.ok()) ++done;
      ++ended;
    });
  }
  while (ended < kMore) std::this_thread::yield();
  daemon_.run();
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(refused, kMore);
  EXPECT_EQ(done, ApiServer::kWaitingMax);
}

TEST_F(ApiServerTest, StopsWithCallsOpen) {
  CountQuery query;
  query.set_limit(1000);
  query.set_every(100'000);
  TestCall call;
  call.start(stub_, "/sluice.test.Fruit/Count", serialize(query));
  daemon_.wait_until([&] { return daemon_.fruit.counting() == 1; });
  daemon_.halt();
  daemon_.server.stop();
  EXPECT_EQ(daemon_.fruit.counting(), 0);
  EXPECT_FALSE(call.finish().ok());
  EXPECT_FALSE(std::filesystem::exists(daemon_.path()));
}

TEST_F(ApiServerTest, AnswersStandardReflection) {
  grpc::reflection::v1alpha::ServerReflectionRequest request;
  request.set_list_services("");
  grpc::reflection::v1alpha::ServerReflectionResponse reply;
  const std::string path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  {
    TestCall call;
    call.start(stub_, path, serialize(request));
    ASSERT_TRUE(call.read(reply));
    ASSERT_EQ(reply.list_services_response().service_size(), 3);
    EXPECT_EQ(reply.list_services_response().service(2).name(), "sluice.test.Fruit");
    EXPECT_FALSE(call.read(reply));
    EXPECT_TRUE(call.finish().ok());
  }
  request.set_file_containing_symbol("sluice.test.FruitSpec");
  TestCall call;
  call.start(stub_, path, serialize(request));
  ASSERT_TRUE(call.read(reply));
  EXPECT_EQ(reply.file_descriptor_response().file_descriptor_proto_size(), 4);
}

TEST_F(ApiServerTest, ASecondDaemonOnTheSameSocketIsRefused) {
  ApiServer second(daemon_.loop, daemon_.dispatcher);
  const auto status = second.listen({.path = daemon_.path()});
  EXPECT_EQ(text(status), "socket " + daemon_.path() + ": another daemon (pid " + std::to_string(getpid()) +
                              ") serves it; stop that one (systemctl stop sluice) or choose another socket");
  Done done;
  EXPECT_TRUE(unary(stub_, "Add", apple(3), done).ok());
}

TEST(SocketLock, TakesOverTheSocketOfADeadDaemonAndNothingElse) {
  const testing::TempFolder folder;
  const auto path = folder.file("api.sock");
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(address.sun_path, path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(fd);  // the file stays, as after kill -9
  {
    const auto lock = SocketLock::take(path);
    ASSERT_TRUE(lock.ok()) << text(lock.status());
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path + ".lock"));
  std::filesystem::create_directory(path);
  EXPECT_NE(text(SocketLock::take(path).status()).find("holds something that is no socket"), std::string::npos);
  EXPECT_NE(text(SocketLock::take(std::string(200, 'x')).status()).find("at most 107 are allowed"), std::string::npos);
}

}  // namespace
}  // namespace sluice::control
