// SPDX-License-Identifier: Apache-2.0
// Runs command lines against a daemon and shows what comes back.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client.h"

namespace sluice::ctl {

struct Settings {
  std::string socket;  // empty: the default one
  bool json = false;
  bool dry_run = false;
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

  control::Schema& schema() { return *schema_; }
  Client& client() { return *client_; }

 private:
  Session(Settings settings, std::unique_ptr<Client> client, std::unique_ptr<control::Schema> schema)
      : settings_(std::move(settings)), client_(std::move(client)), schema_(std::move(schema)) {}
  control::ParseOptions typed();
  Status call(const control::Command& command, const std::function<bool(const google::protobuf::Message&)>& reply);
  Status execute(control::Command& command);
  Status execute_json(const control::Command& command);
  Exit exit_of(const Status& status) const;
  Exit fail(Exit code, std::string_view message);
  std::vector<control::CompleteReply::Candidate> values(const control::Expected& expected, std::string_view partial,
                                                        const google::protobuf::Message* arguments);

  Settings settings_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<control::Schema> schema_;
};

}  // namespace sluice::ctl
