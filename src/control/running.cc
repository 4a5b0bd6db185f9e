// SPDX-License-Identifier: Apache-2.0
#include "control/running.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "control/startup.h"
#include "sluice/log.h"

namespace sluice::control {
namespace {

constexpr std::chrono::milliseconds kRetry{1000};
/// A journal is written anew when it has grown to twice what it was, and by this much at least, and when half of its
/// records say nothing any more: a million routes that were added are written once.
constexpr std::uint64_t kSlack = 256 * 1024;

/// The latest record of each thing, in the order of their latest changes.
std::vector<const JournalRecord*> latest(const std::vector<JournalRecord>& records) {
  std::map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < records.size(); ++i) last[records[i].object()] = i;
  std::vector<const JournalRecord*> kept;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (last[records[i].object()] == i && !records[i].method().empty()) kept.push_back(&records[i]);
  }
  return kept;
}

}  // namespace

Running::Running(Dispatcher& dispatcher, Context& context, std::string path)
    : dispatcher_(dispatcher), context_(context), ledger_(dispatcher.api()) {
  if (!path.empty()) journal_ = std::make_unique<Journal>(std::move(path));
  ledger_.watch(context.interfaces());
  ledger_.write_to([this](const std::vector<JournalRecord>& records) { return write(records); });
  dispatcher_.on_change([this](const Api::Method& method, const google::protobuf::Message& request, CallContext& call) {
    return ledger_.changed(method, request, call);
  });
}

Running::~Running() { close(); }

void Running::close() {
  ledger_.detach();
  retry_.reset();
}

void Running::offer(Api& api) {
  api.service("sluice.control.Running").stream("ShowConfiguration", this, &Running::show);
}

Status Running::write(const std::vector<JournalRecord>& records) {
  if (!writing_) return {};
  const bool long_enough = journal_->bytes() > 2 * compacted_ + kSlack;
  if (behind_ || (long_enough && records_ >= 2 * ledger_.size())) return compact();
  Status status = journal_->append(records);
  records_ += records.size();
  if (status.ok()) return {};
  behind_ = true;
  log(LogLevel::Error, "a change is not in the journal", field("why", text(status)));
  return make_status(status.code(),
                     "the change was made, but a restart would not bring it back: {}; it is written as "
                     "soon as that is possible",
                     text(status));
}

/// Also the way out of a failed write: what the ledger holds is all that counts.
Status Running::compact() {
  const auto records = ledger_.records();
  auto status = journal_->rewrite(records);
  behind_ = !status.ok();
  if (!status.ok()) return status;
  compacted_ = journal_->bytes();
  records_ = records.size();
  return status;
}

void Running::restore_one(const JournalRecord& record) {
  const Api::Method* method = dispatcher_.api().find(record.method());
  if (!method || !method->unary) {
    ++refused_;
    log(LogLevel::Warning, "not restored", field("thing", record.object()), field("change", record.method()),
        field("why", "no plugin that is loaded knows this change"));
    return;
  }
  const std::unique_ptr<google::protobuf::Message> request(method->request->New()), reply(method->reply->New());
  if (!request->ParseFromString(record.request())) return;
  CallContext call(CallContext::Origin::Journal);
  const auto status = dispatcher_.call(*method, *request, *reply, call);
  if (status.ok()) {
    ++restored_;
  } else if (!record.masks()) {  // what is to be taken away may be gone already
    ++refused_;
    const auto command = grammar().command_line(*method->descriptor, *request, false);
    log(LogLevel::Warning, "not restored", field("command", command.value_or(record.object())),
        field("why", text(status)));
  }
}

Status Running::restore() {
  if (!journal_) return {};
  const auto found = Journal::read(journal_->path());
  if (!found.ok()) return found.status();
  if (found->torn) {
    log(LogLevel::Warning, "the journal's last record was torn and is dropped", field("file", journal_->path()));
  }
  if (found->damaged > 0) {
    log(LogLevel::Warning, "the journal is damaged; what is whole is restored", field("file", journal_->path()),
        field("bytes", found->damaged), field("at", found->first_damage));
  }
  for (const JournalRecord* record : latest(found->records)) restore_one(*record);
  if (!found->records.empty()) {
    log(LogLevel::Info, "restored from the journal", field("changes", restored_), field("refused", refused_),
        field("file", journal_->path()));
  }
  writing_ = true;
  if (auto status = compact(); !status.ok()) return status;
  retry_ = context_.every(kRetry, [this] {
    if (behind_ && compact().ok()) log(LogLevel::Info, "the journal is whole again");
  });
  return {};
}

const Grammar& Running::grammar() {
  if (!grammar_) {
    grammar_ = std::make_unique<Grammar>(*google::protobuf::MessageFactory::generated_factory());
    (void)add_services(*grammar_, dispatcher_.api());  // startup: has said what is wrong with them
  }
  return *grammar_;
}

/// What is configured now, whatever changes while the client reads. The commands are made one by one: that takes longer
/// than others may have to wait.
Stream<ConfigurationLine> Running::show(const ConfigurationQuery&) {
  const auto records = ledger_.records();
  for (const JournalRecord& record : records) {
    if (record.masks()) continue;
    const Api::Method* method = dispatcher_.api().find(record.method());
    const std::unique_ptr<google::protobuf::Message> request(method->request->New());
    const bool whole = request->ParseFromString(record.request());
    const auto command = whole ? grammar().command_line(*method->descriptor, *request, false) : std::nullopt;
    ConfigurationLine line;
    line.set_command(command.value_or(fmt::format("# {}: no command says this", record.object())));
    co_yield line;
  }
}

}  // namespace sluice::control
