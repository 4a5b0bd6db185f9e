// SPDX-License-Identifier: Apache-2.0
// Interfaces without devices, workers or kernel: for tests of what listens to interfaces.
#pragma once
#include <sluice/interfaces.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace sluice::testing {

class MemoryInterfaces final : public Interfaces {
 public:
  /// Adds an interface that is up.
  InterfaceIndex add(std::string name, LinkLayer link = LinkLayer::Ethernet) {
    const InterfaceIndex index(next_++, 1);
    InterfaceEntry& e = entries_[index];
    e.index = index;
    e.name = std::move(name);
    e.driver = "memory";
    e.link = link;
    e.mac = {{2, 0, 0, 0, 0, static_cast<std::uint8_t>(index.slot())}};
    e.admin_up = true;
    tell(Event::Created, e);
    return index;
  }
  void set_carrier(InterfaceIndex index, bool carrier) {
    entries_[index].carrier = carrier;
    tell(Event::StateChanged, entries_[index]);
  }

  StatusOr<InterfaceIndex> create(std::string name, std::unique_ptr<Device>, std::string_view owner) override {
    const InterfaceIndex index = add(std::move(name));
    entries_[index].owner = owner;
    return index;
  }
  Status would_create(std::string_view name, std::string_view) const override {
    return find(name) ? exists("interface {} exists", name) : Status();
  }
  StatusOr<InterfaceIndex> create_vlan(std::string name, InterfaceIndex, std::uint16_t, std::uint16_t) override {
    return add(std::move(name));
  }
  Status would_create_vlan(std::string_view name, InterfaceIndex, std::uint16_t, std::uint16_t) const override {
    return would_create(name, {});
  }
  StatusOr<bool> would_set_mtu(InterfaceIndex, std::uint32_t) const override { return true; }
  StatusOr<bool> would_set_rx_mode(InterfaceIndex, RxMode) const override { return true; }
  Status remove(InterfaceIndex index, std::function<void()> done) override {
    InterfaceEntry& gone = entries_[index];
    gone.admin_up = false;
    leaving_ = index;
    for (auto it = listeners_.rbegin(); it != listeners_.rend(); ++it) (*it)(Event::Deleted, gone, nullptr);
    entries_.erase(index);
    if (done) done();
    return {};
  }
  const InterfaceEntry* find(InterfaceIndex index) const override {
    const auto it = entries_.find(index);
    return it == entries_.end() ? nullptr : &it->second;
  }
  const InterfaceEntry* find(std::string_view name) const override {
    for (const auto& [_, e] : entries_) {
      if (e.name == name && e.index != leaving_) return &e;
    }
    return nullptr;
  }
  std::string name(InterfaceIndex index) const override {
    const InterfaceEntry* e = find(index);
    return e ? e->name : "deleted";
  }
  std::vector<const InterfaceEntry*> list() const override {
    std::vector<const InterfaceEntry*> all;
    for (const auto& [_, e] : entries_) {
      if (e.index != leaving_) all.push_back(&e);
    }
    return all;
  }
  StatusOr<bool> set_state(InterfaceIndex index, bool up) override {
    entries_[index].admin_up = up;
    tell(Event::StateChanged, entries_[index]);
    return true;
  }
  StatusOr<bool> set_mtu(InterfaceIndex index, std::uint32_t mtu) override {
    entries_[index].mtu = mtu;
    tell(Event::MtuChanged, entries_[index]);
    return true;
  }
  StatusOr<bool> set_table(InterfaceIndex index, std::uint32_t table, TableIndex, TableIndex) override {
    entries_[index].table = table;
    tell(Event::TableChanged, entries_[index]);
    return true;
  }
  StatusOr<bool> set_rx_mode(InterfaceIndex index, RxMode mode) override {
    entries_[index].rx_mode = mode;
    return true;
  }
  StatusOr<bool> set_rx_placement(InterfaceIndex, std::optional<std::uint16_t>, std::uint32_t) override { return true; }
  StatusOr<bool> would_set_rx_placement(InterfaceIndex, std::optional<std::uint16_t>, std::uint32_t) const override {
    return true;
  }
  InterfaceQueues queues(InterfaceIndex) const override { return {}; }
  StatusOr<bool> add_address(InterfaceIndex index, const InterfaceAddress& address) override {
    auto& all = entries_[index].addresses;
    all.push_back(address);
    tell(Event::AddressAdded, entries_[index], &all.back());
    return true;
  }
  StatusOr<bool> remove_address(InterfaceIndex index, const InterfaceAddress& address) override {
    std::erase(entries_[index].addresses, address);
    tell(Event::AddressRemoved, entries_[index], &address);
    return true;
  }
  void listen(Listener listener) override { listeners_.push_back(std::move(listener)); }
  std::uint64_t counter(InterfaceIndex, InterfaceCounter) const override { return 0; }

 private:
  void tell(Event event, const InterfaceEntry& entry, const InterfaceAddress* address = nullptr) {
    for (const Listener& listener : listeners_) listener(event, entry, address);
  }
  std::uint32_t next_ = 1;
  InterfaceIndex leaving_;
  std::map<InterfaceIndex, InterfaceEntry> entries_;
  std::vector<Listener> listeners_;
};

}  // namespace sluice::testing
