// SPDX-License-Identifier: Apache-2.0
// Standard gRPC reflection, so that grpcurl and the like see the services of a generic server.
#pragma once
#include <grpcpp/generic/async_generic_service.h>

#include <string_view>

#include "sluice/api.h"

namespace sluice::control {

bool is_reflection(std::string_view path);
/// A reactor that answers until the client has no more questions. Reads only what is constant after start.
grpc::ServerGenericBidiReactor* make_reflection(const Api& api);

}  // namespace sluice::control
