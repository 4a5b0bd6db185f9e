// SPDX-License-Identifier: Apache-2.0
#include "control/configuration.h"

#include <fmt/ranges.h>
#include <sched.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "control/values.h"

namespace sluice {
namespace {

constexpr unsigned kWorkersMax = 64;
constexpr std::uint32_t kBuffersMin = 1024, kBuffersMax = 1u << 22;
constexpr std::size_t kFileMax = 4u << 20;

class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)) {}

  using Handler = std::function<void(const YAML::Node&)>;
  using Handlers = std::map<std::string, Handler>;

  std::string where(const YAML::Node& node) const { return where(node.Mark()); }
  std::string where(const YAML::Mark& mark) const {
    return mark.is_null() ? name_ : fmt::format("{}:{}:{}", name_, mark.line + 1, mark.column + 1);
  }
  void error(const YAML::Node& node, const std::string& what) { errors_.push_back(where(node) + ": " + what); }
  void error(const YAML::Mark& mark, const std::string& what) { errors_.push_back(where(mark) + ": " + what); }

  /// Calls the handler of each key; a key without one is an error that names the nearest.
  void map(const YAML::Node& node, const std::string& what, const Handlers& handlers) {
    if (!node.IsMap()) return error(node, what + ": a map of keys is wanted here");
    std::map<std::string, int> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        error(entry.first, "a key must be a plain word");
        continue;
      }
      const std::string key = entry.first.Scalar();
      const auto handler = handlers.find(key);
      if (handler == handlers.end()) {
        std::vector<std::string> known;
        for (const auto& [k, _] : handlers) known.push_back(k);
        const auto near = control::nearest(key, known);
        error(entry.first,
              fmt::format("'{}' is not known here{}; known: {}", key,
                          near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(known, ", ")));
      } else if (seen[key]++) {
        error(entry.first, fmt::format("'{}' is given twice", key));
      } else {
        handler->second(entry.second);
      }
    }
  }

  std::optional<std::uint64_t> number(const YAML::Node& node, const std::string& what, std::uint64_t low,
                                      std::uint64_t high) {
    std::uint64_t value = 0;
    const bool plain = node.IsScalar() && !node.Scalar().empty() &&
                       node.Scalar().find_first_not_of("0123456789") == std::string::npos && node.Scalar().size() < 12;
    if (plain) value = std::stoull(node.Scalar());
    if (plain && value >= low && value <= high) return value;
    error(node,
          fmt::format("{} {}: must be {} to {}", what, node.IsScalar() ? node.Scalar() : "is no number", low, high));
    return std::nullopt;
  }
  void text(const YAML::Node& node, const std::string& what, std::string& out) {
    if (node.IsScalar()) {
      out = node.Scalar();
    } else {
      error(node, what + ": a text is wanted here");
    }
  }
  void path(const YAML::Node& node, const std::string& what, std::string& out, std::size_t longest) {
    std::string value;
    text(node, what, value);
    if (value.empty() || value[0] != '/')
      return error(node, fmt::format("{} '{}': must be an absolute path", what, value));
    if (value.size() > longest) {
      return error(node, fmt::format("{}: {} characters long; at most {}", what, value.size(), longest));
    }
    out = value;
  }
  void truth(const YAML::Node& node, const std::string& what, bool& out) {
    const std::string value = node.IsScalar() ? node.Scalar() : "";
    if (value == "true" || value == "on" || value == "yes") {
      out = true;
    } else if (value == "false" || value == "off" || value == "no") {
      out = false;
    } else {
      error(node, fmt::format("{} '{}': must be true or false", what, value));
    }
  }
  void list(const YAML::Node& node, const std::string& what, const Handler& each) {
    if (!node.IsSequence()) return error(node, what + ": a list is wanted here, each line beginning with '- '");
    for (const auto& item : node) each(item);
  }

  Status status() const { return errors_.empty() ? Status() : refused("{}", fmt::join(errors_, "\n")); }

 private:
  std::string name_;
  std::vector<std::string> errors_;
};

