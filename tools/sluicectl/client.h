// SPDX-License-Identifier: Apache-2.0
// A connection to the daemon's socket.
#pragma once
#include <google/protobuf/message.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "control/description.h"
#include "sluice/status.h"

namespace grpc {
class ClientContext;
class Status;
}  // namespace grpc

namespace sluice::ctl {

/// Exit statuses.
enum Exit : int { kDone = 0, kRefused = 1, kSyntax = 2, kUnreachable = 3 };

/// Where the daemon listens when nothing is said.
inline constexpr const char* kSocket = "/run/sluice/api.sock";
inline constexpr const char* kReadOnlySocket = "/run/sluice/ro.sock";

/// How a call is made.
struct CallOptions {
  bool dry_run = false;
  const google::protobuf::Message* verbs = nullptr;  // control.ListVerbs: which rows are wanted
};

class Client {
 public:
  /// Connects; with an empty path to the socket that this user may use. Unavailable when nobody answers: the message
  /// names the socket, the unit's state and its last log line.
  static StatusOr<std::unique_ptr<Client>> connect(const std::string& path);
  ~Client();

  /// Makes a call and gives each reply to `reply`, which may end it by returning false. The request's and replies'
  /// types are the method's. Sets lost() when the daemon has gone. Tries again for a while when it has too much to do.
  Status call(const google::protobuf::MethodDescriptor& method, const google::protobuf::Message& request,
              google::protobuf::MessageFactory& factory, const CallOptions& options,
              const std::function<bool(const google::protobuf::Message&)>& reply);
  /// Sends what `next` gives, serialized messages of the method's input type, until it gives nothing more, and gives
  /// the answers to `reply` in their order. A few are under way at a time, so that neither side waits for the other;
  /// what is held back here is held back by the daemon.
  Status exchange(const google::protobuf::MethodDescriptor& method, google::protobuf::MessageFactory& factory,
                  const CallOptions& options, const std::function<const std::string*()>& next,
                  const std::function<void(const google::protobuf::Message&)>& reply);
  /// What the daemon can be asked.
  StatusOr<std::unique_ptr<control::Schema>> describe();
  /// Live values of a field; none when the daemon does not answer.
  control::CompleteReply complete(const control::CompleteRequest& request);
  /// What runs there.
  StatusOr<control::Version> version();
  /// Calls end soon after the flag is set, by a signal handler for one.
  void interrupted_by(const std::atomic<bool>& flag) { interrupted_ = &flag; }
  /// Called from time to time while a call waits.
  void while_waiting(std::function<void()> function) { waiting_ = std::move(function); }
  /// Whether the last call had no answer from a daemon.
  bool lost() const { return lost_; }
  const std::string& path() const { return path_; }

 private:
  struct Channel;
  Client(std::string path, std::unique_ptr<Channel> channel);
  /// A method of sluice.control.Meta with its one reply.
  Status ask(const char* method, const google::protobuf::Message& request, google::protobuf::Message& reply);
  /// Connects anew where the connection has gone.
  Status connected();
  /// One try of a call. busy: the daemon has not taken it for too many waited.
  Status attempt(const google::protobuf::MethodDescriptor& method, const google::protobuf::Message& request,
                 google::protobuf::MessageFactory& factory, const CallOptions& options,
                 const std::function<bool(const google::protobuf::Message&)>& reply, bool& busy);
  /// What a call came to; sets lost().
  Status outcome(const grpc::Status& status, const grpc::ClientContext& context);
  bool is_interrupted() const { return interrupted_ && *interrupted_; }
  std::string path_;
  std::unique_ptr<Channel> channel_;
  const std::atomic<bool>* interrupted_ = nullptr;
  std::function<void()> waiting_;
  bool lost_ = false;
};

}  // namespace sluice::ctl
