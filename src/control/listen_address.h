// SPDX-License-Identifier: Apache-2.0
// Where a server listens: "127.0.0.1:9464", "[::1]:9464", or the path of a unix socket.
#pragma once
#include <string>
#include <string_view>

#include "sluice/net/address.h"
#include "sluice/status.h"

namespace sluice::control {

struct ListenAddress {
  std::string path;  ///< of a unix socket; empty: address and port
  IpAddress address;
  std::uint16_t port = 0;  ///< 0: one that the kernel chooses, for tests

  /// Errors: what is wrong, and what is allowed.
  static StatusOr<ListenAddress> parse(std::string_view text);
};

/// Opens it, non-blocking. A unix socket's file has mode 0660. Errors: what the kernel says, with how to mend it.
StatusOr<int> listen_on(const ListenAddress& where);

}  // namespace sluice::control
