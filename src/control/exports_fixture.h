// SPDX-License-Identifier: Apache-2.0
// A daemon without privileges, for the tests of what is exported.
#pragma once
#include <gtest/gtest.h>

#include <memory>

#include "control/exports.h"
#include "sluice/testing/temp_folder.h"

namespace sluice::testing {

struct ExportsTest : ::testing::Test {
  explicit ExportsTest(unsigned workers = 1) {
    auto made =
        Daemon::create({.dataplane = {.workers = workers, .cpus = {}, .pool = {.buffers = 1024, .hugepages = false}},
                        .plugin_folder = folder.path(),
                        .plugins = {},
                        .extra_plugins = {},
                        .unprivileged = true,
                        .run_folder = {}});
    EXPECT_TRUE(made.ok()) << text(made.status());
    daemon = std::move(*made);
  }
  metrics::Sources sources() { return export_sources(*daemon, http); }

  TempFolder folder;
  metrics::HttpCounters http;
  std::unique_ptr<Daemon> daemon;
};

}  // namespace sluice::testing
