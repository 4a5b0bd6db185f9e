// SPDX-License-Identifier: Apache-2.0
// Runs a method: checks the request's rules, then its handler. Every way into the daemon (sockets, startup:, journal)
// ends here, on the control thread.
#pragma once
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "sluice/api.h"

namespace sluice::control {

class SLUICE_API Dispatcher {
 public:
  /// Told of each accepted change before it is acknowledged. An error goes to the client instead of the reply.
  using ChangeHook = std::function<Status(const Api::Method&, const google::protobuf::Message& request, CallContext&)>;

  explicit Dispatcher(const Api& api) : api_(api) {}
  const Api& api() const { return api_; }
  void on_change(ChangeHook hook) { hook_ = std::move(hook); }

  Status call(const Api::Method& method, google::protobuf::Message& request, google::protobuf::Message& reply,
              CallContext& context) const;
  /// Null when the request breaks a rule; then `status` says which. The request must outlive the stream.
  std::unique_ptr<AnyStream> open(const Api::Method& method, google::protobuf::Message& request, CallContext& context,
                                  Status& status) const;
  /// Live values of a field that begin with the prefix.
  std::vector<Candidate> complete(const google::protobuf::FieldDescriptor& field, const KindQuery& query) const;

 private:
  Status check(const Api::Method& method, google::protobuf::Message& request) const;
  /// What the rules say of an element of a batch. It remembers which values of which fields were right, so that they
  /// are looked for once a batch.
  CallContext::Check element_check() const;
  Status check_kind(const google::protobuf::FieldDescriptor& field, std::string_view kind,
                    std::string_view value) const;

  const Api& api_;
  ChangeHook hook_;
};

}  // namespace sluice::control
