// SPDX-License-Identifier: Apache-2.0
// Puts the parts of a running node together, in order, and takes them apart in the reverse order.
#pragma once
#include <asio/io_context.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "control/capture_service.h"
#include "control/doctor.h"
#include "control/drops_service.h"
#include "control/explain_service.h"
#include "control/node_context.h"
#include "control/plugin_loader.h"
#include "control/runtime_service.h"
#include "control/trace_service.h"
#include "interface/device_service.h"
#include "interface/interface_service.h"
#include "ip/ip_stack.h"
#include "ip/neighbor_service.h"
#include "ip/route_service.h"
#include "sluice/api.h"

namespace sluice {

struct DaemonOptions {
  DataplaneOptions dataplane;
  std::filesystem::path plugin_folder;
  std::vector<std::string> plugins;                  ///< empty: all in the folder
  std::vector<std::filesystem::path> extra_plugins;  ///< files
  bool unprivileged = false;
  std::filesystem::path run_folder;  ///< Context::run_folder
};

class SLUICE_API Daemon {
 public:
  /// Loads plugins, builds the graph, registers every operation. Nothing runs yet.
  static StatusOr<std::unique_ptr<Daemon>> create(const DaemonOptions& options);
  ~Daemon();

  /// Starts the workers.
  Status start();
  /// Instead of stop() when the start has failed: interfaces that were there before it, left by a daemon that died,
  /// stay.
  void abandon();
  /// Stops them and undoes what plugins have made; a clean stop leaves nothing behind.
  void stop();

  asio::io_context& loop() { return loop_; }
  Api& api() { return api_; }
  Dataplane& dataplane() { return *dataplane_; }
  NodeContext& context() { return *context_; }
  IpStack& ip() { return *ip_; }
  const std::vector<LoadedPlugin>& plugins() const { return plugins_; }

 private:
  explicit Daemon(const DaemonOptions& options) : options_(options) {}
  Status assemble();
  Status add_plugins();
  void offer_services();

  const DaemonOptions options_;
  asio::io_context loop_{1};
  Api api_;
  std::unique_ptr<Dataplane> dataplane_;
  std::unique_ptr<IpStack> ip_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<NodeContext> context_;
  std::vector<LoadedPlugin> plugins_;
  std::unique_ptr<interface::InterfaceService> interface_service_;
  std::unique_ptr<interface::DeviceService> device_service_;
  std::unique_ptr<ip::RouteService> route_service_;
  std::unique_ptr<ip::NeighborService> neighbor_service_;
  std::unique_ptr<runtime::RuntimeService> runtime_service_;
  std::unique_ptr<trace::TraceService> trace_service_;
  std::unique_ptr<drops::DropsService> drops_service_;
  std::unique_ptr<explain::ExplainService> explain_service_;
  std::unique_ptr<capture::CaptureService> capture_service_;
  std::unique_ptr<doctor::DoctorService> doctor_service_;
  bool running_ = false;
};

}  // namespace sluice
