// SPDX-License-Identifier: Apache-2.0
// The command top: what a node does at this moment.
#pragma once
#include "session.h"

namespace sluice::ctl {

bool is_top(const google::protobuf::MethodDescriptor& method);
/// request: a TopQuery, as it was read.
Status top(Session& session, const google::protobuf::Message& request);

}  // namespace sluice::ctl
