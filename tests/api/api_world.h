// SPDX-License-Identifier: Apache-2.0
// A daemon in this process, put together as `sluiced --unprivileged` is but without sockets, and what must hold
// whatever it is asked: a call that is refused or dry changes nothing, no handler throws, no buffer is lost. Aborts
// when not.
#pragma once
#include <google/protobuf/stubs/logging.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/daemon.h"
#include "control/dispatcher.h"
#include "control/meta_service.h"
#include "control/running.h"
#include "request_maker.h"
#include "sluice/log.h"
#include "sluice/testing/temp_folder.h"

namespace sluice::apitest {

/// What has been asked and what came of it, over all worlds of the process.
struct Tally {
  std::uint64_t calls = 0, malformed = 0, refused = 0, changes = 0, replies = 0, looks = 0;
};

class ApiWorld {
 public:
  /// So many calls in a row are a client's way to fill every table; then a new daemon begins.
  static constexpr std::uint64_t kCalls = 20'000;

  ApiWorld() {
    set_log_level(LogLevel::Error);
    google::protobuf::SetLogHandler(nullptr);  // it tells of every text that is no UTF-8
    DaemonOptions options;
    options.dataplane = {1, {}, {4096, false}};
    options.plugin_folder = default_plugin_folder();
    options.plugins = {"macswap", "null", "pg"};
    options.unprivileged = true;
    auto daemon = Daemon::create(options);
    if (!daemon.ok()) fail("the daemon does not start: " + text(daemon.status()));
    daemon_ = std::move(*daemon);
    dispatcher_ = std::make_unique<control::Dispatcher>(daemon_->api());
    meta_ = std::make_unique<control::MetaService>(*dispatcher_, daemon_->plugins());
    meta_->offer(daemon_->api());
    running_ = std::make_unique<control::Running>(*dispatcher_, daemon_->context(), folder_.file("running"));
    running_->offer(daemon_->api());
    maker_ = std::make_unique<RequestMaker>(daemon_->api(), folder_.path().string());
    for (const auto& status : {daemon_->api().check(), daemon_->start(), running_->restore()}) {
      if (!status.ok()) fail(text(status));
    }
    for (const auto& [path, method] : daemon_->api().methods()) methods_.emplace_back(hash_of(path), &method);
  }

  ~ApiWorld() {
    open_.clear();
    running_->close();
    daemon_->stop();
    const auto used = daemon_->dataplane().pool().usage().used;
    if (used != 0) fail(std::to_string(used) + " buffers leaked");
  }
  ApiWorld(const ApiWorld&) = delete;
  ApiWorld& operator=(const ApiWorld&) = delete;

  bool is_worn() const { return calls_ >= kCalls; }
  static Tally& tally() {
    static Tally tally;
    return tally;
  }

  /// One call as a socket makes it, and a bit of what goes on beside it.
  void step(Choices& choices) {
    ++calls_;
    ++tally().calls;
    if (calls_ % 16 == 0) run_loop();
    const auto& method = choose(static_cast<std::uint32_t>(choices.number(2)));
    const auto how = choices.byte();
    const std::unique_ptr<Message> request(method.request->New());
    if (how < 240) maker_->fill(*request, choices);
    std::string wire = how < 250 ? request->SerializeAsString() : choices.bytes(200);
    if (how >= 200) RequestMaker::mutate(wire, choices);
    remember(method, wire);
    auto call = std::make_unique<Open>(method, how % 8 == 7);
    if (!call->request->ParseFromString(wire)) {
      ++tally().malformed;
      return;
    }
    maker_->tame(*call->request);
    if (method.unary) {
      run_unary(*call);
    } else {
      run_stream(std::move(call));
    }
    go_on_with_streams();
  }

 private:
  struct Open {
    Open(const Api::Method& m, bool dry_run)
        : method(m), context(CallContext::Origin::Socket, dry_run), request(m.request->New()) {}
    const Api::Method& method;
    CallContext context;
    std::unique_ptr<Message> request;
    std::unique_ptr<AnyStream> stream;
  };

  static std::uint32_t hash_of(std::string_view text) {
    std::uint32_t hash = 2166136261u;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    return hash;
  }
  /// Of the same number the same method, also when a release adds others: so a corpus stays what it was.
  const Api::Method& choose(std::uint32_t number) const {
    const auto weight = [number](const auto& entry) {
      const auto mixed = (entry.first ^ (number * 2654435761u)) * 2246822519u;
      return mixed ^ (mixed >> 15);
    };
    return *std::max_element(methods_.begin(), methods_.end(), [&](const auto& a, const auto& b) {
              return weight(a) < weight(b);
            })->second;
  }

  void run_loop() {
    daemon_->loop().restart();
    daemon_->loop().poll();
    state_.reset();
  }

  void run_unary(Open& call) {
    const bool may_change = !call.method.read_only;
    if (may_change && !state_) state_ = look();
    const std::unique_ptr<Message> reply(call.method.reply->New());
    const auto status = dispatcher_->call(call.method, *call.request, *reply, call.context);
    if (!status.ok()) check_refusal(status);
    if (status.ok()) tally().replies += reply->SerializeAsString().empty() ? 0 : 1;
    if (status.ok() && !call.context.dry_run()) {
      tally().changes += may_change;
      if (may_change) state_.reset();
    } else if (may_change) {
      check_unchanged(status.ok() ? "a dry run" : "a refusal");
    }
  }

  void run_stream(std::unique_ptr<Open> call) {
    Status status;
    call->stream = dispatcher_->open(call->method, *call->request, call->context, status);
    if (!call->stream) return check_refusal(status);
    open_.push_back(std::move(call));
    if (open_.size() > 4) open_.pop_front();  // the client has gone
  }

