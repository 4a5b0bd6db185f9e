// SPDX-License-Identifier: Apache-2.0
// Serves control/test.proto, for the tests of src/control.
#pragma once
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <future>
#include <map>
#include <string>
#include <thread>

#include "control/api_server.h"
#include "control/meta_service.h"
#include "control/test.pb.h"
#include "sluice/api.h"
#include "sluice/testing/temp_folder.h"

namespace sluice::test {

class FruitService {
 public:
  void offer(Api& api) {
    api.service("sluice.test.Fruit")
        .unary("Add", this, &FruitService::add)
        .unary("Remove", this, &FruitService::remove)
        .stream("Show", this, &FruitService::show)
        .stream("Count", this, &FruitService::count)
        .unary("Walk", this, &FruitService::walk)
        .unary("Work", this, &FruitService::work);
    api.service("sluice.test.Crates").batches("Add", this, &FruitService::add_crate);
    api.settings("peeler", *PeelerSettings::descriptor());
    api.kind("tool", "a tool", [](const KindQuery&) { return std::vector<Candidate>{{"knife"}, {"peeler"}}; });
    api.kind("colour", "a colour",
             [](const KindQuery&) { return std::vector<Candidate>{{"red", "ripe"}, {"green", "unripe"}, {"yellow"}}; });
    api.kind("fruit", "what is in the basket", [this](const KindQuery&) {
      std::vector<Candidate> names;
      for (const auto& entry : basket_) names.emplace_back(entry.first);
      return names;
    });
  }
  /// Streams that are running now.
  int counting() const { return counting_; }
  const std::map<std::string, FruitSpec>& basket() const { return basket_; }

 private:
  struct Counting {
    std::atomic<int>& running;
    explicit Counting(std::atomic<int>& r) : running(r) { ++running; }
    ~Counting() { --running; }
  };

  Status add(const FruitSpec& request, Done& done, CallContext& call) {
    const auto found = basket_.find(request.name());
    if (found != basket_.end()) {
      if (found->second.SerializeAsString() != request.SerializeAsString()) {
        return exists("fruit {}: is there already with other properties", request.name());
      }
      done.set_unchanged(true);
      return {};
    }
    done.set_text("fruit " + request.name() + " added");
    if (!call.dry_run()) basket_[request.name()] = request;
    return {};
  }
  Status add_crate(const Crate& crate, CrateReply& reply, CallContext& call) {
    std::vector<FruitSpec> fruits;
    for (const FruitSpec& fruit : crate.fruit()) {
      auto& checked = fruits.emplace_back(fruit);
      const auto status = call.check(checked);
      if (!status.ok()) reply.add_wrong(std::to_string(fruits.size()) + ": " + text(status));
    }
    reply.set_label(crate.label());
    if (crate.label() == "rotten") return refused("the crate is rotten");
    if (reply.wrong_size() > 0) return {};
    for (FruitSpec& fruit : fruits) {
      if (basket_.contains(fruit.name())) continue;
      reply.set_added(reply.added() + 1);
      if (!call.dry_run()) basket_[fruit.name()] = fruit;
      call.record("/sluice.test.Fruit/Add", std::move(fruit));
    }
    return {};
  }
  Status remove(const FruitName& request, Done& done, CallContext& call) {
    if (!call.dry_run()) basket_.erase(request.name());
    done.set_text("fruit " + request.name() + " removed");
    return {};
  }
  Stream<FruitSpec> show(const FruitQuery& query) {
    const auto basket = basket_;  // others change it between two replies
    for (const auto& [name, fruit] : basket) {
      if (query.name().empty() || query.name() == name) co_yield fruit;
    }
  }
  Stream<CountReply> count(const CountQuery& query, CallContext&) {
    const Counting counting(counting_);
    for (std::uint64_t i = 1; i <= query.limit(); ++i) {
      if (query.every()) co_yield Wait{std::chrono::milliseconds(query.every())};
      CountReply reply;
      reply.set_number(i);
      co_yield reply;
    }
  }
  Status walk(const WalkSpec& request, WalkReply& reply) {
    reply.set_start(request.start());
    for (const auto& step : request.step()) {
      auto* place = reply.add_place();
      place->set_name(step.place());
      place->set_weight(step.weight());
    }
    return {};
  }

  Status work(const WorkSpec& request, Done& done) {
    PeelerSettings settings;
    if (request.has_settings() && !request.settings().UnpackTo(&settings)) return refused("settings: not a peeler's");
    done.set_text(request.fruit() + " worked on: " + settings.ShortDebugString());
    return {};
  }

  std::map<std::string, FruitSpec> basket_;
  std::atomic<int> counting_{0};
};

/// A daemon with that service on sockets in a folder of its own, its control loop on a thread.
class FruitDaemon {
 public:
  FruitDaemon() : dispatcher(api), meta(dispatcher), server(loop, dispatcher) {
    fruit.offer(api);
    meta.offer(api);
    start = server.listen({.path = path()});
    if (start.ok()) start = server.listen({.path = read_only_path(), .read_only = true});
    run();
  }
  ~FruitDaemon() {
    halt();
    server.stop();
  }
  std::string path() const { return folder.file("api.sock"); }
  std::string read_only_path() const { return folder.file("ro.sock"); }

  void run() {
    loop.restart();
    work.emplace(loop.get_executor());
    thread = std::thread([this] { loop.run(); });
  }
  /// Stops the control thread; calls wait from now on.
  void halt() {
    work.reset();
    loop.stop();
    if (thread.joinable()) thread.join();
  }
  /// Runs on the control thread and waits for it.
  template <class F>
  auto on_loop(F function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    asio::post(loop, [&task] { task(); });
    return result.get();
  }
  /// Until the condition holds on the control thread; the test's time limit ends a wait that is in vain.
  template <class F>
  void wait_until(F condition) {
    while (!on_loop(condition)) std::this_thread::yield();
  }

  asio::io_context loop;
  Api api;
  FruitService fruit;
  control::Dispatcher dispatcher;
  control::MetaService meta;
  control::ApiServer server;
  Status start;
  testing::TempFolder folder;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::thread thread;
};

}  // namespace sluice::test
