// SPDX-License-Identifier: Apache-2.0
// sluicectl: looks into a running sluiced and changes it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "control/contract.h"
#include "control/declarations.h"
#include "control/docs.h"
#include "reference.h"
#include "session.h"
#include "shell.h"
#include "watch.h"

namespace {

using namespace sluice;

/// One argument is a line as it stands; several are its words, quoted again where they need it.
std::string join(const std::vector<std::string>& words) {
  if (words.size() == 1) return words.front();
  std::string line;
  for (const auto& word : words) {
    if (!line.empty()) line += ' ';
    const bool blank = word.empty() || word.find_first_of(" \t\"'#") != std::string::npos;
    line += blank ? control::quote(word) : word;
  }
  return line;
}

struct Arguments {
  ctl::Settings settings;
  std::string script;
  std::string watch;
  bool no_pager = false;
  bool docs = false;
  bool contract = false;
  std::string check_contract;
  bool manual = false;
  std::string completion;  // for this shell
  bool completes = false;
  std::string incomplete;  // a line whose last word is to be completed
  std::vector<std::string> words;
};

/// Whether the daemon keeps the contract that a file holds.
int check_contract(const std::string& path, const control::Schema& schema) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  const auto contract = control::Contract::parse(content.str());
  if (!contract.ok()) {
    fmt::print(stderr, "sluicectl: {}: {}\n", path, file ? text(contract.status()) : "cannot be read");
    return ctl::kSyntax;
  }
  const auto broken = contract->broken_by(schema);
  for (const auto& sentence : broken) fmt::print(stderr, "sluicectl: {}: {}\n", path, sentence);
  return broken.empty() ? ctl::kDone : ctl::kRefused;
}

int syntax(const std::string& message) {
  fmt::print(stderr, "sluicectl: {}\n", message);
  return ctl::kSyntax;
}

/// Words that complete the line, one a line.
int complete(ctl::Session& session, std::string_view line) {
  std::string partial;
  for (const auto& word : session.completions(line, partial)) fmt::print("{}\n", word);
  return ctl::kDone;
}

int run(const CLI::App& app, const Arguments& arguments) {
  auto session = ctl::Session::open(arguments.settings);
  if (!session.ok()) {
    fmt::print(stderr, "sluicectl: {}\n", text(session.status()));
    return ctl::kUnreachable;
  }
  if (arguments.completes) return complete(**session, arguments.incomplete);
  if (arguments.manual || !arguments.completion.empty()) {
    const auto& schema = (*session)->schema();
    fmt::print("{}", arguments.manual ? ctl::manual(app, schema) : ctl::bash_completion(app, schema));
    return ctl::kDone;
  }
  if (arguments.docs) {
    fmt::print("{}", control::command_reference((*session)->schema()));
    const auto status = control::check_declarations((*session)->schema());
    if (!status.ok()) fmt::print(stderr, "sluicectl: the declarations have faults:\n{}\n", text(status));
    return status.ok() ? ctl::kDone : ctl::kRefused;
  }
  if (arguments.contract) {
    fmt::print("{}", control::Contract::of((*session)->schema()).text());
    return ctl::kDone;
  }
  if (!arguments.check_contract.empty()) return check_contract(arguments.check_contract, (*session)->schema());
  if (!arguments.script.empty()) return (*session)->run_script(arguments.script);
  if (arguments.words.empty()) return ctl::run_shell(**session);
  const auto line = join(arguments.words);
  if (line.ends_with('?')) {
    fmt::print("{}", (*session)->help(std::string_view(line).substr(0, line.size() - 1)));
    return ctl::kDone;
  }
  return (*session)->run(line);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pager ends the output, not the program
  Arguments arguments;
  CLI::App app{"Looks into a running sluiced and changes it. Without a command: an interactive shell."};
  app.add_option(
      "--socket,-s", arguments.settings.socket,
      "the daemon's socket (default /run/sluice/api.sock, ro.sock there, else $XDG_RUNTIME_DIR/sluice/api.sock)");
  app.add_option("--file,-f", arguments.script, "run the commands of a file; stop at the first that is refused");
  app.add_flag("--json,-j", arguments.settings.json, "print replies as JSON");
  app.add_flag("--dry-run,-n", arguments.settings.dry_run, "say what would be done, change nothing");
  app.add_option("--watch,-w", arguments.watch,
                 "ask again every so many seconds (1, 0.5, 500ms), and show how fast counters rise; Ctrl-C or q ends");
  app.add_flag("--no-pager", arguments.no_pager, "no pager ($PAGER, else less) for what is longer than the terminal");
  app.add_flag("--generate-docs", arguments.docs, "print the command reference in Markdown");
  app.add_flag("--generate-contract", arguments.contract, "print what clients may rely on, one thing a line");
  app.add_option("--check-contract", arguments.check_contract, "say what of such a file this daemon does not keep");
  app.add_option("--completion", arguments.completion, "print the completion script of a shell; bash is known")
      ->check(CLI::IsMember({"bash"}));
  app.add_flag("--manual", arguments.manual, "print the page of the manual")->group("");
  const auto* incomplete = app.add_option("--complete", arguments.incomplete, "print what completes a line")->group("");
  app.prefix_command();
  app.footer(
      "A command stands behind the options: sluicectl --json show interface\nExit status: 0 done or unchanged, 1 "
      "refused and nothing changed, 2 syntax, 3 daemon unreachable.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : ctl::kSyntax;
  }
  arguments.completes = incomplete->count() > 0;
  arguments.words = app.remaining();
  if (!arguments.script.empty() && !arguments.words.empty()) {
    return syntax(fmt::format("-f {}: no command may stand beside it: {}", arguments.script, join(arguments.words)));
  }
  if (!arguments.words.empty() && arguments.words.front().starts_with('-')) {
    return syntax(fmt::format("{}: no such option; --help lists them", arguments.words.front()));
  }
  arguments.settings.pager = !arguments.no_pager;
  if (!arguments.watch.empty()) {
    const auto every = ctl::parse_interval(arguments.watch);
    if (!every.ok()) return syntax(text(every.status()));
    if (arguments.words.empty()) return syntax("--watch: give a command that shows something behind it");
    arguments.settings.watch = *every;
  }
  return run(app, arguments);
}
