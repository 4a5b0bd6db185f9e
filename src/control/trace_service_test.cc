// SPDX-License-Identifier: Apache-2.0
#include "control/trace_service.h"

#include <gtest/gtest.h>

#include <deque>
#include <mutex>
#include <thread>

#include "sluice/node.h"
#include "sluice/testing/memory_interfaces.h"
#include "sluice/testing/packet_builder.h"
#include "sluice/testing/wait_for.h"

namespace sluice::trace {
namespace {

using testing::packet;
using testing::wait_for;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kLong = 3'600'000;  // ms: the test ends first

// Passes packets on; keeps them while it is shut.
struct Gate {
  struct Shared {
    std::atomic<bool> shut{false};
    std::atomic<std::size_t> kept{0};
  };
  static constexpr NodeInfo kInfo{"gate", "keeps packets while it is shut"};
  enum class Next : std::uint8_t { Yard };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  Shared& shared;
  std::vector<sluice::Packet*> waiting = {};
  Verdict operator()(sluice::Packet& arrived, Worker&, Trace*, Out<Gate>&) noexcept {
    if (!shared.shut) return Next::Yard;
    waiting.push_back(&arrived);
    ++shared.kept;
    return Hold;
  }
  std::size_t held() const noexcept { return waiting.size(); }
  void release(Worker&, Out<Gate>& out) noexcept {
    if (shared.shut) return;
    for (sluice::Packet* one : waiting) out.emit(*one, Next::Yard);
    waiting.clear();
  }
  void flush(Worker& worker) noexcept {
    worker.buffers().free(waiting);
    waiting.clear();
  }
};

struct Yard {
  static constexpr NodeInfo kInfo{"yard", "ends every packet"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Done };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test has seen it"; }
  Verdict operator()(sluice::Packet&, Worker&, Trace*) const noexcept { return Drop::Done; }
};

// What the test puts in comes out.
class Wire final : public RxQueue {
 public:
  void arrive(const Bytes& bytes) {
    const std::lock_guard lock(mutex_);
    frames_.push_back(bytes);
  }
  std::size_t receive(Worker& worker, std::span<sluice::Packet*> packets) noexcept override {
    const std::lock_guard lock(mutex_);
    std::size_t n = 0;
    for (; n < packets.size() && !frames_.empty(); ++n, frames_.pop_front()) {
      packets[n] = worker.buffers().alloc();
      std::memcpy(packets[n]->data, frames_.front().data(), frames_.front().size());
      packets[n]->length = static_cast<std::uint16_t>(frames_.front().size());
      packets[n]->chain_length = packets[n]->length;
    }
    return n;
  }

 private:
  std::mutex mutex_;
  std::deque<Bytes> frames_;
};

struct TraceServiceTest : ::testing::Test {
  /// A stream as the server drives it, but without the waiting.
  struct Live {
    std::unique_ptr<google::protobuf::Message> request;
    CallContext call;
    std::unique_ptr<AnyStream> stream;

    /// The next packet, or null at the end.
    const Packet* next() {
      for (auto step = stream->next(); step != AnyStream::Step::End; step = stream->next()) {
        if (step == AnyStream::Step::Value) return &dynamic_cast<const Packet&>(stream->value());
        std::this_thread::yield();
      }
      return nullptr;
    }
    /// How many come until the end.
    std::size_t count() {
      std::size_t n = 0;
      while (next()) ++n;
      return n;
    }
    std::string error() const { return text(stream->status()); }
  };

  void SetUp() override {
    auto made = Dataplane::create({.workers = 1, .pool = {.buffers = 4096, .hugepages = false}}, {});
    ASSERT_TRUE(made.ok());
    dataplane = std::move(*made);
    registry.node<Gate>(gate);
    registry.node<Yard>();
    ASSERT_TRUE(dataplane->build(registry).ok());
    const InterfaceIndex index = interfaces.add("pod/web", LinkLayer::Ip);
    dataplane->interfaces().update([&](InterfaceTable& t) {
      t.slots.resize(index.slot() + 1);
      t.slots[index.slot()].index = index;
      t.slots[index.slot()].link = LinkLayer::Ip;
      t.slots[index.slot()].up = true;
    });
    service = std::make_unique<TraceService>(*dataplane, interfaces);
    service->offer(api);
    ASSERT_TRUE(api.check().ok()) << text(api.check());
    dataplane->start();
    const NodeIndex node = dataplane->graph().find("gate");
    ASSERT_TRUE(dataplane->workers()[0]->add({&wire, index, node, RxMode::Polling}).ok());
  }
  void TearDown() override {
    dataplane->stop();
    EXPECT_EQ(dataplane->pool().usage().used, 0u) << "buffers leaked";
  }

