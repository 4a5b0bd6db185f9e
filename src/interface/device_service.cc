// SPDX-License-Identifier: Apache-2.0
#include "interface/device_service.h"

#include <algorithm>

#include "interface/flow_handoff.h"
#include "interface/interface_words.h"

namespace sluice::interface {
namespace {

std::vector<std::string> offloads_of(const Device& device, const DeviceDetails& details) {
  const Offloads& o = device.info().offloads;
  std::vector<std::string> all;
  if (o.tx_checksum) all.emplace_back("tx-checksum");
  if (o.tx_tso4) all.emplace_back("tso4");
  if (o.tx_tso6) all.emplace_back("tso6");
  if (o.tx_uso) all.emplace_back("uso");
  for (const std::string& more : details.offloads) {
    if (std::find(all.begin(), all.end(), more) == all.end()) all.push_back(more);
  }
  return all;
}

void put(QueueCounter& m, const DeviceCounter& counter) {
  m.set_name(std::string(counter.name));
  m.set_value(counter.value);
  m.set_unit(std::string(counter.unit));
}

/// What both kinds of queues have.
template <class M>
void put(M& m, std::size_t number, const QueueCounts& ours, const std::vector<QueueDetails>& details) {
  m.set_queue(static_cast<std::uint32_t>(number));
  m.set_packets(ours.packets);
  m.set_errors(ours.errors);
  if (number >= details.size()) return;
  const QueueDetails& device = details[number];
  m.set_ring(device.ring);
  m.set_mode(device.mode);
  m.set_reason(device.reason);
  for (const DeviceCounter& counter : device.counters) put(*m.add_counter(), counter);
}

/// What holds for all queues is said once, above them.
void say_modes_once(DeviceCard& card, const DeviceDetails& details) {
  std::vector<const QueueDetails*> all;
  for (const auto& queue : details.rx) all.push_back(&queue);
  for (const auto& queue : details.tx) all.push_back(&queue);
  if (all.empty()) return;
  const auto same = [&](auto member) {
    return std::all_of(all.begin(), all.end(), [&](const auto* q) { return q->*member == all.front()->*member; });
  };
  if (same(&QueueDetails::mode)) card.set_mode(all.front()->mode);
  if (same(&QueueDetails::reason)) {
    card.set_reason(all.front()->reason);
    return;
  }
  for (auto& queue : *card.mutable_rx_queue()) queue.set_note(queue.reason());
  for (auto& queue : *card.mutable_tx_queue()) queue.set_note(queue.reason());
}

}  // namespace

void DeviceService::offer(Api& api) {
  api.service("sluice.interface.Devices").stream("ShowDevice", this, &DeviceService::show);
}

std::string DeviceService::rss(const InterfaceEntry& e) const {
  const auto input = features_.enabled(e.index, FlowHandoff::kFeature.arc);
  if (std::find(input.begin(), input.end(), FlowHandoff::kInfo.name) != input.end()) return "software";
  return e.device->info().spreads_flows ? "device" : "off";
}

DeviceCard DeviceService::card(const InterfaceEntry& e) const {
  const DeviceDetails details = e.device->details();
  DeviceCard m;
  m.set_name(e.name);
  m.set_driver(e.driver);
  m.set_detail(e.detail);
  m.set_state(state_of(e));
  m.set_link(e.link == LinkLayer::Ethernet ? "ethernet" : "ip");
  if (e.link == LinkLayer::Ethernet) m.set_mac(e.mac.to_string());
  m.set_mtu(e.mtu);
  if (details.numa_node >= 0) m.set_numa_node(std::to_string(details.numa_node));
  for (const std::string& offload : offloads_of(*e.device, details)) m.add_offloads(offload);
  m.set_rss(rss(e));
  m.set_rx_mode(std::string(mode_name(e.rx_mode)));
  const InterfaceQueues counts = interfaces_.queues(e.index);
  for (std::size_t q = 0; q < counts.rx.size(); ++q) {
    RxQueueCard& row = *m.add_rx_queue();
    put(row, q, counts.rx[q], details.rx);
    row.set_no_buffers(counts.rx[q].no_buffers);
    row.set_rx_mode(m.rx_mode());
    for (const RxPlacement& p : e.placement) {
      if (p.queue == q) row.set_worker(fmt::format("{}{}", p.worker, p.moving ? ", moving" : ""));
    }
  }
  const auto workers = dataplane_.worker_count();
  for (std::size_t q = 0; q < counts.tx.size(); ++q) {
    TxQueueCard& row = *m.add_tx_queue();
    put(row, q, counts.tx[q], details.tx);
    row.set_full(counts.tx[q].full);
    // As InterfaceManager::bind_tx() has bound them.
    row.set_worker(static_cast<std::uint32_t>(q));
    for (std::size_t w = q + counts.tx.size(); w < workers; w += counts.tx.size()) {
      row.add_handed(static_cast<std::uint32_t>(w));
    }
  }
  say_modes_once(m, details);
  for (const DeviceCounter& counter : e.device->counters()) put(*m.add_counter(), counter);
  return m;
}

Stream<DeviceCard> DeviceService::show(const DeviceQuery& query) {
  std::vector<std::string> names;
  if (!query.name().empty()) {
    const InterfaceEntry* e = interfaces_.find(query.name());
    if (!e) co_yield not_found("interface {} does not exist; show interface lists them", query.name());
    if (!e->device) {
      co_yield failed_precondition("interface {} has no device of its own: it is {}", query.name(), e->detail);
    }
    names.push_back(query.name());
  } else {
    for (const InterfaceEntry* e : interfaces_.list()) names.push_back(e->name);
  }
  for (const std::string& name : names) {
    // Another handler may have deleted it between two replies.
    const InterfaceEntry* e = interfaces_.find(name);
    if (e && e->device) co_yield card(*e);
  }
}

}  // namespace sluice::interface
