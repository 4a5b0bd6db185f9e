// SPDX-License-Identifier: Apache-2.0
#include "sluice/plugin.h"

#include "macswap.h"

SLUICE_PLUGIN(macswap, "returns packets to their sender; the example to copy from") {
  registry.feature<sluice::macswap::Macswap>();
}