  /// Other calls run between two replies of a stream.
  void go_on_with_streams() {
    for (auto it = open_.begin(); it != open_.end();) {
      auto step = AnyStream::Step::Pause;
      for (int i = 0; i < 40 && step != AnyStream::Step::End; ++i) {
        step = (*it)->stream->next();
        if (step == AnyStream::Step::Value) tally().replies += (*it)->stream->value().ByteSizeLong() > 0;
        if (step == AnyStream::Step::Wait) break;
      }
      if (step == AnyStream::Step::End && !(*it)->stream->status().ok()) check_refusal((*it)->stream->status());
      it = step == AnyStream::Step::End ? open_.erase(it) : std::next(it);
    }
  }

  void check_refusal(const Status& status) {
    ++tally().refused;
    if (status.message().empty()) fail("a refusal without a word");
    if (status.code() == absl::StatusCode::kInternal) fail("a handler failed: " + text(status));
  }

  void check_unchanged(const char* after) {
    const auto now = look();
    if (now != *state_)
      fail(std::string(after) + " has changed something\n--- before\n" + *state_ + "--- after\n" + now);
  }

  /// What the operator has made, without what traffic and time make of it.
  std::string look() {
    ++tally().looks;
    std::string seen;
    show(seen, "/sluice.control.Running/ShowConfiguration", {"command"});
    show(seen, "/sluice.interface.Interfaces/ShowInterfaceAddress", {"interface", "address", "table"});
    show(seen, "/sluice.interface.Interfaces/ShowPlacement", {"interface", "queue", "worker", "mode"});
    show(seen, "/sluice.ip.Routes/ShowFib", {"prefix", "source", "forwarding"});
    show(seen, "/sluice.ip.Routes/ShowTable", {"table", "slot"});
    show(seen, "/sluice.pg.Pg/Show", {"name", "target", "count", "rate", "size", "worker", "source"});
    const auto names = show(seen, "/sluice.interface.Interfaces/ShowInterface",
                            {"name", "state", "mtu", "driver", "mac", "rx_mode", "table"});
    for (const auto& name : names) {
      show(seen, "/sluice.interface.Interfaces/ShowFeatures", {"feature", "arc"}, {{"interface", name}});
    }
    return seen;
  }

  /// Adds what a list says to `seen`; the first of the fields of each row.
  std::vector<std::string> show(std::string& seen, const char* path, std::initializer_list<const char*> fields,
                                const std::map<std::string, std::string>& arguments = {}) {
    const auto* method = daemon_->api().find(path);
    if (!method) fail(std::string("there is no ") + path);
    Open call(*method, false);
    for (const auto& [name, value] : arguments) {
      const auto* field = call.request->GetDescriptor()->FindFieldByName(name);
      call.request->GetReflection()->SetString(call.request.get(), field, value);
    }
    Status status;
    call.stream = dispatcher_->open(*method, *call.request, call.context, status);
    if (!call.stream) fail(std::string(path) + ": " + text(status));
    seen += path;
    seen += '\n';
    std::vector<std::string> firsts;
    for (auto step = call.stream->next(); step != AnyStream::Step::End; step = call.stream->next()) {
      if (step != AnyStream::Step::Value) continue;
      const auto before = firsts.size();
      for (const auto* name : fields) {
        const auto said = said_of(call.stream->value(), path, name);
        if (firsts.size() == before) firsts.push_back(said);
        seen += said + ' ';
      }
      seen += '\n';
    }
    return firsts;
  }

  std::string said_of(const Message& row, const char* path, const char* name) {
    const auto* field = row.GetDescriptor()->FindFieldByName(name);
    if (!field) fail(std::string(path) + " has no field " + name);
    const bool is_text = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    return is_text ? row.GetReflection()->GetString(row, field) : number_of(row, *field);
  }
  static std::string number_of(const Message& row, const FieldDescriptor& field) {
    const auto* r = row.GetReflection();
    const bool wide = field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
    return std::to_string(wide ? r->GetUInt64(row, &field) : r->GetUInt32(row, &field));
  }

  void remember(const Api::Method& method, const std::string& wire) {
    latest_.emplace_back(&method, wire);
    if (latest_.size() > 12) latest_.pop_front();
  }

  [[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "api: %s\nThe latest calls:\n", what.c_str());
    for (const auto& [method, wire] : latest_) {
      const std::unique_ptr<Message> request(method->request->New());
      const bool whole = request->ParsePartialFromString(wire);
      std::fprintf(stderr, "  %s {%s}%s\n", method->descriptor->full_name().c_str(),
                   request->ShortDebugString().c_str(), whole ? "" : " malformed");
    }
    std::abort();
  }

  testing::TempFolder folder_;
  std::unique_ptr<Daemon> daemon_;
  std::unique_ptr<control::Dispatcher> dispatcher_;
  std::unique_ptr<control::MetaService> meta_;
  std::unique_ptr<control::Running> running_;
  std::unique_ptr<RequestMaker> maker_;
  std::vector<std::pair<std::uint32_t, const Api::Method*>> methods_;
  std::deque<std::unique_ptr<Open>> open_;
  std::deque<std::pair<const Api::Method*, std::string>> latest_;
  std::optional<std::string> state_;
  std::uint64_t calls_ = 0;
};

/// Runs the calls that some bytes mean, at most 24.
inline void run_requests(std::unique_ptr<ApiWorld>& world, const std::uint8_t* data, std::size_t size) {
  if (!world || world->is_worn()) {
    world.reset();
    world = std::make_unique<ApiWorld>();
  }
  Choices choices(data, size);
  for (int i = 0; i < 24 && !choices.empty(); ++i) world->step(choices);
}

}  // namespace sluice::apitest
