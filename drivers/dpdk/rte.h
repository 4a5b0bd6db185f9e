// SPDX-License-Identifier: Apache-2.0
// DPDK's headers. They want rte_config.h first, and not in this order.
#pragma once
// clang-format off
#include <rte_config.h>
#include <rte_version.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
// clang-format on
