// SPDX-License-Identifier: Apache-2.0
#include "local.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "control/command_writer.h"
#include "route_file.h"

namespace sluice::ctl {

using google::protobuf::Message;

void add_local(control::Description& description) {
  const auto* file = ConfigurationFile::descriptor()->file();
  for (const auto& needed : control::files_of(*file)) {
    if (needed.name() == file->name()) description.add_files(needed.SerializeAsString());
  }
  description.add_services("sluice.ctl.Local");
}

bool Local::owns(const google::protobuf::MethodDescriptor& method) {
  return method.service()->full_name() == "sluice.ctl.Local";
}

Status Local::call(const google::protobuf::MethodDescriptor& method, const Message& request, bool dry_run,
                   const Reply& reply) {
  ConfigurationFile file;  // RouteFile is the same
  if (!file.ParseFromString(request.SerializeAsString())) return refused("the request is not what its form says");
  if (method.name() == "AddRoutes") return add_routes(client_, schema_, file.file(), dry_run, reply);
  return method.name() == "SaveConfiguration" ? save(file.file(), dry_run, reply) : diff(file.file(), reply);
}

StatusOr<std::vector<std::string>> Local::running() {
  const auto* service = schema_.pool().FindServiceByName("sluice.control.Running");
  if (!service) return failed_precondition("the daemon is older than this sluicectl and cannot show its configuration");
  const auto* method = service->FindMethodByName("ShowConfiguration");
  const std::unique_ptr<Message> query(schema_.factory().GetPrototype(method->input_type())->New());
  std::vector<std::string> commands;
  const auto status = client_.call(*method, *query, schema_.factory(), {}, [&](const Message& line) {
    commands.push_back(control::typed_value(line, *line.GetDescriptor()->FindFieldByName("command")));
    return true;
  });
  if (!status.ok()) return status;
  return commands;
}

/// At once or not at all: whoever reads the file meanwhile sees the old one whole.
Status Local::save(const std::string& path, bool dry_run, const Reply& reply) {
  const auto commands = running();
  if (!commands.ok()) return commands.status();
  Done done;
  done.set_text(fmt::format("{} commands {}written to {}", commands->size(), dry_run ? "would be " : "", path));
  if (!dry_run) {
    const auto fresh = path + ".new";
    std::ofstream file(fresh, std::ios::trunc);
    file << fmt::format("# The configuration of a Sluice node. Run it with: sluicectl -f {}\n{}\n", path,
                        fmt::join(*commands, "\n"));
    file.close();
    std::error_code error;
    if (file) std::filesystem::rename(fresh, path, error);
    if (!file || error) {
      const auto why = error ? error.message() : std::string(std::strerror(errno));
      std::filesystem::remove(fresh, error);
      return refused("{}: cannot be written: {}; give another file", path, why);
    }
  }
  reply(done);
  return {};
}

/// The file's commands in the one way in which the daemon says them.
StatusOr<std::vector<std::string>> Local::saved(const std::string& path) const {
  std::ifstream file(path);
  if (!file || std::filesystem::is_directory(path)) {
    return refused("{}: cannot be read: {}", path, file ? "it is a directory" : std::strerror(errno));
  }
  std::vector<std::string> commands;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    control::Command command;
    control::LineError error;
    if (!schema_.grammar().parse(line, {}, command, error)) {
      return refused("{}:{}:{}: {}", path, number, error.offset + 1, error.message);
    }
    if (!command.method) continue;
    commands.push_back(schema_.grammar().command_line(*command.method, *command.request, false).value_or(line));
  }
  return commands;
}

Status Local::diff(const std::string& path, const Reply& reply) {
  const auto now = running();
  if (!now.ok()) return now.status();
  const auto then = saved(path);
  if (!then.ok()) return then.status();
  const auto tell = [&](const char* side, const std::vector<std::string>& these, std::vector<std::string> others) {
    for (const auto& command : these) {
      if (const auto same = std::find(others.begin(), others.end(), command); same != others.end()) {
        others.erase(same);
        continue;
      }
      DiffLine line;
      line.set_side(side);
      line.set_command(command);
      if (!reply(line)) return;
    }
  };
  tell("-", *then, *now);
  tell("+", *now, *then);
  return {};
}

}  // namespace sluice::ctl
