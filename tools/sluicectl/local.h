// SPDX-License-Identifier: Apache-2.0
// The commands of local.proto.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "client.h"
#include "local.pb.h"

namespace sluice::ctl {

/// Adds the commands of local.proto to what a daemon can be asked.
void add_local(control::Description& description);

class Local {
 public:
  using Reply = std::function<bool(const google::protobuf::Message&)>;
  Local(Client& client, control::Schema& schema) : client_(client), schema_(schema) {}

  static bool owns(const google::protobuf::MethodDescriptor& method);
  /// Like Client::call.
  Status call(const google::protobuf::MethodDescriptor& method, const google::protobuf::Message& request, bool dry_run,
              const Reply& reply);

 private:
  StatusOr<std::vector<std::string>> running();
  Status save(const std::string& path, bool dry_run, const Reply& reply);
  Status diff(const std::string& path, const Reply& reply);
  StatusOr<std::vector<std::string>> saved(const std::string& path) const;

  Client& client_;
  control::Schema& schema_;
};

}  // namespace sluice::ctl
