// SPDX-License-Identifier: Apache-2.0
#include "route_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <vector>

#include "ip/route.pb.h"
#include "sluice/net/address.h"

namespace sluice::ctl {
namespace {

using google::protobuf::Message;

constexpr std::string_view kCommand = "add route ";
constexpr std::string_view kSpace = " \t";
constexpr int kBatch = 256;           // what the daemon takes at once
constexpr std::size_t kToldMax = 20;  // wrong lines
constexpr std::size_t kLineMax = 4096;
constexpr std::size_t kKnownMax = 4096;

/// What is wrong with lines, in their order.
class WrongLines {
 public:
  explicit WrongLines(std::string path) : path_(std::move(path)) {}
  void add(const std::string& where, std::string_view why) {
    if (++count_ <= kToldMax) text_ += fmt::format("{}:{}: {}\n", path_, where, why);
  }
  std::size_t count() const { return count_; }
  std::string text() const {
    return count_ > kToldMax ? fmt::format("{}and {} more\n", text_, count_ - kToldMax) : text_;
  }

 private:
  const std::string path_;
  std::string text_;
  std::size_t count_ = 0;
};

struct Line {
  IpPrefix prefix;
  std::size_t number = 0;
  const ip::RouteRequest* rest = nullptr;
};

/// Lines of text as routes, in the order of prefixes: what is near in the daemon's tables then comes together, which
/// makes it twice as fast.
class RouteReader {
 public:
  explicit RouteReader(control::Schema& schema) : schema_(schema) {}

  void read(std::istream& in, WrongLines& wrong) {
    std::string text;
    for (std::size_t number = 1; std::getline(in, text); ++number) {
      const auto begin = text.find_first_not_of(kSpace);
      if (begin == std::string::npos || text[begin] == '#') continue;
      if (text.size() > kLineMax) {
        wrong.add(std::to_string(number), "is too long");
      } else if (!take_known(std::string_view(text).substr(begin), number)) {
        take(std::string_view(text).substr(begin), begin, number, wrong);
      }
    }
  }
  const std::vector<Line>& sorted() {
    std::sort(lines_.begin(), lines_.end(), [](const Line& a, const Line& b) {
      return a.prefix != b.prefix ? a.prefix < b.prefix : a.number < b.number;
    });
    return lines_;
  }
  std::size_t routes() const { return lines_.size(); }

 private:
  /// Most lines of a long file say the same behind their prefix as one before them.
  bool take_known(std::string_view text, std::size_t number) {
    const auto space = std::min(text.find_first_of(kSpace), text.size());
    const auto known = rests_.find(text.substr(space));
    if (known == rests_.end()) return false;
    const auto prefix = IpPrefix::parse(text.substr(0, space));
    if (prefix.ok()) lines_.push_back({*prefix, number, known->second});
    return prefix.ok();
  }
  void take(std::string_view text, std::size_t indent, std::size_t number, WrongLines& wrong) {
    control::Command command;
    control::LineError error;
    if (!schema_.grammar().parse(std::string(kCommand).append(text), {}, command, error)) {
      const auto column = error.offset + 1 + indent - std::min(error.offset, kCommand.size());
      return wrong.add(fmt::format("{}:{}", number, column), error.message);
    }
    auto request = std::make_unique<ip::RouteRequest>();
    const bool is_route = command.method && command.method->full_name() == "sluice.ip.Routes.AddRoute" &&
                          request->ParseFromString(command.request->SerializeAsString());
    const auto prefix = IpPrefix::parse(request->prefix());
    if (!is_route || !prefix.ok()) return wrong.add(std::to_string(number), "is not what add route takes");
    const auto* kept = request.get();
    if (rests_.size() < kKnownMax) {
      rests_.try_emplace(std::string(text.substr(std::min(text.find_first_of(kSpace), text.size()))), kept);
    }
    requests_.push_back(std::move(request));
    lines_.push_back({*prefix, number, kept});
  }

