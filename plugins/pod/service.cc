// SPDX-License-Identifier: Apache-2.0
#include "service.h"

namespace sluice::pod {

void Service::offer(Api& api) {
  api.service("sluice.pod.Pods")
      .unary("Create", this, &Service::create)
      .unary("Delete", this, &Service::remove)
      .stream("Show", this, &Service::show)
      .unary("CreateHostTap", this, &Service::create_host_tap)
      .unary("DeleteHostTap", this, &Service::remove_host_tap);
  // Any name passes: a pod that is gone is deleted without complaint.
  api.kind(
      "pod-name", "a pod",
      [this](const KindQuery&) {
        std::vector<Candidate> names;
        for (const auto& [name, pod] : pods_.all()) names.emplace_back(name, pod.spec.namespace_path);
        return names;
      },
      [](std::string_view) { return Status(); });
}

Status Service::create(const PodRequest& request, Done& done, CallContext& call) {
  PodSpec spec;
  spec.name = request.name();
  spec.namespace_path = request.netns();
  spec.host_name = request.interface();
  spec.table = request.table();
  spec.mtu = request.mtu();
  const std::vector<std::string> addresses(request.address().begin(), request.address().end());
  if (Status status = set_addresses(spec, addresses); !status.ok()) return status;
  const auto made = pods_.create(spec, call.dry_run());
  if (!made.ok()) return made.status();
  done.set_unchanged(!*made);
  return {};
}

Status Service::remove(const PodName& request, Done& done, CallContext& call) {
  done.set_unchanged(!pods_.remove(request.name(), call.dry_run()));
  return {};
}

Status Service::create_host_tap(const HostTapRequest& request, Done& done, CallContext& call) {
  PodSpec spec;
  spec.name = request.name();
  spec.host_name = request.host_name().empty() ? request.name() : request.host_name();
  spec.mtu = request.mtu();
  const std::vector<std::string> addresses(request.address().begin(), request.address().end());
  if (Status status = set_addresses(spec, addresses); !status.ok()) return status;
  const auto made = host_tap_.create(spec, call.dry_run());
  if (!made.ok()) return made.status();
  done.set_unchanged(!*made);
  return {};
}

Status Service::remove_host_tap(const HostTapName& request, Done& done, CallContext& call) {
  done.set_unchanged(!host_tap_.remove(request.name(), call.dry_run()));
  return {};
}

Stream<PodState> Service::show(const PodQuery& query) {
  if (!query.name().empty() && !pods_.all().contains(query.name()))
    co_yield not_found("pod {}: there is none of this name; show pod lists them", query.name());
  // By key: pods may come and go between two replies.
  std::string last;
  for (auto it = pods_.all().begin(); it != pods_.all().end(); it = pods_.all().upper_bound(last)) {
    const Pod& pod = it->second;
    last = it->first;
    if (!query.name().empty() && query.name() != last) continue;
    const InterfaceEntry* entry = context_.interfaces().find(pod.interface);
    PodState state;
    state.set_name(last);
    for (const IpPrefix& prefix : pod.spec.prefixes()) state.add_address(prefix.address.to_string());
    state.set_netns(pod.spec.namespace_path);
    state.set_interface(pod.spec.host_name);
    state.set_table(pod.spec.table);
    state.set_mtu(pod.spec.mtu);
    state.set_state(entry && entry->admin_up ? "up" : "down");
    state.set_rx_packets(context_.interfaces().counter(pod.interface, InterfaceCounter::RxPackets));
    state.set_tx_packets(context_.interfaces().counter(pod.interface, InterfaceCounter::TxPackets));
    state.set_drops(context_.interfaces().counter(pod.interface, InterfaceCounter::Drops));
    co_yield state;
  }
}

}  // namespace sluice::pod