/// Numbers may have gaps where cores are offline or kept from this process.
void read_cpu(Reader& reader, const YAML::Node& node, Configuration& c) {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  sched_getaffinity(0, sizeof usable, &usable);
  const auto cpu = reader.number(node, "cpu", 0, CPU_SETSIZE - 1);
  if (!cpu) return;
  if (CPU_ISSET(*cpu, &usable)) return c.cpus.push_back(static_cast<int>(*cpu));
  std::vector<int> all;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &usable)) all.push_back(i);
  }
  reader.error(node, fmt::format("cpu {}: must be one that this process may use: {}", *cpu, fmt::join(all, ", ")));
}

void read_workers(Reader& reader, const YAML::Node& node, Configuration& c) {
  bool counted = false;
  YAML::Node cpus_at;
  reader.map(node, "workers",
             {{"count",
               [&](const YAML::Node& n) {
                 counted = true;
                 if (const auto v = reader.number(n, "workers.count", 1, kWorkersMax))
                   c.workers = static_cast<unsigned>(*v);
               }},
              {"cpus", [&](const YAML::Node& n) {
                 cpus_at = n;
                 reader.list(n, "workers.cpus", [&](const YAML::Node& cpu) { read_cpu(reader, cpu, c); });
               }}});
  if (c.cpus.empty()) return;
  if (!counted) c.workers = static_cast<unsigned>(c.cpus.size());
  if (c.cpus.size() != c.workers) {
    reader.error(cpus_at, fmt::format("workers.cpus has {} cores for {} workers; give one for each, or none",
                                      c.cpus.size(), c.workers));
  }
}

void read_buffers(Reader& reader, const YAML::Node& node, Configuration& c) {
  const auto read_pages = [&](const YAML::Node& v) {
    static const std::map<std::string, PageSize> kSizes{
        {"auto", PageSize::Auto}, {"ordinary", PageSize::Ordinary}, {"2M", PageSize::Huge2M}, {"1G", PageSize::Huge1G}};
    const auto size = v.IsScalar() ? kSizes.find(v.Scalar()) : kSizes.end();
    if (size != kSizes.end()) {
      c.pages = size->second;
    } else {
      reader.error(v, fmt::format("buffers.page-size{}: must be auto, ordinary, 2M or 1G",
                                  v.IsScalar() ? " '" + v.Scalar() + "'" : ""));
    }
  };
  reader.map(node, "buffers",
             {{"count",
               [&](const YAML::Node& v) {
                 if (const auto count = reader.number(v, "buffers.count", kBuffersMin, kBuffersMax))
                   c.buffers = static_cast<std::uint32_t>(*count);
               }},
              {"hugepages", [&](const YAML::Node& v) { reader.truth(v, "buffers.hugepages", c.hugepages); }},
              {"page-size", read_pages}});
  if (!c.hugepages && (c.pages == PageSize::Huge2M || c.pages == PageSize::Huge1G)) {
    reader.error(node, "buffers.hugepages is false, and buffers.page-size asks for some; leave one of them out");
  }
}

/// A path, or the word none.
void read_file(Reader& reader, const YAML::Node& node, const std::string& what, std::optional<std::string>& file) {
  if (node.IsScalar() && node.Scalar() == "none") {
    file = "";
  } else {
    std::string path;
    reader.path(node, what, path, 4096);
    file = path;
  }
}

void read_metrics(Reader& reader, const YAML::Node& node, Configuration& c) {
  reader.map(node, "metrics", {{"listen", [&](const YAML::Node& v) {
                                  std::string where;
                                  reader.text(v, "metrics.listen", where);
                                  const auto address = control::ListenAddress::parse(where);
                                  if (!address.ok())
                                    return reader.error(v, "metrics.listen: " + text(address.status()));
                                  c.metrics = *address;
                                }}});
}

