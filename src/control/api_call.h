// SPDX-License-Identifier: Apache-2.0
// One call on a socket. The only other file that sees gRPC is api_server.cc.
#pragma once
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <set>

#include "control/api_server.h"

namespace sluice::control {

class Call;

/// What all calls of a server share.
struct CallShared {
  asio::io_context& loop;
  const Dispatcher& dispatcher;
  std::atomic<unsigned> waiting{0};
  CallLimits limits;
  std::mutex mutex;
  std::set<std::shared_ptr<Call>> calls;  // under the mutex; a call is in it until gRPC is done with it
  std::size_t read_only_calls = 0;        // under the mutex; of them, those on read-only sockets
};

class Call final : public grpc::ServerGenericBidiReactor, public std::enable_shared_from_this<Call> {
 public:
  /// grpc: lives until OnDone. verbs: see kListVerbsKey.
  Call(std::shared_ptr<CallShared> shared, grpc::GenericCallbackServerContext& grpc, const Api::Method& method,
       CallContext::Origin origin, bool dry_run, std::string verbs);
  /// gRPC thread: begins to read the request. False: too many calls are open; this one is not.
  bool start();
  /// Control thread, after the server has ended all calls: gives up the handler's state.
  void drop();

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // Control thread.
  void run();
  void run_batch();
  void read_next();
  Status select();
  void pump();
  void later(std::chrono::milliseconds time);
  bool is_stalled();
  void stall();

  // Any thread.
  void finish(const Status& status);
  void send(const google::protobuf::Message& message);
  void write_next();  // under the mutex
  bool is_read_only() const { return context_.origin() == CallContext::Origin::ReadOnlySocket; }

  const std::shared_ptr<CallShared> shared_;
  grpc::GenericCallbackServerContext& grpc_;
  const Api::Method& method_;
  CallContext context_;
  grpc::ByteBuffer request_bytes_;
  std::unique_ptr<google::protobuf::Message> request_;
  bool request_read_ = false;  // the first one; gRPC thread
  const std::string verbs_;    // serialized ListVerbs; empty when the call has none

  std::unique_ptr<AnyStream> stream_;          // control thread
  std::unique_ptr<asio::steady_timer> timer_;  // control thread

  std::mutex mutex_;
  std::deque<grpc::ByteBuffer> queue_;  // what is not yet with gRPC
  std::size_t queued_bytes_ = 0;
  grpc::ByteBuffer in_flight_;
  bool writing_ = false;
  bool stalled_ = false;   // the handler waits for the client to read
  bool ended_ = false;     // the handler has ended; end_ follows the last write
  bool finished_ = false;  // Finish has been called
  grpc::Status end_;
};

}  // namespace sluice::control
