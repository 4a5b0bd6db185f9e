// SPDX-License-Identifier: Apache-2.0
// What a node exports about itself: one table of metrics, and how each is collected. Prometheus' text and the
// shared-memory segment are made of it. Names and units are Prometheus' (base units, _total for what only grows).
// Counters never go back while the daemon runs: `clear` commands move what the command line shows, not these.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dataplane.h"
#include "ip/neighbor_manager.h"
#include "sluice/interfaces.h"
#include "sluice/routes.h"

namespace sluice::metrics {

/// How often clients of the metrics' HTTP server were turned away.
struct HttpCounters {
  std::uint64_t requests = 0;   ///< answered with metrics
  std::uint64_t refused = 0;    ///< answered with an error
  std::uint64_t too_many = 0;   ///< not served: too many at once
  std::uint64_t timed_out = 0;  ///< cut off: too slow
};

/// Where the figures come from. Control thread.
struct Sources {
  Dataplane& dataplane;
  const Interfaces& interfaces;
  const Routes& routes;
  const NeighborManager& neighbors;
  const HttpCounters& http;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

enum class Type : std::uint8_t { Counter, Gauge };

/// Values of the labels, in the order of Family::labels, and the value.
using Emit = std::function<void(std::span<const std::string_view> labels, std::uint64_t value)>;

struct Family {
  std::string_view name, help;
  Type type = Type::Counter;
  std::vector<std::string_view> labels;
  void (*collect)(const Sources&, const Emit&) = nullptr;
  double scale = 1;  ///< what a value is multiplied with to be in the name's unit: times are collected in ns
};

/// All of them, in the order in which they are exported.
SLUICE_API std::span<const Family> families();

/// A label's value as the text format wants it: \, " and line ends escaped.
SLUICE_API std::string escape_label(std::string_view value);
/// `a="1",b="2"`; empty without labels.
SLUICE_API std::string label_text(const Family& family, std::span<const std::string_view> values);
/// Appends HELP, TYPE and all samples of one family; nothing when it has no samples.
SLUICE_API void append_text(const Family& family, const Sources& sources, std::string& text);
/// The list of all metrics for people: docs/metrics.md.
SLUICE_API std::string reference();

}  // namespace sluice::metrics