  template <class Request>
  std::unique_ptr<Live> open(const char* method, Request message, bool dry_run = false) {
    const Api::Method* found = api.find(std::string("/sluice.trace.Trace/") + method);
    auto live = std::make_unique<Live>();
    live->request = std::make_unique<Request>(std::move(message));
    live->stream = found->streaming(*live->request, dry_run ? dry_call : live->call);
    return live;
  }
  /// A live trace that has begun.
  std::unique_ptr<Live> flow(const char* protocol, const char* source, const char* destination, std::uint32_t count,
                             std::uint32_t ms = kLong) {
    FlowTrace spec;
    spec.set_protocol(protocol);
    spec.set_source(source);
    spec.set_destination(destination);
    spec.set_count(count);
    spec.set_time(ms);
    auto live = open("TraceFlow", spec);
    live->stream->next();
    let_the_worker_see();
    return live;
  }
  /// A pass that has begun does not look again for what is published.
  void let_the_worker_see() {
    const Counter& loops = dataplane->workers()[0]->worker().loops;
    wait_for([&, before = loops.get()] { return loops.get() > before; });
  }
  std::unique_ptr<Live> web(std::uint32_t count, std::uint32_t ms = kLong) {
    return flow("tcp", "10.1.0.5:*", "10.1.0.6:80", count, ms);
  }
  void request() { wire.arrive(packet().ip4("10.1.0.5", "10.1.0.6").tcp(4000, 80)); }
  void reply() { wire.arrive(packet().ip4("10.1.0.6", "10.1.0.5").tcp(80, 4000)); }
  void other() { wire.arrive(packet().ip4("10.1.0.5", "10.1.0.6").tcp(4000, 81)); }
  std::size_t published() { return dataplane->trace().get().requests.size(); }

  Status add(std::uint32_t count, const char* filter = "") {
    TraceSpec spec;
    spec.set_node("gate");
    spec.set_count(count);
    spec.set_filter(filter);
    Done done;
    CallContext call;
    auto status = api.find("/sluice.trace.Trace/AddTrace")->unary(spec, done, call);
    let_the_worker_see();
    return status;
  }
  bool clear() {
    Done done;
    CallContext call;
    EXPECT_TRUE(api.find("/sluice.trace.Trace/ClearTrace")->unary(Nothing(), done, call).ok());
    return !done.unchanged();
  }
  std::size_t shown() {
    TraceQuery query;
    query.set_max(1000);
    return open("ShowTrace", query)->count();
  }

