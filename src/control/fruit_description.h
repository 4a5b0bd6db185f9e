// SPDX-License-Identifier: Apache-2.0
// What a daemon with the test service describes, for tests that change the description.
#pragma once
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "control/description.h"
#include "control/fruit_service.h"

namespace sluice::test {

class FruitDescription {
 public:
  FruitDescription() {
    fruit_.offer(api_);
    description = control::describe(api_);
  }
  /// Changes the description of the test service's file.
  void edit(const std::function<void(google::protobuf::FileDescriptorProto&)>& change) {
    for (auto& bytes : *description.mutable_files()) {
      google::protobuf::FileDescriptorProto file;
      ASSERT_TRUE(file.ParseFromString(bytes));
      if (file.name() != "control/test.proto") continue;
      change(file);
      bytes = file.SerializeAsString();
    }
  }
  std::unique_ptr<control::Schema> schema() const {
    auto schema = control::Schema::make(description);
    EXPECT_TRUE(schema.ok()) << text(schema.status());
    return schema.ok() ? *std::move(schema) : nullptr;
  }

  control::Description description;

 private:
  FruitService fruit_;
  Api api_;
};

}  // namespace sluice::test
