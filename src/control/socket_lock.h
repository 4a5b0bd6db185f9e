// SPDX-License-Identifier: Apache-2.0
// One daemon a socket: holds PATH.lock while it lives, and clears away the socket of a daemon that has died.
#pragma once
#include <string>

#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice::control {

class SLUICE_API SocketLock {
 public:
  /// Refuses when another process serves the path, or when the path holds something else.
  static StatusOr<SocketLock> take(const std::string& path);
  SocketLock(SocketLock&& other) noexcept;
  SocketLock& operator=(SocketLock&&) = delete;
  /// Removes the socket and the lock.
  ~SocketLock();

 private:
  SocketLock(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_ = -1;
};

}  // namespace sluice::control