  control::Schema& schema_;
  std::vector<std::unique_ptr<ip::RouteRequest>> requests_;
  std::map<std::string, const ip::RouteRequest*, std::less<>> rests_;
  std::vector<Line> lines_;
};

/// Sends lines in batches, and keeps what became of them.
class Load {
 public:
  Load(const std::vector<Line>& lines, WrongLines& wrong)
      : lines_(lines), wrong_(wrong), shown_(isatty(STDERR_FILENO) == 1) {}

  Status run(Client& client, control::Schema& schema, bool dry_run) {
    const auto* service = schema.pool().FindServiceByName("sluice.ip.Routes");
    const auto* method = service ? service->FindMethodByName("LoadRoutes") : nullptr;
    if (!method) return failed_precondition("the daemon is older than this sluicectl and takes no file of routes");
    const auto status = client.exchange(
        *method, schema.factory(), {.dry_run = dry_run}, [this] { return next(); },
        [this](const Message& reply) { answered(reply); });
    if (told_ > 0) fmt::print(stderr, "\r\033[K");
    return status;
  }
  std::size_t added() const { return added_; }
  std::size_t unchanged() const { return unchanged_; }

 private:
  const std::string* next() {
    if (sent_ == lines_.size()) return nullptr;
    batch_.clear_route();
    for (; sent_ < lines_.size() && batch_.route_size() < kBatch; ++sent_) {
      ip::RouteRequest* route = batch_.add_route();
      *route = *lines_[sent_].rest;
      route->set_prefix(lines_[sent_].prefix.to_string());
    }
    batch_.SerializeToString(&bytes_);
    return &bytes_;
  }
  void answered(const Message& reply) {
    ip::RouteBatchResult result;
    if (!result.ParseFromString(reply.SerializeAsString())) return;
    added_ += result.added();
    unchanged_ += result.unchanged();
    for (const auto& refused : result.refused()) {
      const auto at = std::min(done_ + refused.position(), lines_.size() - 1);
      wrong_.add(std::to_string(lines_[at].number), refused.why());
    }
    done_ = std::min(done_ + kBatch, lines_.size());
    if (!shown_ || done_ - told_ < 10 * kBatch) return;
    told_ = done_;
    fmt::print(stderr, "\r{} of {} routes", done_, lines_.size());
  }

  const std::vector<Line>& lines_;
  WrongLines& wrong_;
  const bool shown_;
  ip::RouteBatch batch_;
  std::string bytes_;
  std::size_t sent_ = 0, done_ = 0, told_ = 0;  // lines
  std::size_t added_ = 0, unchanged_ = 0;
};

}  // namespace

Status add_routes(Client& client, control::Schema& schema, const std::string& path, bool dry_run,
                  const Local::Reply& reply) {
  WrongLines wrong(path);
  RouteReader reader(schema);
  if (path == "-") {
    reader.read(std::cin, wrong);
  } else {
    std::ifstream file(path);
    if (!file || std::filesystem::is_directory(path)) {
      return refused("{}: cannot be read: {}", path, file ? "it is a directory" : std::strerror(errno));
    }
    reader.read(file, wrong);
  }
  if (wrong.count() > 0) {
    return refused("{} of {} routes are wrong:\n{}nothing has been sent", wrong.count(),
                   wrong.count() + reader.routes(), wrong.text());
  }
  Load load(reader.sorted(), wrong);
  const auto status = load.run(client, schema, dry_run);
  const auto summary =
      fmt::format("{} routes {}added, {} were there", load.added(), dry_run ? "would be " : "", load.unchanged());
  if (!status.ok()) return make_status(status.code(), "{}; {}", text(status), summary);
  if (wrong.count() > 0) {
    return refused(
        "{} of {} routes are refused:\n{}{}; {} that came in a batch with a refused one are not: mend the "
        "lines and run it again",
        wrong.count(), reader.routes(), wrong.text(), summary,
        reader.routes() - wrong.count() - load.added() - load.unchanged());
  }
  Done done;
  done.set_unchanged(load.added() == 0);
  done.set_text(summary);
  reply(done);
  return {};
}

}  // namespace sluice::ctl
