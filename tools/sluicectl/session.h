// SPDX-License-Identifier: Apache-2.0
// Runs command lines against a daemon and shows what comes back.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client.h"

namespace sluice::ctl {

struct Settings {
  std::string socket;  // empty: the default one
  bool json = false;
  bool dry_run = false;
  bool pager = true;                               // on a terminal, for what is longer than it
  std::optional<std::chrono::milliseconds> watch;  // ask again and again
};

class Session {
 public:
  /// Connects and asks what the daemon can do.
  static StatusOr<std::unique_ptr<Session>> open(const Settings& settings);

  /// One line. Output on stdout, errors on stderr, with `where` in front.
  Exit run(std::string_view line, std::string_view where = {});
  /// A script: parsed whole before its first line runs, stopped at the first refusal.
  Exit run_script(const std::string& path);
  /// What may stand at the end of the line, one a line with its help: `?`.
  std::string help(std::string_view line);
  /// Words that complete the line's last one; `partial` is what has been typed of it.
  std::vector<std::string> completions(std::string_view line, std::string& partial);

  /// Reads a line as one types it.
  bool parse(std::string_view line, control::Command& command, control::LineError& error);
  Status call(const control::Command& command, const std::function<bool(const google::protobuf::Message&)>& reply);
  /// Asks again what the daemon can do: it is another one.
  Status refresh();

  const Settings& settings() const { return settings_; }
  control::Schema& schema() { return *schema_; }
  Client& client() { return *client_; }

 private:
  Session(Settings settings, std::unique_ptr<Client> client, std::unique_ptr<control::Schema> schema)
      : settings_(std::move(settings)), client_(std::move(client)), schema_(std::move(schema)) {}
  control::ParseOptions typed();
  Status execute(control::Command& command);
  Status execute_json(const control::Command& command);
  Exit exit_of(const Status& status) const;
  Exit fail(Exit code, std::string_view message);
  std::vector<control::CompleteReply::Candidate> values(const control::Expected& expected, std::string_view partial,
                                                        const google::protobuf::Message* arguments);

  Settings settings_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<control::Schema> schema_;
  std::vector<std::unique_ptr<control::Schema>> former_;  // commands that have been read refer to them
};

}  // namespace sluice::ctl
