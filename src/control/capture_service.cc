// SPDX-License-Identifier: Apache-2.0
#include "control/capture_service.h"

#include "control/selection.h"
#include "control/trace_requests.h"
#include "control/values.h"
#include "sluice/log.h"

namespace sluice::capture {
namespace {

// A ring holds what a worker captures in this time at 6 Gbit/s.
constexpr std::chrono::milliseconds kPeriod{10};
constexpr std::string_view kPatternKind = "interface-pattern";

bool is_pattern(const std::string& text) { return text.find('*') != std::string::npos; }

/// "rx, tx, drop"
std::string events_of(const CaptureSpec& spec) {
  std::string text;
  const auto add = [&text](bool wanted, std::string_view word) {
    if (wanted) text += fmt::format("{}{}", text.empty() ? "" : ", ", word);
  };
  add(spec.rx(), "rx");
  add(spec.tx(), "tx");
  add(spec.drop(), "drop");
  return text;
}

CaptureSpec complete(CaptureSpec spec) {
  if (!spec.rx() && !spec.tx() && !spec.drop()) {
    spec.set_rx(true);
    spec.set_tx(true);
    spec.set_drop(true);
  }
  return spec;
}

}  // namespace

CaptureService::CaptureService(Dataplane& dataplane, Context& context) : dataplane_(dataplane), context_(context) {
  context_.interfaces().listen([this](Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress*) {
    on_interface(event, entry);
  });
}

void CaptureService::offer(Api& api) {
  api.service("sluice.capture.Capture")
      .unary("Start", this, &CaptureService::start)
      .unary("Stop", this, &CaptureService::stop)
      .stream("Show", this, &CaptureService::show);
  const auto names = [this](const KindQuery&) {
    std::vector<Candidate> all;
    for (const InterfaceEntry* entry : context_.interfaces().list()) all.emplace_back(entry->name, entry->driver);
    return all;
  };
  api.kind(kPatternKind, "an interface, or with * several", names, [this](std::string_view text) -> Status {
    if (is_pattern(std::string(text)) || context_.interfaces().find(text)) return {};
    std::vector<std::string> known;
    for (const InterfaceEntry* entry : context_.interfaces().list()) known.push_back(entry->name);
    const auto meant = control::nearest(text, known);
    return not_found("no such interface{}{}{}; show interface lists them", meant.empty() ? "" : "; did you mean ",
                     meant, meant.empty() ? "" : "?");
  });
}

Status CaptureService::check_interface(const CaptureSpec& spec) const {
  if (spec.interface().empty() || is_pattern(spec.interface())) return {};
  const Interfaces& interfaces = context_.interfaces();
  const InterfaceEntry* entry = interfaces.find(spec.interface());
  if (!entry) return not_found("interface {} does not exist; show interface lists them", spec.interface());
  if (!entry->parent.valid() || !(spec.rx() || spec.tx())) return {};
  return refused(
      "interface {} receives and sends by {}; capture rx and tx with interface {} filter vlan {}, or drop alone",
      spec.interface(), interfaces.name(entry->parent), interfaces.name(entry->parent), entry->outer_vlan);
}

StatusOr<std::unique_ptr<CaptureState>> CaptureService::state_for(const CaptureSpec& spec) const {
  if (auto status = check_interface(spec); !status.ok()) return status;
  auto filters = trace::compile_filters(spec.filter(), spec.filter());
  if (!filters.ok()) return filters.status();
  auto state = std::make_unique<CaptureState>();
  state->received = spec.rx();
  state->sent = spec.tx();
  state->dropped = spec.drop();
  state->snap = spec.snap();
  state->ethernet = std::move(filters->ethernet);
  state->ip = std::move(filters->ip);
  state->every_interface = spec.interface().empty();
  for (const InterfaceEntry* entry : context_.interfaces().list()) {
    if (!state->every_interface && control::is_like(spec.interface(), entry->name)) state->choose(entry->index);
  }
  return state;
}

Status CaptureService::start(const CaptureSpec& request, Done& done, CallContext& call) {
  if (is_running())
    return failed_precondition("packets are captured into {} already; pcap stop ends that", spec_.file());
  const CaptureSpec spec = complete(request);
  auto state = state_for(spec);
  if (!state.ok()) return state.status();
  if (call.dry_run()) return would_open_private(spec.file(), spec.overwrite());
  std::vector<std::shared_ptr<CaptureRing>> rings;
  for (unsigned i = 0; i < dataplane_.worker_count(); ++i) rings.push_back(std::make_shared<CaptureRing>());
  auto file = PcapngFile::create(spec.file(), spec.overwrite(), "sluiced");
  if (!file.ok()) return file.status();

  (*state)->rings = rings;
  spec_ = spec;
  run_ = std::make_unique<CaptureRun>(
      dataplane_.graph(), context_.interfaces(), std::move(rings), std::move(*file),
      CaptureRun::Limits{.packets = spec.count(), .bytes = spec.size(), .snap = spec.snap()});
  timer_ = context_.every(kPeriod, [this] { drain(); });
  dataplane_.capture().publish(std::move(*state));
  log(LogLevel::Info, "capture started", field("file", spec_.file()), field("events", events_of(spec_)));
  done.set_text(fmt::format("capturing {} into {}; pcap stop ends it", events_of(spec_), spec_.file()));
  return {};
}

Status CaptureService::stop(const Nothing&, Done& done, CallContext& call) {
  done.set_unchanged(!is_running());
  if (!is_running() || call.dry_run()) return {};
  end("stopped");
  done.set_text(fmt::format("{}: {} packets, {} lost", spec_.file(), run_->packets(), run_->lost()));
  return {};
}

Stream<CaptureStatus> CaptureService::show(const Nothing&) {
  if (!run_) co_return;
  drain();
  CaptureStatus m;
  m.set_state(is_running() ? "capturing" : run_->ended());
  m.set_file(spec_.file());
  m.set_packets(run_->packets());
  m.set_lost(run_->lost());
  m.set_size(run_->bytes());
  m.set_events(events_of(spec_));
  m.set_interface(spec_.interface());
  m.set_filter(spec_.filter());
  co_yield std::move(m);
}

void CaptureService::drain() {
  if (!is_running()) return;
  run_->drain();
  if (!is_running()) let_go();
}

void CaptureService::end(std::string reason) {
  run_->end(std::move(reason));
  let_go();
}

void CaptureService::let_go() {
  timer_.reset();
  dataplane_.capture().publish(std::make_unique<CaptureState>());
  log(LogLevel::Info, "capture ended", field("reason", run_->ended()), field("file", spec_.file()),
      field("packets", run_->packets()), field("lost", run_->lost()));
}

void CaptureService::finish() {
  if (is_running()) end("sluiced has stopped");
}

void CaptureService::on_interface(Interfaces::Event event, const InterfaceEntry& entry) {
  if (!is_running()) return;
  if (event == Interfaces::Event::Created && control::is_like(spec_.interface(), entry.name)) {
    dataplane_.capture().update([&](CaptureState& state) { state.choose(entry.index); });
  }
  if (event != Interfaces::Event::Deleted) return;
  // While it has a name.
  drain();
  run_->forget(entry.index);
}

}  // namespace sluice::capture