  testing::MemoryInterfaces interfaces;
  Api api;
  Registry registry;
  Gate::Shared gate;
  Wire wire;
  CallContext dry_call{CallContext::Origin::Socket, true};
  std::unique_ptr<Dataplane> dataplane;
  std::unique_ptr<TraceService> service;
};

std::string way(const Packet& p) {
  std::string text;
  for (const Hop& hop : p.hop()) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", hop.node(), hop.verdict());
  return text;
}

TEST_F(TraceServiceTest, FollowsBothDirectionsOfAFlowAndEndsAfterSoManyPackets) {
  const auto live = web(3);
  other();
  request();
  reply();
  other();
  request();
  for (std::uint32_t number = 1; number <= 3; ++number) {
    const Packet* seen = live->next();
    ASSERT_NE(seen, nullptr) << live->error();
    EXPECT_EQ(seen->number(), number);
    EXPECT_EQ(way(*seen), "gate: yard, yard: drop done");
    EXPECT_EQ(seen->hop(0).rx_interface(), "pod/web");
  }
  EXPECT_EQ(live->next(), nullptr);
  EXPECT_EQ(live->error(), "");
  EXPECT_EQ(published(), 0u);
}

TEST_F(TraceServiceTest, NamesTheExplainWhenNothingCame) {
  const auto live = web(3, 1);
  EXPECT_EQ(live->next(), nullptr);
  EXPECT_EQ(live->error(),
            "no packet of this flow came in 1 ms; explain from INTERFACE tcp 10.1.0.5:40000 > 10.1.0.6:80 says what "
            "would happen to one");
  const auto any = flow("ip", "2001:db8::1", "*", 1, 1000);
  EXPECT_EQ(any->next(), nullptr);
  EXPECT_EQ(
      any->error(),
      "no packet of this flow came in 1 s; explain from INTERFACE icmp6 2001:db8::1 > * says what would happen to "
      "one");
}

TEST_F(TraceServiceTest, AStreamThatIsGivenUpEndsItsTraceAtOnce) {
  auto live = web(3);
  EXPECT_EQ(published(), 1u);
  live.reset();
  EXPECT_EQ(published(), 0u);
}

TEST_F(TraceServiceTest, TwoOfTheSameFlowEachHaveAllOfItsPackets) {
  const auto first = web(4), second = web(2), third = flow("tcp", "*", "*:81", 1);
  for (int i = 0; i < 2; ++i) {
    request();
    other();
    reply();
  }
  EXPECT_EQ(second->count(), 2u);
  EXPECT_EQ(third->count(), 1u);
  EXPECT_EQ(first->count(), 4u);
}

TEST_F(TraceServiceTest, AHeldPacketIsShownWithWhatCameAfter) {
  const auto live = web(1);
  gate.shut = true;
  request();
  wait_for([&] { return gate.kept == 1; });
  for (int look = 0; look < 5; ++look) EXPECT_EQ(live->stream->next(), AnyStream::Step::Wait);
  gate.shut = false;
  dataplane->release_held();
  const Packet* seen = live->next();
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(way(*seen), "gate: hold, yard: drop done");
  EXPECT_EQ(live->next(), nullptr);
}

TEST_F(TraceServiceTest, AHeldPacketIsShownAsItIsWhenTheTimeIsOver) {
  gate.shut = true;
  const auto live = web(1, 1000);
  request();
  const Packet* seen = live->next();
  ASSERT_NE(seen, nullptr) << live->error();
  EXPECT_EQ(way(*seen), "gate: hold");
  EXPECT_EQ(live->next(), nullptr);
  EXPECT_EQ(live->error(), "");
}

TEST_F(TraceServiceTest, AHeldPacketOfTwoLosesNothingWhenOneOfThemIsGivenUp) {
  gate.shut = true;
  const auto first = web(1);
  auto second = web(1);
  request();
  wait_for([&] { return gate.kept == 1; });
  second.reset();
  gate.shut = false;
  dataplane->release_held();
  const Packet* seen = first->next();
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(way(*seen), "gate: hold, yard: drop done");
  EXPECT_EQ(first->next(), nullptr);
  EXPECT_EQ(published(), 0u) << "nobody is interested any more";
}

TEST_F(TraceServiceTest, LeavesTraceAddAlone) {
  ASSERT_TRUE(add(2, "tcp port 81").ok());
  other();
  const auto live = web(1);
  request();
  EXPECT_EQ(live->count(), 1u);
  other();
  wait_for([&] { return shown() == 2; });
  const auto again = web(1);
  EXPECT_TRUE(clear());
  EXPECT_FALSE(clear());
  EXPECT_EQ(shown(), 0u);
  request();
  EXPECT_EQ(again->count(), 1u);
}

TEST_F(TraceServiceTest, RefusesMoreThanItsLimitAtATime) {
  std::vector<std::unique_ptr<Live>> all;
  for (std::size_t i = 0; i < TraceRequests::kMaxActive; ++i) all.push_back(web(1));
  EXPECT_EQ(web(1)->error().substr(0, 33), "8 traces are under way, the most;");
  EXPECT_EQ(text(add(1)).substr(0, 33), "8 traces are under way, the most;");
  all.pop_back();
  EXPECT_TRUE(add(1).ok());
}

TEST_F(TraceServiceTest, ForgetsTheOldestThatHaveAllTheirPackets) {
  for (std::size_t i = 0; i < TraceRequests::kMaxRemembered + 3; ++i) {
    ASSERT_TRUE(add(1).ok());
    const auto request_of = [&]() -> const TraceRequest& { return *dataplane->trace().get().requests.back(); };
    request();
    wait_for([&] { return !request_of().wants_more(); });
  }
  wait_for([&] { return shown() == TraceRequests::kMaxRemembered + 1; });
}

TEST_F(TraceServiceTest, RefusesWhatIsNoFlow) {
  EXPECT_EQ(flow("tcp", "10.1.0.5", "2001:db8::1", 1)->error(),
            "10.1.0.5 and 2001:db8::1: a flow has addresses of one family");
  EXPECT_EQ(flow("icmp", "10.1.0.5:1", "*", 1)->error(), "icmp has no ports: leave :1 away, or say tcp, udp or sctp");
  EXPECT_NE(flow("tcp", "web", "*", 1)->error().find("source 'web': must be ADDRESS"), std::string::npos);
  EXPECT_EQ(published(), 0u);
}

TEST_F(TraceServiceTest, ADryRunTracesNothing) {
  FlowTrace spec;
  spec.set_protocol("ip");
  spec.set_source("*");
  spec.set_destination("*");
  spec.set_count(1);
  spec.set_time(kLong);
  const auto live = open("TraceFlow", spec, true);
  EXPECT_EQ(live->next(), nullptr);
  EXPECT_EQ(live->error(), "");
  EXPECT_EQ(published(), 0u);
}

TEST_F(TraceServiceTest, APodNeedsItsPlugin) {
  PodTrace spec;
  spec.set_name("web");
  auto live = open("TracePod", spec);
  EXPECT_EQ(live->next(), nullptr);
  EXPECT_EQ(live->error(), "pod web: the plugin pod is not loaded, which knows its addresses");
  spec.set_name("db");
  live = open("TracePod", spec);
  EXPECT_EQ(live->next(), nullptr);
  EXPECT_EQ(live->error(), "pod db: no such pod; show pod lists them");
}

}  // namespace
}  // namespace sluice::trace
