// SPDX-License-Identifier: Apache-2.0
#include "watch.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <vector>

#include "control/json.h"
#include "control/kinds.h"
#include "control/view.h"
#include "terminal.h"
#include "top.h"

namespace sluice::ctl {

using control::Command;
using google::protobuf::Message;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kShortest{100}, kLongest{86'400'000};
/// How often a daemon that has gone is looked for.
constexpr milliseconds kReturn{500};

std::string clock_text() { return fmt::format("{:%H:%M:%S}", fmt::localtime(std::time(nullptr))); }

class Repeater {
 public:
  Repeater(Session& session, const Repetition& repetition, Repeated& repeated)
      : session_(session), repetition_(repetition), repeated_(repeated) {}

  Status run() {
    if (auto status = repeated_.begin(); !status.ok()) return status;
    auto next = steady_clock::now();
    for (std::size_t shown = 0; true;) {
      std::string text;
      auto status = same_daemon();
      if (status.ok()) status = repeated_.look(text);
      if (attention_.is_over() || std::ferror(stdout)) return {};
      if (!status.ok() && session_.client().lost()) status = return_of_the_daemon(status);
      if (attention_.is_over()) return {};
      if (!status.ok()) return status;
      if (!text.empty()) {
        show(text);
        if (++shown == repetition_.looks) return {};
      }
      next = std::max(next + repetition_.every, steady_clock::now());
      if (!attention_.wait(next)) return {};
    }
  }

 private:
  void show(std::string_view text) {
    if (repetition_.title.empty()) {
      fmt::print("{}", text);
      std::fflush(stdout);
      return;
    }
    const double seconds = std::chrono::duration<double>(repetition_.every).count();
    screen_.show(fmt::format("{}  {}, every {} s\n{}{}", clock_text(), repetition_.title, seconds, note_, text));
  }

  /// On a terminal above what is shown from now on, else where errors go.
  void say(const std::string& what) {
    if (output_is_terminal() && !repetition_.title.empty()) {
      note_ = fmt::format("{} {}\n", clock_text(), what);
    } else {
      fmt::print(stderr, "sluicectl: {}\n", what);
    }
  }

  static std::string name_of(const control::Version& version) {
    return fmt::format("{} {}", version.pid(), version.started());
  }

  Status same_daemon() {
    const auto version = session_.client().version();
    if (!version.ok()) return version.status();
    const auto name = name_of(*version);
    const bool another = !daemon_.empty() && name != daemon_;
    daemon_ = name;
    if (!another) return {};
    say("the daemon has been restarted");
    return begin_anew();
  }

  Status begin_anew() {
    if (auto status = session_.refresh(); !status.ok()) return status;
    return repeated_.begin();
  }

  Status return_of_the_daemon(const Status& gone) {
    say(fmt::format("waiting for the daemon: {}", text(gone)));
    if (output_is_terminal()) show("");
    while (attention_.wait(steady_clock::now() + kReturn)) {
      const auto version = session_.client().version();
      if (!version.ok()) continue;
      daemon_ = name_of(*version);
      const auto status = begin_anew();
      if (!status.ok() && session_.client().lost()) continue;
      say("the daemon was gone and is back");
      return status;
    }
    return {};
  }

  Session& session_;
  const Repetition& repetition_;
  Repeated& repeated_;
  Attention attention_;
  Screen screen_;
  std::string daemon_;  // which one
  std::string note_;
};

/// What a command shows, look after look.
class Watched final : public Repeated {
 public:
  Watched(Session& session, std::string_view line) : session_(session), line_(line) {}

  Status begin() override {
    seen_.forget();
    control::LineError error;
    if (!session_.parse(line_, command_, error)) return refused("{}", control::text(error));
    const auto& method = *command_.method;
    if (is_top(method)) return refused("--watch: top looks again and again by itself: top every 2");
    const bool shows = method.options().GetExtension(cli).read_only() &&
                       method.output_type()->full_name() != Done::descriptor()->full_name();
    return shows ? Status() : refused("--watch: only commands that show something can be watched");
  }

