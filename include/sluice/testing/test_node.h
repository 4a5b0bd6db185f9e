// SPDX-License-Identifier: Apache-2.0
// A whole node inside a test: context, interfaces, features, API and running workers, without sockets or privileges.
// Commands are given as lines, as an operator types them, so that a test of a service also tests its declarations. In
// this tree only: it needs what libsluice hides.
#pragma once
#include <google/protobuf/message.h>
#include <sluice/api.h>
#include <sluice/context.h>
#include <sluice/registry.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::testing {

class TestNode {
 public:
  /// fill registers what a plugin registers; registry.context is set. Services of the framework (interfaces) are there.
  explicit TestNode(const std::function<void(Registry&)>& fill, unsigned workers = 1);
  /// Every test ends with the leak check.
  ~TestNode();
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;

  Context& context();
  Registry& registry();

  /// Runs a command. What it replies is in replies.
  Status run(std::string_view line);
  /// The error of a command; empty when it succeeds.
  std::string error(std::string_view line) { return text(run(line)); }
  /// Reply i as what it is.
  template <class T>
  const T& reply(std::size_t i = 0) const {
    return dynamic_cast<const T&>(*replies.at(i));
  }
  std::vector<std::unique_ptr<google::protobuf::Message>> replies;

  /// Runs the control loop until done() is true; false when that takes more than 20 s.
  bool wait_for(const std::function<bool()>& done);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace sluice::testing
