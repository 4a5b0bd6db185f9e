// SPDX-License-Identifier: Apache-2.0
#include "manual.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "control/manual_page.h"
#include "control/process.h"

namespace sluice {
namespace {

// A test reads it with --check.
constexpr const char* kConfiguration = R"(workers:
  count: 2                              # threads that forward
  cpus: [0, 1]                          # the core of each; anywhere if not given
buffers:
  count: 32768                          # of 2,624 bytes
  page-size: auto                       # or 1G, 2M, ordinary; for want of them the next smaller
plugins:
  load: []                              # all in the folder if not given or empty
sockets:
  api: /run/sluice/api.sock
  read-only: /run/sluice/ro.sock
journal: /run/sluice/running            # or none
log:
  level: info                           # debug, info, warning or error
startup:                                # commands that every start runs
  - create interface null null0
)";

std::vector<std::string_view> capabilities() {
  std::vector<std::string_view> names;
  for (const process::Capability& capability : process::needed_capabilities()) names.emplace_back(capability.name);
  return names;
}

}  // namespace

std::string manual(const CLI::App& app) {
  control::ManualPage page("sluiced", 8, "forwards packets between pods, the host and uplinks");
  page.section("synopsis");
  page.lines("sluiced [OPTIONS]");
  page.section("description");
  page.paragraph(
      "The node daemon of Sluice. It reads its configuration, runs the commands of startup:, then what was changed at "
      "run "
      "time before a crash or a restart (the journal), says READY to systemd, and forwards until SIGTERM or SIGINT. "
      "Then "
      "it takes everything from the host that it has made. While it runs it is asked and changed with sluicectl(1).");
  page.paragraph(fmt::format("It needs root and keeps the capabilities {}.", fmt::join(capabilities(), ", ")));
  page.section("options");
  page.options(app);
  page.section("configuration");
  page.paragraph("A YAML file. Everything in it may be left out; sluiced --check FILE names every mistake in it.");
  page.lines(kConfiguration);
  page.item("plugins.path", "the folder with plugins and drivers; the installed one if not given");
  page.item("sockets.read-only-group", "a group of the system whose members may use the read-only socket");
  page.section("exit status");
  page.item("0", "it was asked to end, and everything was taken down");
  page.item("1", "it could not start; the last line says why");
  page.section("files");
  page.item("/etc/sluice/sluiced.yaml", "the configuration");
  page.item("/run/sluice/api.sock", "the API, for root");
  page.item("/run/sluice/ro.sock", "the same for those who may only read");
  page.item("/run/sluice/running", "the journal of accepted changes; gone with a reboot");
  page.section("see also");
  page.paragraph("sluicectl(1)");
  return page.text();
}

}  // namespace sluice
