// SPDX-License-Identifier: Apache-2.0
#include "top.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "control/json.h"
#include "control/values.h"
#include "control/view.h"
#include "local.pb.h"
#include "terminal.h"
#include "watch.h"

namespace sluice::ctl {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

constexpr std::size_t kDrops = 5;
/// However small the terminal is.
constexpr std::size_t kInterfacesLeast = 3;

const FieldDescriptor* field_of(const Message& row, const char* name) {
  return row.GetDescriptor()->FindFieldByName(name);
}

std::string text_of(const Message& row, const char* name) {
  const auto* field = field_of(row, name);
  return field ? control::field_text(row, *field, false) : "";
}

/// A list of the daemon's that is looked at again and again.
class Source {
 public:
  Source(const char* service, const char* method) : service_(service), name_(method) {}

  Status begin(Session& session) {
    seen_.forget();
    const auto* service = session.schema().pool().FindServiceByName(service_);
    method_ = service ? service->FindMethodByName(name_) : nullptr;
    if (method_) return {};
    return failed_precondition("top: the daemon does not know {}.{}: it is of another version", service_, name_);
  }
  Status look(Session& session) {
    auto& factory = session.schema().factory();
    const std::unique_ptr<Message> query(factory.GetPrototype(method_->input_type())->New());
    return seen_.take([&](const auto& reply) { return session.client().call(*method_, *query, factory, {}, reply); });
  }
  const std::vector<std::unique_ptr<Message>>& rows() const { return seen_.rows(); }
  /// Per second; 0 where there is nothing to compare with.
  double rate(const Message& row, const char* name) const {
    const auto* field = field_of(row, name);
    return field ? seen_.rates().of(row, *field).value_or(0) : 0;
  }

 private:
  std::string service_, name_;
  const google::protobuf::MethodDescriptor* method_ = nullptr;
  RatedRows seen_;
};

/// The rows as a table under a headline.
template <class Rows>
void table(std::string_view headline, const Descriptor& row, const Rows& rows, std::string& text) {
  text += fmt::format("\n{}\n", headline);
  auto view = control::View::make(row, true, {}, output_size().columns, [&](std::string_view more) { text += more; });
  if (!view.ok()) return;
  for (const auto& each : rows) (*view)->add(each);
  (*view)->finish();
}

class Top final : public Repeated {
 public:
  Top(Session& session, const TopQuery& query) : session_(session), query_(query) {}

  Status begin() override {
    any_ = false;
    for (auto* source : sources()) {
      if (auto status = source->begin(session_); !status.ok()) return status;
    }
    return {};
  }

  Status look(std::string& text) override {
    for (auto* source : sources()) {
      if (auto status = source->look(session_); !status.ok()) return status;
    }
    if (!std::exchange(any_, true)) return {};  // rates need two
    TopLook look;
    add_workers(look);
    add_drops(look);
    add_interfaces(look);
    text = session_.settings().json ? fmt::format("[\n{}\n]\n", control::to_json(look)) : shown(look);
    return {};
  }

 private:
  std::array<Source*, 3> sources() { return {&threads_, &interfaces_, &errors_}; }

  void add_workers(TopLook& look) const {
    for (const auto& row : threads_.rows()) {
      auto& worker = *look.add_worker();
      worker.set_name(text_of(*row, "name"));
      worker.set_cpu(text_of(*row, "cpu"));
      const double busy = threads_.rate(*row, "busy_cycles"), all = busy + threads_.rate(*row, "idle_cycles");
      worker.set_load(all > 0 ? 100 * busy / all : 0);  // none at all: it sleeps
    }
  }

