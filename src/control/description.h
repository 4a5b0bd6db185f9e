// SPDX-License-Identifier: Apache-2.0
// What Describe answers, and how a client makes descriptors of it.
#pragma once
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>

#include <memory>
#include <string>
#include <vector>

#include "control/control.pb.h"
#include "control/grammar.h"
#include "sluice/api.h"

namespace sluice::control {

SLUICE_API Description describe(const Api& api);
/// The file that holds a service or message and all that it needs, needed ones first.
std::vector<google::protobuf::FileDescriptorProto> files_of(const google::protobuf::FileDescriptor& file);

/// A client's knowledge of a daemon.
class SLUICE_API Schema {
 public:
  static StatusOr<std::unique_ptr<Schema>> make(const Description& description);
  const Grammar& grammar() const { return *grammar_; }
  const Description& description() const { return description_; }
  const google::protobuf::DescriptorPool& pool() const { return pool_; }
  google::protobuf::MessageFactory& factory() { return factory_; }

 private:
  Schema() : factory_(&pool_) {}
  Status load();
  Description description_;
  google::protobuf::DescriptorPool pool_;
  google::protobuf::DynamicMessageFactory factory_;
  std::unique_ptr<Grammar> grammar_;
};

/// The comment of a service, method, message, field or enumerator, one paragraph a line; empty when there is none.
SLUICE_API std::string comment(const google::protobuf::MethodDescriptor& method);
SLUICE_API std::string comment(const google::protobuf::FieldDescriptor& field);
SLUICE_API std::string comment(const google::protobuf::ServiceDescriptor& service);
/// Up to the first full stop.
SLUICE_API std::string first_sentence(std::string_view comment);

}  // namespace sluice::control
