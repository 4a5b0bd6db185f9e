// SPDX-License-Identifier: Apache-2.0
#include "control/metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <regex>
#include <set>

#include "control/exports_fixture.h"
#include "sluice/testing/memory_interfaces.h"

namespace sluice::metrics {
namespace {

struct MetricsTest : testing::ExportsTest {
  MetricsTest() : ExportsTest(2) {}
  // Of interfaces that the test makes up.
  Sources sources() { return {daemon->dataplane(), interfaces, daemon->ip().routes(), daemon->ip().neighbors(), http}; }
  std::string text_of(const Family& family) {
    std::string text;
    append_text(family, sources(), text);
    return text;
  }
  const Family& family(std::string_view name) {
    for (const Family& f : families()) {
      if (f.name == name) return f;
    }
    ADD_FAILURE() << "no metric " << name;
    return families()[0];
  }

  testing::MemoryInterfaces interfaces;
};

TEST_F(MetricsTest, EachIsNamedAsPrometheusWantsIt) {
  std::set<std::string_view> names;
  for (const Family& f : families()) {
    EXPECT_TRUE(std::regex_match(std::string(f.name), std::regex("sluice_[a-z0-9]+(_[a-z0-9]+)*"))) << f.name;
    EXPECT_EQ(f.name.ends_with("_total"), f.type == Type::Counter) << f.name;
    EXPECT_EQ(f.name.find("_seconds") != f.name.npos, f.scale != 1) << f.name;
    EXPECT_TRUE(f.help.ends_with('.')) << f.name;
    EXPECT_TRUE(names.insert(f.name).second) << f.name << " twice";
  }
}

TEST_F(MetricsTest, EachGivesAsManyLabelsAsItNamesAndNoneTwice) {
  interfaces.add("eth0");
  interfaces.add("pod/web");
  for (const Family& f : families()) {
    std::set<std::string> seen;
    f.collect(sources(), [&](std::span<const std::string_view> labels, std::uint64_t) {
      EXPECT_EQ(labels.size(), f.labels.size()) << f.name;
      EXPECT_TRUE(seen.insert(label_text(f, labels)).second) << f.name;
    });
    EXPECT_FALSE(seen.empty()) << f.name;
  }
}

TEST_F(MetricsTest, AnInterfaceHasItsNameAndDriver) {
  interfaces.add("pod/web");
  EXPECT_EQ(text_of(family("sluice_interface_up")),
            "# HELP sluice_interface_up 1 when the interface is up and has a carrier, else 0.\n"
            "# TYPE sluice_interface_up gauge\n"
            "sluice_interface_up{interface=\"pod/web\",driver=\"memory\"} 1\n");
}

TEST_F(MetricsTest, WithoutSamplesThereIsNoHeading) { EXPECT_EQ(text_of(family("sluice_interface_up")), ""); }

TEST_F(MetricsTest, CountersOfAllWorkersAreSummed) {
  const NodeIndex node = daemon->dataplane().graph().find("ip4-lookup");
  for (const auto& thread : daemon->dataplane().workers()) thread->worker().graph().node(node).packets.add(5);
  EXPECT_NE(text_of(family("sluice_node_packets_total")).find("{node=\"ip4-lookup\"} 10\n"), std::string::npos);
}

TEST_F(MetricsTest, TimesAreInSeconds) {
  const Family times{"t_seconds_total",
                     "A time.",
                     Type::Counter,
                     {},
                     [](const Sources&, const Emit& emit) { emit({}, 1'500'000'001); },
                     1e-9};
  EXPECT_EQ(text_of(times),
            "# HELP t_seconds_total A time.\n# TYPE t_seconds_total counter\nt_seconds_total 1.500000001\n");
}

TEST_F(MetricsTest, LabelsAreEscaped) {
  const Family odd{"odd", "An odd one.", Type::Gauge, {"a", "b"}, [](const Sources&, const Emit& emit) {
                     emit(std::array<std::string_view, 2>{"x\"y\\z\n", ""}, 18446744073709551615u);
                   }};
  EXPECT_EQ(text_of(odd),
            "# HELP odd An odd one.\n# TYPE odd gauge\nodd{a=\"x\\\"y\\\\z\\n\",b=\"\"} 18446744073709551615\n");
}

TEST_F(MetricsTest, TheReferenceHasAll) {
  const std::string page = reference();
  for (const Family& f : families()) EXPECT_NE(page.find(fmt::format("| `{}` |", f.name)), page.npos) << f.name;
}

}  // namespace
}  // namespace sluice::metrics
