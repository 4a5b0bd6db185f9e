// SPDX-License-Identifier: Apache-2.0
#include "control/daemon.h"

#include <asio/post.hpp>
#include <map>
#include <thread>

#include "interface/offload_nodes.h"
#include "sluice/log.h"

namespace sluice {

StatusOr<std::unique_ptr<Daemon>> Daemon::create(const DaemonOptions& options) {
  std::unique_ptr<Daemon> daemon(new Daemon(options));
  if (auto status = daemon->assemble(); !status.ok()) return status;
  return daemon;
}

Status Daemon::assemble() {
  auto dataplane = Dataplane::create(options_.dataplane, [this](Rcu::Function f) { asio::post(loop_, std::move(f)); });
  if (!dataplane.ok()) return dataplane.status();
  dataplane_ = std::move(*dataplane);
  registry_ = std::make_unique<Registry>();
  context_ = std::make_unique<NodeContext>(loop_, *dataplane_, api_, options_.unprivileged);
  registry_->context = context_.get();
  ip_ = std::make_unique<IpStack>(*context_);
  context_->set_routes(&ip_->routes());
  context_->set_local(&ip_->local());
  context_->set_run_folder(options_.run_folder);
  ip_->register_nodes(*registry_);
  register_offload_nodes(*registry_);
  if (auto status = add_plugins(); !status.ok()) return status;
  if (auto status = dataplane_->build(*registry_); !status.ok()) return status;
  offer_services();
  return api_.check();
}

Status Daemon::add_plugins() {
  auto plugins = load_plugins(options_.plugin_folder, options_.plugins);
  if (!plugins.ok()) return plugins.status();
  plugins_ = std::move(*plugins);
  for (const auto& path : options_.extra_plugins) {
    auto plugin = load_plugin(path);
    if (!plugin.ok()) return plugin.status();
    plugins_.push_back(std::move(*plugin));
  }
  std::map<std::string, std::string> files;
  for (const LoadedPlugin& plugin : plugins_) {
    const auto [first, is_new] = files.emplace(plugin.name, plugin.path);
    if (!is_new) {
      return exists(
          "plugin {}: {} and {} are both it; name one of them, or say under plugins.load which plugins of the "
          "folder you want",
          plugin.name, first->second, plugin.path);
    }
    registry_->set_plugin(plugin.name);
    plugin.descriptor->init(*registry_);
  }
  return {};
}

void Daemon::offer_services() {
  interface_service_ = std::make_unique<interface::InterfaceService>(*dataplane_, context_->interfaces(),
                                                                     context_->features(), context_->routes());
  interface_service_->offer(api_);
  device_service_ =
      std::make_unique<interface::DeviceService>(*dataplane_, context_->interfaces(), context_->features());
  device_service_->offer(api_);
  route_service_ = std::make_unique<ip::RouteService>(ip_->routes(), context_->interfaces());
  route_service_->offer(api_);
  neighbor_service_ = std::make_unique<ip::NeighborService>(ip_->state(), ip_->neighbors(), ip_->addresses(),
                                                            ip_->local(), context_->interfaces());
  neighbor_service_->offer(api_);
  runtime_service_ =
      std::make_unique<runtime::RuntimeService>(*dataplane_, context_->interfaces(), context_->features());
  runtime_service_->offer(api_);
  trace_service_ = std::make_unique<trace::TraceService>(*dataplane_, context_->interfaces(), context_->routes());
  trace_service_->offer(api_);
  drops_service_ = std::make_unique<drops::DropsService>(*dataplane_, context_->interfaces());
  drops_service_->offer(api_);
  explain_service_ = std::make_unique<explain::ExplainService>(*dataplane_, context_->interfaces(), ip_->routes());
  explain_service_->offer(api_);
  capture_service_ = std::make_unique<capture::CaptureService>(*dataplane_, *context_);
  capture_service_->offer(api_);
  doctor_service_ = std::make_unique<doctor::DoctorService>(*dataplane_, context_->interfaces(), options_.unprivileged);
  doctor_service_->offer(api_);
}

Status Daemon::start() {
  context_->watch();
  dataplane_->start();
  running_ = true;
  for (const auto& function : registry_->starts()) {
    if (auto status = function(); !status.ok()) return status;
  }
  return {};
}

void Daemon::abandon() {
  context_->interfaces().leave_as_found();
  stop();
}

void Daemon::stop() {
  if (!running_) return;
  running_ = false;
  for (auto it = registry_->stops().rbegin(); it != registry_->stops().rend(); ++it) (*it)();
  // What was deferred is posted to the loop; let it finish before the workers end.
  dataplane_->rcu().drain();
  loop_.restart();
  loop_.poll();
  dataplane_->stop();
  capture_service_->finish();
}

// Interfaces go first, while what listens to them is there; then kernels, while the state they point to is.
Daemon::~Daemon() {
  if (!dataplane_) return;
  stop();
  context_.reset();
  // Devices that the reclaiming thread has taken up go on the loop, before the buffers that some of them hold.
  while (dataplane_->rcu().backlog() > 0) {
    dataplane_->rcu().drain();
    loop_.restart();
    loop_.poll();
    std::this_thread::yield();
  }
  dataplane_->drop_workers();
  registry_.reset();
  ip_.reset();
  if (const auto used = dataplane_->pool().usage().used) log(LogLevel::Error, "buffers leaked", field("buffers", used));
  dataplane_.reset();
}

}  // namespace sluice
