// SPDX-License-Identifier: Apache-2.0
// sluiced: the node daemon.
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "control/api_server.h"
#include "control/configuration.h"
#include "control/daemon.h"
#include "control/exports.h"
#include "control/meta_service.h"
#include "control/process.h"
#include "control/running.h"
#include "control/startup.h"
#include "control/watchdog.h"
#include "manual.h"
#include "sluice/log.h"

namespace {

using namespace sluice;

constexpr int kRefused = 1;
constexpr int kStuck = 70;  // EX_SOFTWARE: a worker was stuck

struct Arguments {
  std::string config = "/etc/sluice/sluiced.yaml";
  std::string check;
  std::string plugin_path;
  std::vector<std::string> plugins;
  std::string isa;
  bool graph = false;
  bool metrics = false;
  bool unprivileged = false;
  bool manual = false;
};

int fail(const Status& status) {
  std::fprintf(stderr, "sluiced: %s\n", text(status).c_str());
  return kRefused;
}

DaemonOptions options_of(const Configuration& c, const Arguments& arguments) {
  DaemonOptions options;
  options.dataplane = {c.workers, c.cpus, {c.buffers, c.hugepages && !arguments.unprivileged, c.pages}};
  options.plugin_folder = !arguments.plugin_path.empty() ? std::filesystem::path(arguments.plugin_path)
                          : !c.plugin_path.empty()       ? std::filesystem::path(c.plugin_path)
                                                         : default_plugin_folder();
  options.plugins = c.plugins;
  options.extra_plugins = {arguments.plugins.begin(), arguments.plugins.end()};
  options.unprivileged = arguments.unprivileged;
  options.run_folder = std::filesystem::path(c.api_socket).parent_path();
  return options;
}

/// What builds a daemon without touching the host: for --check and --graph.
StatusOr<std::unique_ptr<Daemon>> dry_daemon(const Configuration& c, const Arguments& arguments) {
  DaemonOptions options = options_of(c, arguments);
  options.dataplane = {1, {}, {1024, false}};
  return Daemon::create(options);
}

int check(const Arguments& arguments) {
  const auto configuration = Configuration::load(arguments.check);
  if (!configuration.ok()) return fail(configuration.status());
  auto daemon = dry_daemon(*configuration, arguments);
  if (!daemon.ok()) return fail(daemon.status());
  const control::Dispatcher dispatcher((*daemon)->api());
  control::Startup startup(dispatcher);
  if (auto status = startup.check(configuration->startup); !status.ok()) return fail(status);
  std::printf("%s: ok, %zu startup commands\n", arguments.check.c_str(), configuration->startup.size());
  return 0;
}

int print_graph(const Arguments& arguments) {
  auto daemon = dry_daemon({}, arguments);
  if (!daemon.ok()) return fail(daemon.status());
  std::fputs(runtime::graph_as_dot((*daemon)->dataplane().graph()).c_str(), stdout);
  return 0;
}

Status make_socket_folder(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return unavailable("{}: {}; give another folder under sockets:", folder.string(), error.message());
  return {};
}

void say_started(const Configuration& c, Daemon& daemon) {
  const BufferPool& pool = daemon.dataplane().pool();
  const std::size_t asked = c.pages == PageSize::Huge1G ? 1u << 30 : c.pages == PageSize::Huge2M ? 2u << 20 : 0;
  for (std::size_t i = 0; i < pool.parts(); ++i) {
    if (pool.part(i).page_bytes >= asked) continue;
    log(LogLevel::Warning, "buffers are not on the pages that buffers.page-size asks for",
        field("node", pool.part(i).node), field("pages", pool.part(i).pages));
  }
  std::string cores, plugins;
  for (const auto& worker : daemon.dataplane().workers()) {
    cores += (cores.empty() ? "" : ",") + (worker->cpu() ? std::to_string(*worker->cpu()) : std::string("any"));
  }
  for (const auto& plugin : daemon.plugins()) plugins += (plugins.empty() ? "" : ",") + plugin.name;
  log(LogLevel::Info, "started", field("workers", daemon.dataplane().worker_count()), field("cores", cores),
      field("buffers", daemon.dataplane().pool().usage().total), field("pages", daemon.dataplane().pool().page_kind()),
      field("isa", SLUICE_ISA_NAME), field("plugins", plugins), field("api", c.api_socket),
      field("read-only", c.read_only_socket));
}

/// Tells systemd that the control thread is alive. The workers have a watchdog of their own.
std::unique_ptr<Timer> watch_control(Daemon& daemon) {
  const auto period = process::watchdog_period();
  if (!period) return nullptr;
  return daemon.context().every(*period, [] { process::notify("WATCHDOG=1"); });
}

/// A thread that is stuck cannot be joined: nothing is taken down, all of it is found again by the next start.
[[noreturn]] void end_stuck(const watchdog::StuckWorker& stuck) {
  alarm(1);  // should the log not take the line
  log(LogLevel::Error, "a worker is stuck, the daemon ends to be started again", field("worker", stuck.worker),
      field("node", stuck.node), field("it", stuck.how == watchdog::Finding::Spins ? "spins" : "blocks"),
      field("silent-ms", stuck.silent.count()));
  _exit(kStuck);
}

Status serve(const Configuration& c, const Arguments& arguments) {
  auto made = Daemon::create(options_of(c, arguments));
  if (!made.ok()) return made.status();
  Daemon& daemon = **made;
  control::Dispatcher dispatcher(daemon.api());
  control::MetaService meta(dispatcher, daemon.plugins());
  meta.offer(daemon.api());
  control::Running running(dispatcher, daemon.context(), c.journal_path());
  running.offer(daemon.api());
  if (auto status = daemon.api().check(); !status.ok()) return status;
  for (const auto& path : {c.api_socket, c.read_only_socket}) {
    if (auto status = make_socket_folder(path); !status.ok()) return status;
  }
  control::ApiServer server(daemon.loop(), dispatcher);
  // Before anything is made: a second daemon on the same sockets must leave everything as it is.
  if (auto status = server.listen({c.api_socket, false, ""}); !status.ok()) return status;
  if (auto status = server.listen({c.read_only_socket, true, c.read_only_group}); !status.ok()) return status;
  Exports exports(daemon);
  if (auto status = exports.open(c); !status.ok()) return status;

  asio::signal_set signals(daemon.loop(), SIGTERM, SIGINT);
  bool stopping = false;
  signals.async_wait([&](const asio::error_code&, int) {
    stopping = true;
    daemon.loop().stop();
  });
  if (auto status = daemon.start(); !status.ok()) return status;
  std::optional<watchdog::Watchdog> watchdog(std::in_place, daemon.dataplane(), end_stuck);
  const auto close = [&] {
    exports.close();
    server.stop();
    running.close();
    watchdog.reset();
  };
  control::Startup startup(dispatcher);
  if (auto status = startup.run(c.startup); !status.ok()) {
    close();
    daemon.abandon();
    return status;
  }
  if (auto status = running.restore(); !status.ok()) {
    close();
    daemon.abandon();
    return status;
  }
  const auto alive = watch_control(daemon);
  say_started(c, daemon);
  exports.write_counters();
  process::notify("READY=1\nSTATUS=forwarding");
  daemon.loop().run();
  process::notify("STOPPING=1");
  log(LogLevel::Info, "stopping");
  close();
  daemon.stop();
  return {};
}

/// Without root the sockets are in the user's own folder, and there need be no configuration.
StatusOr<Configuration> configuration_of(const Arguments& arguments) {
  if (!arguments.unprivileged) return Configuration::load(arguments.config);
  const Configuration standard;
  const bool none = arguments.config == Arguments().config && !std::filesystem::exists(arguments.config);
  auto configuration = none ? StatusOr<Configuration>(standard) : Configuration::load(arguments.config);
  if (!configuration.ok() || configuration->api_socket != standard.api_socket) return configuration;
  const char* own = std::getenv("XDG_RUNTIME_DIR");
  if (!own) return refused("XDG_RUNTIME_DIR is not set; set it, or give sockets: {{api: …, read-only: …}}");
  configuration->api_socket = std::string(own) + "/sluice/api.sock";
  configuration->read_only_socket = std::string(own) + "/sluice/ro.sock";
  return configuration;
}

int run(const Arguments& arguments) {
  const auto configuration = configuration_of(arguments);
  if (!configuration.ok()) return fail(configuration.status());
  set_log_level(configuration->log_level);
  process::raise_file_limit();
  if (!arguments.unprivileged) {
    if (auto status = process::check_privileges(); !status.ok()) return fail(status);
    if (const auto& group = configuration->read_only_group; !group.empty()) {
      if (auto status = process::join_group(group); !status.ok()) return fail(status);
    }
    if (auto status = process::keep_only_needed_capabilities(); !status.ok()) return fail(status);
    process::protect_memory();
  }
  const Status status = serve(*configuration, arguments);
  return status.ok() ? 0 : fail(status);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  Arguments arguments;
  CLI::App app{"sluiced: forwards packets between pods, the host and uplinks. Ask it with sluicectl.", "sluiced"};
  app.set_version_flag("--version", std::string("sluiced " SLUICE_VERSION));
  app.add_option("-c,--config", arguments.config, "what is fixed at start, and commands to run then")
      ->capture_default_str();
  app.add_option("--check", arguments.check,
                 "check a configuration file and its startup commands, and end; needs no root");
  app.add_flag("--graph", arguments.graph, "print the graph of nodes for graphviz, and end");
  app.add_flag("--metrics", arguments.metrics, "print the list of all metrics, and end");
  app.add_option("--plugin-path", arguments.plugin_path, "folder with plugins and drivers");
  app.add_option("--plugin", arguments.plugins, "load this plugin (a file) too; may be given several times");
  app.add_option(
      "--isa", arguments.isa,
      "CPU level: x86-64-v2, x86-64-v3 or x86-64-v4; the highest that is installed, that the CPU has and that "
      "every plugin offers if not given");
  app.add_flag("--unprivileged", arguments.unprivileged, "without root: pcap, null and packet generator only");
  app.add_flag("--manual", arguments.manual, "print the page of the manual")->group("");
  app.footer("Example: sluiced --config /etc/sluice/sluiced.yaml");
  CLI11_PARSE(app, argc, argv);
  // An installed sluiced has chosen already, and this is what it has chosen.
  if (!arguments.isa.empty() && arguments.isa != SLUICE_ISA_NAME) {
    return fail(refused("--isa {}: this sluiced is of {}, and only an installed one has others beside it",
                        arguments.isa, SLUICE_ISA_NAME));
  }
  if (arguments.manual) return std::fputs(manual(app).c_str(), stdout) < 0;
  if (!arguments.check.empty()) return check(arguments);
  if (arguments.graph) return print_graph(arguments);
  if (arguments.metrics) return std::fputs(metrics::reference().c_str(), stdout) < 0 ? kRefused : 0;
  return run(arguments);
}
