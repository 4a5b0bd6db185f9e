// SPDX-License-Identifier: Apache-2.0
#include "control/configuration.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

std::string error_of(std::string_view yaml) { return text(Configuration::parse(yaml, "f.yaml").status()); }

TEST(Configuration, ReadsEveryKey) {
  const auto c = Configuration::parse(R"(
workers: {count: 1, cpus: [0]}
buffers:
  count: 4096
  hugepages: false
plugins: {path: /opt/sluice, load: [tun, pod]}
sockets: {api: /tmp/a.sock, read-only: /tmp/r.sock, read-only-group: adm}
log: {level: debug}
metrics: {listen: "[::1]:9464"}
startup:
  - create interface null null0
  - "set interface state null0 up"
)",
                                      "f.yaml");
  ASSERT_TRUE(c.ok()) << text(c.status());
  EXPECT_EQ(c->workers, 1u);
  EXPECT_EQ(c->cpus, std::vector<int>{0});
  EXPECT_EQ(c->buffers, 4096u);
  EXPECT_FALSE(c->hugepages);
  EXPECT_EQ(c->plugin_path, "/opt/sluice");
  EXPECT_EQ(c->plugins, (std::vector<std::string>{"tun", "pod"}));
  EXPECT_EQ(c->api_socket, "/tmp/a.sock");
  EXPECT_EQ(c->read_only_socket, "/tmp/r.sock");
  EXPECT_EQ(c->read_only_group, "adm");
  EXPECT_EQ(c->log_level, LogLevel::Debug);
  ASSERT_EQ(c->startup.size(), 2u);
  EXPECT_EQ(c->startup[1].text, "set interface state null0 up");
  EXPECT_EQ(c->startup[1].where, "f.yaml:12:5");
  ASSERT_TRUE(c->metrics);
  EXPECT_EQ(c->metrics->address.to_string(), "::1");
  EXPECT_EQ(c->metrics->port, 9464);
}

TEST(Configuration, AnEmptyFileMeansTheDefaults) {
  for (const char* yaml : {"", "# only a comment\n", "startup:\n"}) {
    const auto c = Configuration::parse(yaml, "f.yaml");
    ASSERT_TRUE(c.ok()) << text(c.status());
    EXPECT_EQ(c->workers, 1u);
    EXPECT_FALSE(c->metrics);
    EXPECT_TRUE(c->startup.empty());
  }
}

TEST(Configuration, SaysWhereAndWhatIsAllowed) {
  EXPECT_EQ(error_of("bufers: {count: 5000}"),
            "f.yaml:1:1: 'bufers' is not known here, did you mean 'buffers'?; known: buffers, counters, journal, log, "
            "metrics, plugins, sockets, startup, workers");
  EXPECT_EQ(error_of("buffers:\n  count: 5"), "f.yaml:2:10: buffers.count 5: must be 1024 to 4194304");
  EXPECT_EQ(error_of("buffers:\n  count: -5"), "f.yaml:2:10: buffers.count -5: must be 1024 to 4194304");
  EXPECT_EQ(error_of("buffers:\n  count: 99999999999999999999999"),
            "f.yaml:2:10: buffers.count 99999999999999999999999: must be 1024 to 4194304");
  EXPECT_EQ(error_of("buffers: {page-size: 4K}"),
            "f.yaml:1:22: buffers.page-size '4K': must be auto, ordinary, 2M or 1G");
  EXPECT_EQ(error_of("buffers: {page-size: [1G]}"), "f.yaml:1:22: buffers.page-size: must be auto, ordinary, 2M or 1G");
  EXPECT_EQ(error_of("buffers: {page-size: 1G, hugepages: false}"),
            "f.yaml:1:10: buffers.hugepages is false, and buffers.page-size asks for some; leave one of them out");
  EXPECT_EQ(error_of("buffers: {hugepages: maybe}"), "f.yaml:1:22: buffers.hugepages 'maybe': must be true or false");
  EXPECT_EQ(error_of("workers: {count: 1}\nworkers: {count: 2}"), "f.yaml:2:1: 'workers' is given twice");
  EXPECT_EQ(error_of("workers: {count: 2, cpus: [0]}"),
            "f.yaml:1:27: workers.cpus has 1 cores for 2 workers; give one for each, or none");
  EXPECT_EQ(error_of("sockets: {api: api.sock}"), "f.yaml:1:16: sockets.api 'api.sock': must be an absolute path");
  EXPECT_EQ(error_of("log: {level: loud}"), "f.yaml:1:14: log.level: must be debug, info, warning or error");
  EXPECT_EQ(error_of("metrics: {listen: 9464}"),
            "f.yaml:1:19: metrics.listen: '9464' is no address to listen on: give ADDRESS:PORT (127.0.0.1:9464, "
            "[::1]:9464) or the path of a unix socket, which begins with / and has at most 107 characters");
  EXPECT_EQ(error_of("startup: go"), "f.yaml:1:10: startup: a list is wanted here, each line beginning with '- '");
  EXPECT_EQ(error_of("[1, 2]"), "f.yaml:1:1: the file: a map of keys is wanted here");
  EXPECT_EQ(error_of("? [a]\n: b"), "f.yaml:1:3: a key must be a plain word");
}

TEST(Configuration, CountersLieBesideTheSocketUnlessToldOtherwise) {
  EXPECT_EQ(Configuration::parse("sockets: {api: /x/api.sock}", "f")->counters_path(), "/x/counters");
  EXPECT_EQ(Configuration::parse("counters: /dev/shm/sluice", "f")->counters_path(), "/dev/shm/sluice");
  EXPECT_EQ(Configuration::parse("counters: none", "f")->counters_path(), "");
  EXPECT_EQ(error_of("counters: here"), "f.yaml:1:11: counters 'here': must be an absolute path");
}

TEST(Configuration, ReportsAllMistakesOfAFileAtOnce) {
  EXPECT_EQ(error_of("buffers: {count: 1}\nlog: {level: x}"),
            "f.yaml:1:18: buffers.count 1: must be 1024 to 4194304\nf.yaml:2:14: log.level: must be debug, info, "
            "warning or error");
}

TEST(Configuration, SurvivesWhatIsNoYaml) {
  for (const char* yaml : {"{", "a: [", "a: b: c", "\x01\x02", "a: *b", "%YAML 9.9\n---\n"}) {
    EXPECT_FALSE(Configuration::parse(yaml, "f.yaml").ok()) << yaml;
  }
}

TEST(Configuration, NamesAFileThatIsNotThere) {
  EXPECT_EQ(text(Configuration::load("/nonexistent.yaml").status()),
            "/nonexistent.yaml: No such file or directory; give another file with --config");
}

}  // namespace
}  // namespace sluice