  void add_drops(TopLook& look) const {
    std::vector<TopDrop> drops;
    for (const auto& row : errors_.rows()) {
      auto& drop = drops.emplace_back();
      drop.set_rate(errors_.rate(*row, "packets"));
      if (const auto* packets = field_of(*row, "packets"))
        drop.set_packets(row->GetReflection()->GetUInt64(*row, packets));
      drop.set_node(text_of(*row, "node"));
      drop.set_reason(text_of(*row, "reason"));
      drop.set_sentence(text_of(*row, "sentence"));
    }
    std::stable_sort(drops.begin(), drops.end(), [](const TopDrop& a, const TopDrop& b) {
      return std::pair(a.rate(), a.packets()) > std::pair(b.rate(), b.packets());
    });
    drops.resize(std::min(drops.size(), kDrops));
    for (auto& drop : drops) *look.add_drop() = std::move(drop);
  }

  /// As many as were asked for, and as a terminal has room for beside the rest.
  std::size_t room(const TopLook& look) const {
    const std::size_t wanted = query_.interfaces();
    const auto rows = output_size().rows;
    if (!rows || session_.settings().json) return wanted;
    const auto used = static_cast<std::size_t>(look.worker_size() + std::max(1, look.drop_size())) + 11;
    return std::min(wanted, std::max(kInterfacesLeast, rows > used ? rows - used : 0));
  }

  void add_interfaces(TopLook& look) const {
    std::vector<TopInterface> interfaces;
    for (const auto& row : interfaces_.rows()) {
      auto& interface = interfaces.emplace_back();
      interface.set_name(text_of(*row, "name"));
      interface.set_rx_packets(interfaces_.rate(*row, "rx_packets"));
      interface.set_rx_bits(8 * interfaces_.rate(*row, "rx_bytes"));
      interface.set_tx_packets(interfaces_.rate(*row, "tx_packets"));
      interface.set_tx_bits(8 * interfaces_.rate(*row, "tx_bytes"));
      interface.set_drops(interfaces_.rate(*row, "drops"));
    }
    look.set_interfaces(static_cast<std::uint32_t>(interfaces.size()));
    std::stable_sort(interfaces.begin(), interfaces.end(), [](const TopInterface& a, const TopInterface& b) {
      return a.rx_bits() + a.tx_bits() > b.rx_bits() + b.tx_bits();
    });
    interfaces.resize(std::min(interfaces.size(), room(look)));
    for (auto& interface : interfaces) *look.add_interface() = std::move(interface);
  }

  static std::string shown(const TopLook& look) {
    std::string text;
    table("WORKERS", *TopWorker::descriptor(), look.worker(), text);
    const int shown = look.interface_size();
    const bool some = static_cast<std::uint32_t>(shown) < look.interfaces();
    table(some ? fmt::format("INTERFACES, the busiest {} of {}", shown, look.interfaces()) : "INTERFACES",
          *TopInterface::descriptor(), look.interface(), text);
    table("DROPS, since the last clear errors", *TopDrop::descriptor(), look.drop(), text);
    return text;
  }

  Session& session_;
  const TopQuery query_;
  Source threads_{"sluice.runtime.Runtime", "ShowThreads"};
  Source interfaces_{"sluice.interface.Interfaces", "ShowInterface"};
  Source errors_{"sluice.runtime.Runtime", "ShowErrors"};
  bool any_ = false;
};

}  // namespace

bool is_top(const google::protobuf::MethodDescriptor& method) { return method.full_name() == "sluice.ctl.Local.Top"; }

Status top(Session& session, const Message& request) {
  TopQuery query;
  if (!query.ParseFromString(request.SerializeAsString())) return refused("the request is not what its form says");
  const auto no_kinds = [](const FieldDescriptor&, std::string_view, std::string_view) { return Status(); };
  if (auto status = control::check_rules(query, no_kinds); !status.ok()) return status;
  Top view(session, query);
  const bool once = !query.count() && (session.settings().json || !output_is_terminal());
  return repeat(session,
                {.title = session.settings().json ? "" : "top",
                 .every = std::chrono::seconds(query.every()),
                 .looks = once ? 1u : query.count()},
                view);
}

}  // namespace sluice::ctl
