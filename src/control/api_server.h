// SPDX-License-Identifier: Apache-2.0
// Serves an Api on unix sockets: gRPC, one generic service for all methods. gRPC's threads parse and queue; handlers
// run on the control loop.
#pragma once
#include <asio/io_context.hpp>
#include <memory>
#include <string>

#include "control/dispatcher.h"
#include "sluice/status.h"

namespace sluice::control {

struct SocketOptions {
  std::string path;
  /// Only methods that change nothing, and readable by the group.
  bool read_only = false;
  /// The group of a read-only socket; empty leaves the process's.
  std::string group = {};
};

/// Trailing metadata of every answer of a daemon: tells it from what gRPC makes up when the daemon is gone.
inline constexpr const char* kAnsweredKey = "sluice-answered";
/// And of a call that came when too many waited: nothing has been done of it, so it may be made again.
inline constexpr const char* kBusyKey = "sluice-busy";

/// How much clients may hold at once.
struct CallLimits {
  std::size_t open = 256;                  ///< calls open on a socket that changes things
  std::size_t open_read_only = 128;        ///< and on one that does not
  std::chrono::milliseconds stall{30000};  ///< how long a client may leave its stream unread
};

class SLUICE_API ApiServer {
 public:
  /// At most this many calls wait for the control thread; more are refused with RESOURCE_EXHAUSTED.
  static constexpr unsigned kWaitingMax = 64;

  /// The Api behind the dispatcher is complete by now.
  ApiServer(asio::io_context& loop, const Dispatcher& dispatcher);
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;
  ~ApiServer();

  /// May be changed before calls come.
  CallLimits& limits();
  /// Opens a socket: mode 0600, or 0660 when read-only. Refuses when another daemon serves it.
  Status listen(const SocketOptions& options);
  /// Ends all calls and removes the sockets. Control thread; the loop need not run.
  void stop();

 private:
  struct Socket;
  struct State;
  std::shared_ptr<State> state_;
  std::vector<std::unique_ptr<Socket>> sockets_;
};

}  // namespace sluice::control
