// SPDX-License-Identifier: Apache-2.0
// What the XDP program and its loader agree on: C, for both.
#ifndef SLUICE_AF_XDP_FILTER_MAPS_H
#define SLUICE_AF_XDP_FILTER_MAPS_H
#include <linux/types.h>

#define SLUICE_MOST_DENIED 1024

// Keys of longest-prefix tries: how many bits count, and the address in network order.
struct deny_prefix4 {
  __u32 length;
  __u8 address[4];
};
struct deny_prefix6 {
  __u32 length;
  __u8 address[16];
};

#endif
