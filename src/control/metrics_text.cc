// SPDX-License-Identifier: Apache-2.0
// Prometheus' text format, version 0.0.4, and the list of metrics for people.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/metrics.h"

namespace sluice::metrics {
namespace {

std::string_view type_name(Type type) { return type == Type::Counter ? "counter" : "gauge"; }

void append_value(const Family& family, std::uint64_t value, std::string& text) {
  if (family.scale == 1) {
    fmt::format_to(std::back_inserter(text), " {}\n", value);
  } else {
    fmt::format_to(std::back_inserter(text), " {:.9f}\n", static_cast<double>(value) * family.scale);
  }
}

}  // namespace

std::string escape_label(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string label_text(const Family& family, std::span<const std::string_view> values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    fmt::format_to(std::back_inserter(text), "{}{}=\"{}\"", i ? "," : "", family.labels[i], escape_label(values[i]));
  }
  return text;
}

void append_text(const Family& family, const Sources& sources, std::string& text) {
  bool first = true;
  family.collect(sources, [&](std::span<const std::string_view> labels, std::uint64_t value) {
    if (first) {
      fmt::format_to(std::back_inserter(text), "# HELP {0} {1}\n# TYPE {0} {2}\n", family.name, family.help,
                     type_name(family.type));
    }
    first = false;
    text += family.name;
    if (!labels.empty()) fmt::format_to(std::back_inserter(text), "{{{}}}", label_text(family, labels));
    append_value(family, value, text);
  });
}

std::string reference() {
  std::string text = R"(# Metrics

Made by `tools/docs` of what `sluiced --metrics` prints. The [user guide](user-guide.md#scrape-metrics) says how to switch
them on. The same names and values lie in the [counter segment](user-guide.md#read-counters-without-asking) in shared memory.

Counters (what ends in `_total`) only grow while the daemon runs, whatever `clear` commands do; a start begins at 0, and so
does an interface that is made anew. The figures of the workers are theirs, read without stopping them.

| metric | type | labels | what |
|---|---|---|---|
)";
  for (const Family& family : families()) {
    fmt::format_to(std::back_inserter(text), "| `{}` | {} | {} | {} |\n", family.name, type_name(family.type),
                   fmt::join(family.labels, ", "), family.help);
  }
  return text;
}

}  // namespace sluice::metrics