void read_log(Reader& reader, const YAML::Node& node, Configuration& c) {
  reader.map(node, "log",
             {{"level", [&](const YAML::Node& v) {
                 for (const auto level : {LogLevel::Debug, LogLevel::Info, LogLevel::Warning, LogLevel::Error}) {
                   if (v.IsScalar() && v.Scalar() == to_string(level)) {
                     c.log_level = level;
                     return;
                   }
                 }
                 reader.error(v, "log.level: must be debug, info, warning or error");
               }}});
}

void read_root(Reader& reader, const YAML::Node& root, Configuration& c) {
  reader.map(
      root, "the file",
      {{"workers", [&](const YAML::Node& n) { read_workers(reader, n, c); }},
       {"buffers", [&](const YAML::Node& n) { read_buffers(reader, n, c); }},
       {"plugins",
        [&](const YAML::Node& n) {
          reader.map(n, "plugins",
                     {{"path", [&](const YAML::Node& v) { reader.path(v, "plugins.path", c.plugin_path, 4096); }},
                      {"load", [&](const YAML::Node& v) {
                         reader.list(v, "plugins.load", [&](const YAML::Node& name) {
                           reader.text(name, "a plugin's name", c.plugins.emplace_back());
                         });
                       }}});
        }},
       {"sockets",
        [&](const YAML::Node& n) {
          // sun_path holds 108 bytes with the end mark.
          reader.map(n, "sockets",
                     {{"api", [&](const YAML::Node& v) { reader.path(v, "sockets.api", c.api_socket, 107); }},
                      {"read-only",
                       [&](const YAML::Node& v) { reader.path(v, "sockets.read-only", c.read_only_socket, 107); }},
                      {"read-only-group",
                       [&](const YAML::Node& v) { reader.text(v, "sockets.read-only-group", c.read_only_group); }}});
        }},
       {"journal", [&](const YAML::Node& n) { read_file(reader, n, "journal", c.journal); }},
       {"counters", [&](const YAML::Node& n) { read_file(reader, n, "counters", c.counters); }},
       {"log", [&](const YAML::Node& n) { read_log(reader, n, c); }},
       {"metrics", [&](const YAML::Node& n) { read_metrics(reader, n, c); }},
       {"startup", [&](const YAML::Node& n) {
          if (n.IsNull()) return;
          reader.list(n, "startup", [&](const YAML::Node& line) {
            StartupCommand command{{}, reader.where(line)};
            reader.text(line, "a command", command.text);
            c.startup.push_back(std::move(command));
          });
        }}});
}

}  // namespace

std::string Configuration::journal_path() const {
  return journal ? *journal : (std::filesystem::path(api_socket).parent_path() / "running").string();
}

std::string Configuration::counters_path() const {
  return counters ? *counters : (std::filesystem::path(api_socket).parent_path() / "counters").string();
}

StatusOr<Configuration> Configuration::parse(std::string_view text, const std::string& name) {
  Reader reader(name);
  Configuration configuration;
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    if (root.IsDefined() && !root.IsNull()) read_root(reader, root, configuration);
  } catch (const YAML::Exception& e) {
    return refused("{}: {}; this is no YAML: look for an indentation, bracket or quote that is wrong here or above",
                   reader.where(e.mark), e.msg);
  }
  if (auto status = reader.status(); !status.ok()) return status;
  if (configuration.api_socket == configuration.read_only_socket) {
    return refused("{}: sockets.api and sockets.read-only are both {}; give each a path of its own", name,
                   configuration.api_socket);
  }
  return configuration;
}

StatusOr<Configuration> Configuration::load(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return not_found("{}: {}; give another file with --config", path, error.message());
  if (size > kFileMax) return refused("{}: {} bytes; a configuration has at most {}", path, size, kFileMax);
  std::ifstream file(path);
  if (!file) return not_found("{}: {}", path, std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  return parse(text.str(), path);
}

}  // namespace sluice
