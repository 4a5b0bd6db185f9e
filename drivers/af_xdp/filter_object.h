// SPDX-License-Identifier: Apache-2.0
// filter.bpf.c, compiled for the kernel; the build makes it.
#pragma once
#include <cstddef>

namespace sluice::af_xdp {

extern const unsigned char kFilterObject[];
extern const std::size_t kFilterObjectSize;

}  // namespace sluice::af_xdp