  Status look(std::string& text) override {
    const auto status = seen_.take([&](const auto& reply) { return session_.call(command_, reply); });
    if (!status.ok()) return status;
    return session_.settings().json ? as_json(text) : as_view(text);
  }

 private:
  const control::ListVerbs& verbs() const { return static_cast<const control::ListVerbs&>(*command_.verbs); }

  Status as_view(std::string& text) {
    auto view = control::View::make(
        *command_.method->output_type(), command_.method->server_streaming(), verbs(), output_size().columns,
        [&](std::string_view more) { text += more; }, &seen_.rates());
    if (!view.ok()) return view.status();
    for (const auto& row : seen_.rows()) (*view)->add(*row);
    (*view)->finish();
    if (text.empty()) text += '\n';
    return {};
  }

  Status as_json(std::string& text) {
    auto& factory = session_.schema().factory();
    if (!command_.method->server_streaming()) {
      for (const auto& row : seen_.rows()) text += control::to_json(*row, &factory) + "\n";
      return {};
    }
    auto selection = control::Selection::make(*command_.method->output_type(), verbs());
    if (!selection.ok()) return selection.status();
    control::JsonList list(*std::move(selection), &factory, [&](std::string_view more) { text += more; });
    for (const auto& row : seen_.rows()) list.add(*row);
    list.finish();
    return {};
  }

  Session& session_;
  std::string line_;
  Command command_;
  RatedRows seen_;
};

}  // namespace

Status RatedRows::take(const std::function<Status(const Reply&)>& call) {
  std::vector<std::unique_ptr<Message>> rows;
  auto when = steady_clock::now();
  const auto status = call([&](const Message& reply) {
    if (rows.empty()) when = steady_clock::now();
    rows.emplace_back(reply.New())->CopyFrom(reply);
    return true;
  });
  if (!status.ok()) return status;
  std::vector<const Message*> pointers;
  for (const auto& row : rows) pointers.push_back(row.get());
  rates_.take(pointers, when);
  rows_ = std::move(rows);
  return {};
}

void RatedRows::forget() {
  rates_.forget();
  rows_.clear();
}

StatusOr<milliseconds> parse_interval(std::string_view text) {
  const std::string number(text);
  char* end = nullptr;
  const double seconds = std::strtod(number.c_str(), &end);
  const auto other = control::parse_duration(text, "ms");
  const bool plain = !number.empty() && *end == '\0' && number.find_first_not_of("0123456789.") == std::string::npos;
  const double found = plain ? seconds * 1000 : other ? static_cast<double>(*other) : -1;
  const bool allowed =
      found >= static_cast<double>(kShortest.count()) && found <= static_cast<double>(kLongest.count());
  if (allowed) return milliseconds(static_cast<std::int64_t>(found));
  return refused("--watch {}: must be 0.1 to 86400 seconds (1, 0.5, 500ms)", text);
}

StatusOr<std::optional<milliseconds>> cut_watch(std::string_view& line) {
  std::vector<control::Token> tokens;
  control::LineError error;
  if (!control::tokenize(line, tokens, error)) return std::optional<milliseconds>();  // whoever reads it says why
  const auto is_watch = [&](std::size_t back) {
    return tokens.size() >= back && !tokens[tokens.size() - back].quoted &&
           tokens[tokens.size() - back].text == "--watch";
  };
  if (is_watch(1)) return refused("--watch: expected seconds behind it (1, 0.5, 500ms)");
  if (!is_watch(2)) return std::optional<milliseconds>();
  const auto every = parse_interval(tokens.back().text);
  if (!every.ok()) return every.status();
  line = line.substr(0, tokens[tokens.size() - 2].begin);
  return std::optional<milliseconds>(*every);
}

Status repeat(Session& session, const Repetition& repetition, Repeated& repeated) {
  return Repeater(session, repetition, repeated).run();
}

Status watch(Session& session, std::string_view line, milliseconds every) {
  Watched watched(session, line);
  const auto end = line.find_last_not_of(' ') + 1;
  return repeat(session, {.title = session.settings().json ? "" : std::string(line.substr(0, end)), .every = every},
                watched);
}

}  // namespace sluice::ctl
