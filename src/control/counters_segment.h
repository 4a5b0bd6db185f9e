// SPDX-License-Identifier: Apache-2.0
// Writes the shared-memory counter segment (sluice/counters_format.h): the same samples as Prometheus gets. Control
// thread; readers cost it nothing.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "control/metrics.h"
#include "sluice/counters_format.h"

namespace sluice::counters {

class SLUICE_API Segment {
 public:
  /// group: who may read beside the daemon's own user; empty: nobody.
  Segment(std::string path, std::string group) : path_(std::move(path)), group_(std::move(group)) {}
  /// Tells readers that it has ended, and removes the file.
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  /// Writes what the sources say now. When samples have come or gone, another file takes the old one's place. Errors:
  /// the file cannot be made; readers of the old one are told then that nobody writes it.
  Status write(std::span<const metrics::Family> families, const metrics::Sources& sources);

 private:
  struct Row {
    const metrics::Family* family;
    std::vector<std::string> labels;
  };
  bool collect(std::span<const metrics::Family> families, const metrics::Sources& sources);
  void learn(std::span<const metrics::Family> families, const metrics::Sources& sources);
  Status replace();
  void let_go(State state);

  const std::string path_, group_;
  std::vector<Row> rows_;
  std::vector<std::uint64_t> values_;
  std::uint32_t left_out_ = 0;
  void* base_ = nullptr;  // of the file that readers find
  std::size_t size_ = 0;
  bool current_ = false;  // it is that of rows_
};

}  // namespace sluice::counters
