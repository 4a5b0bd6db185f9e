// SPDX-License-Identifier: Apache-2.0
#include "control/api_server.h"

#include <sys/stat.h>

#include "control/api_call.h"
#include "control/process.h"
#include "control/reflection.h"
#include "control/selected_stream.h"
#include "control/socket_lock.h"

namespace sluice::control {
namespace {

/// Says no, without reading anything.
class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

class GenericService final : public grpc::CallbackGenericService {
 public:
  GenericService(std::shared_ptr<CallShared> shared, bool read_only)
      : shared_(std::move(shared)), read_only_(read_only) {}

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    context->AddTrailingMetadata(kAnsweredKey, "1");
    const std::string& path = context->method();
    if (is_reflection(path)) return make_reflection(shared_->dispatcher.api());
    const auto* method = shared_->dispatcher.api().find(path);
    if (!method)
      return new Refusal({grpc::StatusCode::UNIMPLEMENTED, "method " + path + ": this daemon has none of that name"});
    if (read_only_ && !method->read_only) {
      return new Refusal({grpc::StatusCode::PERMISSION_DENIED,
                          "method " + path +
                              ": changes something, and this is the read-only socket; nothing changed; use the "
                              "other one, as root"});
    }
    const bool dry_run = context->client_metadata().contains("sluice-dry-run");
    const auto origin = read_only_ ? CallContext::Origin::ReadOnlySocket : CallContext::Origin::Socket;
    const auto verbs = context->client_metadata().find(kListVerbsKey);
    const auto call = std::make_shared<Call>(shared_, *context, *method, origin, dry_run,
                                             verbs == context->client_metadata().end()
                                                 ? std::string()
                                                 : std::string(verbs->second.data(), verbs->second.size()));
    if (!call->start()) {
      return new Refusal({grpc::StatusCode::RESOURCE_EXHAUSTED,
                          "too many calls are open on this socket; end some (live traces, --watch) and try again"});
    }
    return call.get();  // shared_->calls keeps it until OnDone
  }

 private:
  std::shared_ptr<CallShared> shared_;
  const bool read_only_;
};

}  // namespace

struct ApiServer::State : CallShared {};

struct ApiServer::Socket {
  SocketLock lock;
  std::unique_ptr<GenericService> service;
  std::unique_ptr<grpc::Server> server;
};

ApiServer::ApiServer(asio::io_context& loop, const Dispatcher& dispatcher)
    : state_(new State{{.loop = loop, .dispatcher = dispatcher, .limits = {}, .mutex = {}, .calls = {}}}) {}

CallLimits& ApiServer::limits() { return state_->limits; }

ApiServer::~ApiServer() { stop(); }

Status ApiServer::listen(const SocketOptions& options) {
  auto lock = SocketLock::take(options.path);
  if (!lock.ok()) return lock.status();
  auto service = std::make_unique<GenericService>(state_, options.read_only);
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(1 << 20);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 256);
  int port = 0;
  builder.AddListeningPort("unix:" + options.path, grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(service.get());
  const auto mask = umask(options.read_only ? 0117 : 0177);  // the socket is born with its mode
  auto server = builder.BuildAndStart();
  umask(mask);
  if (!server || port == 0) return unavailable("socket {}: cannot listen on it; choose another", options.path);
  if (!options.group.empty()) {
    if (auto status = process::give_to_group(options.path, options.group); !status.ok()) {
      server->Shutdown();
      return status;
    }
  }
  sockets_.push_back(std::unique_ptr<Socket>(new Socket{*std::move(lock), std::move(service), std::move(server)}));
  return {};
}

void ApiServer::stop() {
  const auto open_calls = [this] {
    const std::lock_guard lock(state_->mutex);
    return state_->calls;
  };
  auto calls = open_calls();  // those that gRPC is done with before Shutdown returns are in here only
  for (auto& socket : sockets_) socket->server->Shutdown(std::chrono::system_clock::now());
  calls.merge(open_calls());
  for (const auto& call : calls) call->drop();
  sockets_.clear();
}

}  // namespace sluice::control
