// SPDX-License-Identifier: Apache-2.0
// The service sluice.control.Meta: what clients ask first, version and log.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <span>

#include "control/control.pb.h"
#include "control/dispatcher.h"
#include "control/plugin_loader.h"

namespace sluice::control {

class SLUICE_API MetaService {
 public:
  /// The plugins outlive it.
  explicit MetaService(const Dispatcher& dispatcher, std::span<const LoadedPlugin> plugins = {});
  ~MetaService();
  void offer(Api& api);

 private:
  Status describe(const Nothing&, Description& reply);
  Status complete(const CompleteRequest& request, CompleteReply& reply) const;
  Status version(const Nothing&, Version& reply) const;
  Stream<Plugin> plugins(const Nothing&) const;
  Stream<LogLine> log(const LogQuery& query);

  const Dispatcher& dispatcher_;
  const std::span<const LoadedPlugin> plugins_;
  std::optional<Description> description_;
  std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

}  // namespace sluice::control
