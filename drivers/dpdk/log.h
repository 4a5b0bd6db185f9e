// SPDX-License-Identifier: Apache-2.0
// What DPDK says: its warnings become log lines, and the reason of a failed call.
#pragma once
#include <string>

namespace sluice::dpdk {

/// Has DPDK's log go to ours from now on. Once, before it starts.
void take_log();

/// What DPDK has said on this thread's call since this object was made.
class Said {
 public:
  Said();
  /// The last complaints, "; " between them; "DPDK does not say why" when there were none.
  std::string text() const;
};

}  // namespace sluice::dpdk
