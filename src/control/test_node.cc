// SPDX-License-Identifier: Apache-2.0
#include "sluice/testing/test_node.h"

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "control/grammar.h"
#include "control/node_context.h"
#include "control/values.h"
#include "interface/device_service.h"
#include "interface/interface_service.h"

namespace sluice::testing {

struct TestNode::Parts {
  asio::io_context loop{1};
  Api api;
  Registry registry;
  std::unique_ptr<Dataplane> dataplane;
  std::unique_ptr<NodeContext> context;
  std::unique_ptr<interface::InterfaceService> interfaces;
  std::unique_ptr<interface::DeviceService> devices;
  std::unique_ptr<control::Grammar> grammar;
};

TestNode::TestNode(const std::function<void(Registry&)>& fill, unsigned workers) : parts_(std::make_unique<Parts>()) {
  Parts& p = *parts_;
  auto made = Dataplane::create({.workers = workers, .pool = {.buffers = 4096, .hugepages = false}},
                                [&p](Rcu::Function f) { asio::post(p.loop, std::move(f)); });
  EXPECT_TRUE(made.ok()) << text(made.status());
  p.dataplane = std::move(*made);
  p.context = std::make_unique<NodeContext>(p.loop, *p.dataplane, p.api, true);
  p.registry.context = p.context.get();
  fill(p.registry);
  const Status built = p.dataplane->build(p.registry);
  EXPECT_TRUE(built.ok()) << text(built);
  p.interfaces =
      std::make_unique<interface::InterfaceService>(*p.dataplane, p.context->interfaces(), p.context->features());
  p.interfaces->offer(p.api);
  p.devices = std::make_unique<interface::DeviceService>(*p.dataplane, p.context->interfaces(), p.context->features());
  p.devices->offer(p.api);
  EXPECT_TRUE(p.api.check().ok()) << text(p.api.check());
  p.grammar = std::make_unique<control::Grammar>(*google::protobuf::MessageFactory::generated_factory());
  for (const std::string& name : p.api.services()) {
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    const Status added = p.grammar->add(*service);
    EXPECT_TRUE(added.ok()) << text(added);
  }
  p.context->watch();
  p.dataplane->start();
  for (const auto& function : p.registry.starts()) {
    const Status started = function();
    EXPECT_TRUE(started.ok()) << text(started);
  }
}

TestNode::~TestNode() {
  Parts& p = *parts_;
  for (auto it = p.registry.stops().rbegin(); it != p.registry.stops().rend(); ++it) (*it)();
  p.dataplane->rcu().drain();
  p.loop.restart();
  p.loop.poll();
  p.dataplane->stop();
  EXPECT_EQ(p.dataplane->pool().usage().used, 0u) << "buffers leaked";
  p.context.reset();
  p.dataplane.reset();
}

Context& TestNode::context() { return *parts_->context; }
Registry& TestNode::registry() { return parts_->registry; }

Status TestNode::run(std::string_view line) {
  replies.clear();
  control::Command command;
  control::LineError error;
  if (!parts_->grammar->parse(line, {}, command, error)) return refused("{}", error.message);
  const auto kinds = [this](const google::protobuf::FieldDescriptor&, std::string_view name, std::string_view value) {
    const Kind* kind = parts_->api.find_kind(name);
    if (!kind) return Status();
    if (kind->validate) return kind->validate(value);
    for (const Candidate& candidate : kind->list({value, nullptr})) {
      if (candidate.value == value) return Status();
    }
    return refused("no such {}", name);
  };
  if (Status status = control::check_rules(*command.request, kinds); !status.ok()) return status;
  const auto& descriptor = *command.method;
  const auto* method =
      parts_->api.find("/" + std::string(descriptor.service()->full_name()) + "/" + std::string(descriptor.name()));
  if (!method) return not_found("{} has no handler", descriptor.full_name());
  CallContext call;
  if (method->unary) {
    replies.emplace_back(method->reply->New());
    return method->unary(*command.request, *replies.back(), call);
  }
  const auto stream = method->streaming(*command.request, call);
  for (auto step = stream->next(); step != AnyStream::Step::End; step = stream->next()) {
    if (step != AnyStream::Step::Value) continue;
    replies.emplace_back(stream->value().New());
    replies.back()->CopyFrom(stream->value());
  }
  return stream->status();
}

bool TestNode::wait_for(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done() && std::chrono::steady_clock::now() < deadline) {
    parts_->loop.restart();
    parts_->loop.run_one_for(std::chrono::milliseconds(1));
  }
  return done();
}

}  // namespace sluice::testing
