// SPDX-License-Identifier: Apache-2.0
// What others ask the interface manager.
#include "interface/interface_manager.h"

namespace sluice {

InterfaceManager::Slot* InterfaceManager::slot(InterfaceIndex index) {
  if (!index.valid() || index.slot() >= slots_.size() || !slots_[index.slot()]) return nullptr;
  return slots_[index.slot()]->entry.index == index ? slots_[index.slot()].get() : nullptr;
}

const InterfaceManager::Slot* InterfaceManager::slot(InterfaceIndex index) const {
  return const_cast<InterfaceManager*>(this)->slot(index);
}

Status InterfaceManager::no_such(InterfaceIndex index) const {
  return not_found("interface {:#x} does not exist (any more); show interface lists them", index.value);
}

const InterfaceEntry* InterfaceManager::find(InterfaceIndex index) const {
  const Slot* s = slot(index);
  return s ? &s->entry : nullptr;
}

const InterfaceEntry* InterfaceManager::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : find(it->second);
}

std::string InterfaceManager::name(InterfaceIndex index) const {
  const InterfaceEntry* entry = find(index);
  return entry ? entry->name : "deleted";
}

std::vector<const InterfaceEntry*> InterfaceManager::list() const {
  std::vector<const InterfaceEntry*> entries;
  for (const auto& [_, index] : by_name_) entries.push_back(find(index));
  return entries;
}

std::uint64_t InterfaceManager::counter(InterfaceIndex index, InterfaceCounter counter) const {
  if (!slot(index)) return 0;
  std::uint64_t sum = 0;
  for (const auto& thread : dataplane_.workers()) sum += thread->worker().counters(index.slot())[counter].get();
  const auto base = baselines_.find(index.slot());
  sum -= base == baselines_.end() ? 0 : base->second[counter].get();
  if (const Device* device = slot(index)->device.get(); device && counter == InterfaceCounter::RxMiss)
    sum += device->rx_missed();
  if (counter == InterfaceCounter::RxNoBuffer) sum += rx_no_buffer(index);
  if (counter == InterfaceCounter::RxError) sum += rx_errors(index);
  if (counter == InterfaceCounter::TxError) sum += tx_errors(index);
  return sum;
}

std::uint32_t InterfaceManager::mtu_limit(const InterfaceEntry& entry) const {
  if (entry.device) return entry.device->info().mtu_max;
  const Slot* above = slot(entry.parent);
  return above->entry.mtu - (entry.inner_vlan ? above->device->info().double_tag_bytes : 0);
}

InterfaceQueues InterfaceManager::queues(InterfaceIndex index) const {
  InterfaceQueues all;
  const Slot* s = slot(index);
  if (!s) return all;
  for (const auto& q : s->rx) {
    all.rx.push_back({.packets = q->packets.get(), .no_buffers = q->no_buffers.get(), .errors = q->errors.get()});
  }
  for (const auto& q : s->tx) {
    all.tx.push_back({.packets = q->packets.get(), .full = q->full.get(), .errors = q->errors.get()});
  }
  return all;
}

std::uint64_t InterfaceManager::rx_no_buffer(InterfaceIndex index) const {
  std::uint64_t sum = 0;
  if (const Slot* s = slot(index)) {
    for (const auto& queue : s->rx) sum += queue->no_buffers.get();
  }
  return sum;
}

std::uint64_t InterfaceManager::rx_errors(InterfaceIndex index) const {
  std::uint64_t sum = 0;
  if (const Slot* s = slot(index)) {
    for (const auto& queue : s->rx) sum += queue->errors.get();
  }
  return sum;
}

std::uint64_t InterfaceManager::tx_errors(InterfaceIndex index) const {
  std::uint64_t sum = 0;
  if (const Slot* s = slot(index)) {
    for (const auto& queue : s->tx) sum += queue->errors.get();
  }
  return sum;
}

}  // namespace sluice
