// SPDX-License-Identifier: Apache-2.0
#include "interface/interface_manager.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "sluice/log.h"

namespace sluice {
namespace {

constexpr std::size_t kNameMax = 63;
// pod/NAME is the interface of pod NAME and of nothing else.
constexpr std::string_view kPodOwner = "pod", kPodPrefix = "pod/";

bool name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' || c == '/';
}

}  // namespace

InterfaceManager::~InterfaceManager() {
  // From the end, so that the tables that each removal publishes grow smaller.
  for (; !slots_.empty(); slots_.pop_back()) {
    if (slots_.back()) (void)remove(slots_.back()->entry.index, {});
  }
  dataplane_.rcu().drain();
}

Status InterfaceManager::check_name(std::string_view name, std::string_view owner) const {
  if (name.empty() || name.size() > kNameMax || !std::all_of(name.begin(), name.end(), name_character)) {
    return refused("interface name '{}': must be 1 to {} letters, digits or . _ - /", name, kNameMax);
  }
  if (name.starts_with(kPodPrefix) && owner != kPodOwner) {
    return refused(
        "interface name '{}': names that begin with {} are the interfaces of pods; choose another one, or use "
        "create pod",
        name, kPodPrefix);
  }
  if (by_name_.contains(name)) return exists("interface {} exists; choose another name or delete it first", name);
  return {};
}

StatusOr<std::uint32_t> InterfaceManager::free_slot() const {
  const auto it = std::find(slots_.begin(), slots_.end(), nullptr);
  const auto number = static_cast<std::uint32_t>(it - slots_.begin());
  if (number == Worker::kMaxInterfaces) {
    return exhausted("the interface table is full: {} interfaces; delete one first", Worker::kMaxInterfaces);
  }
  return number;
}

Status InterfaceManager::would_create(std::string_view name, std::string_view owner) const {
  if (auto status = check_name(name, owner); !status.ok()) return status;
  return free_slot().status();
}

StatusOr<InterfaceIndex> InterfaceManager::create(std::string name, std::unique_ptr<Device> device,
                                                  std::string_view owner) {
  if (auto status = check_name(name, owner); !status.ok()) return status;
  const auto number = free_slot();
  if (!number.ok()) return number.status();
  const std::string driver(device->driver());
  if (!dataplane_.graph().find(driver + "-output").valid())
    return not_found("driver {} has registered no nodes; load its plugin (plugins.load)", driver);

  auto made = std::make_unique<Slot>();
  auto rx = device->open_rx();
  if (!rx.ok()) return rx.status();
  auto tx = device->open_tx();
  if (!tx.ok()) return tx.status();
  made->rx = std::move(*rx);
  made->tx = std::move(*tx);
  const DeviceInfo& info = device->info();
  made->entry.name = std::move(name);
  made->entry.driver = driver;
  made->entry.owner = owner;
  made->entry.link = info.link;
  made->entry.mac = info.mac;
  made->entry.mtu = made->wanted_mtu = info.mtu;
  made->entry.detail = info.detail;
  made->entry.carrier = device->carrier();
  made->entry.device = device.get();
  // The message may come late, when another interface has the name.
  device->on_lost = [this, name = made->entry.name, lost = device.get()](const Status& why) {
    if (const InterfaceEntry* e = find(name); e && e->device == lost) lose(e->index, why);
  };
  made->device = std::move(device);
  return install(*number, std::move(made));
}

Status InterfaceManager::would_create_vlan(std::string_view name, InterfaceIndex parent, std::uint16_t outer,
                                           std::uint16_t inner) const {
  if (auto status = check_name(name, {}); !status.ok()) return status;
  const Slot* above = slot(parent);
  if (!above) return no_such(parent);
  if (above->entry.link != LinkLayer::Ethernet) {
    return failed_precondition("interface {} has no Ethernet header, so it carries no VLANs", above->entry.name);
  }
  if (above->entry.parent.valid()) {
    return failed_precondition("interface {} is a VLAN itself; give both tags on its parent", above->entry.name);
  }
  if (outer < 1 || outer > 4094 || inner > 4094) return refused("VLAN {}.{}: a tag is 1 to 4094", outer, inner);
  for (const auto& s : slots_) {
    if (s && s->entry.parent == parent && s->entry.outer_vlan == outer && s->entry.inner_vlan == inner) {
      return exists("VLAN {}.{} of {} is interface {}", outer, inner, above->entry.name, s->entry.name);
    }
  }
  return free_slot().status();
}

StatusOr<InterfaceIndex> InterfaceManager::create_vlan(std::string name, InterfaceIndex parent, std::uint16_t outer,
                                                       std::uint16_t inner) {
  if (auto status = would_create_vlan(name, parent, outer, inner); !status.ok()) return status;
  const Slot* above = slot(parent);
  auto made = std::make_unique<Slot>();
  made->entry.name = std::move(name);
  made->entry.driver = "vlan";
  made->entry.mac = above->entry.mac;
  made->entry.carrier = above->entry.admin_up && above->entry.carrier;
  made->entry.parent = parent;
  made->entry.outer_vlan = outer;
  made->entry.inner_vlan = inner;
  made->entry.mtu = mtu_limit(made->entry);
  made->entry.detail = fmt::format("VLAN {}{} of {}", outer, inner ? fmt::format(".{}", inner) : "", above->entry.name);
  return install(*free_slot(), std::move(made));
}

InterfaceIndex InterfaceManager::install(std::uint32_t number, std::unique_ptr<Slot> made) {
  if (number >= slots_.size()) {
    slots_.resize(number + 1);
    generations_.resize(number + 1, 0);
  }
  const InterfaceIndex index(number, ++generations_[number]);
  made->entry.index = index;
  made->output = dataplane_.graph().find(made->entry.driver + "-output");
  by_name_[made->entry.name] = index;
  slots_[number] = std::move(made);
  Slot& s = *slots_[number];
  // Counters of a slot's former interface stay in the workers; what is shown counts from here.
  auto& base = baselines_[number];
  for (std::size_t c = 0; c < kInterfaceCounters; ++c) {
    std::uint64_t sum = 0;
    for (const auto& thread : dataplane_.workers()) {
      sum += thread->worker().counters(number).value[c].get();
    }
    base.value[c].set(sum);
  }
  publish_state();
  bind_tx(s);
  place_rx(s);
  tell(Event::Created, s.entry);
  return index;
}

void InterfaceManager::bind_tx(const Slot& made) {
  if (made.tx.empty()) return;
  dataplane_.tx().update([&](TxBindings& tx) {
    for (std::uint32_t worker = 0; worker < tx.by_worker.size(); ++worker) {
      auto& slots = tx.by_worker[worker];
      if (slots.size() <= made.entry.index.slot()) slots.resize(made.entry.index.slot() + 1);
      // Queue q belongs to worker q; workers without a queue of their own hand over.
      const std::uint32_t owner = worker % static_cast<std::uint32_t>(made.tx.size());
      slots[made.entry.index.slot()] = {made.tx[owner].get(), owner};
    }
  });
}

void InterfaceManager::unbind(const Slot& gone) {
  for (std::size_t q = 0; q < gone.entry.placement.size(); ++q) {
    dataplane_.workers()[gone.entry.placement[q].worker]->remove(gone.rx[gone.entry.placement[q].queue].get());
  }
  if (gone.tx.empty()) return;
  dataplane_.tx().update([&](TxBindings& tx) {
    for (auto& slots : tx.by_worker) {
      if (gone.entry.index.slot() < slots.size()) slots[gone.entry.index.slot()] = {};
    }
  });
}

Status InterfaceManager::remove(InterfaceIndex index, std::function<void()> done) {
  Slot* s = slot(index);
  if (!s) return no_such(index);
  for (const auto& other : slots_) {
    if (other && other->entry.parent == index) (void)remove(other->entry.index, {});
  }
  s->entry.admin_up = false;
  *s->may_begin = false;
  by_name_.erase(s->entry.name);
  for (auto it = listeners_.rbegin(); it != listeners_.rend(); ++it) (*it)(Event::Deleted, s->entry, nullptr);
  unbind(*s);
  std::shared_ptr<Slot> gone(slots_[index.slot()].release());
  publish_state();
  dataplane_.rcu().defer([gone, done]() mutable {
    gone->rx.clear();
    gone->tx.clear();
    gone->device.reset();
    gone.reset();
    if (done) done();
  });
  return {};
}

void InterfaceManager::leave_as_found() {
  for (auto& s : slots_) {
    if (s && s->device) s->device->leave_as_found();
  }
}

void InterfaceManager::publish_state() {
  auto table = std::make_unique<InterfaceTable>();
  table->slots.resize(slots_.size());
  for (const auto& s : slots_) {
    if (!s) continue;
    const InterfaceEntry& e = s->entry;
    InterfaceState& state = table->slots[e.index.slot()];
    state.index = e.index;
    state.up = e.admin_up && (!e.parent.valid() || (slot(e.parent) && slot(e.parent)->entry.admin_up));
    state.link = e.link;
    state.mac = e.mac;
    state.mtu = e.mtu;
    state.table4 = s->table4;
    state.table6 = s->table6;
    state.parent = e.parent;
    state.outer_vlan = e.outer_vlan;
    state.inner_vlan = e.inner_vlan;
    state.output_node = s->output;
    if (s->device) state.offloads = s->device->info().offloads;
    if (e.parent.valid()) {
      if (const Slot* above = slot(e.parent); above && above->device) state.offloads = above->device->info().offloads;
      table->vlans.push_back({InterfaceTable::vlan_key(e.parent.slot(), e.outer_vlan, e.inner_vlan), e.index});
    }
  }
  for (const auto& s : slots_) {
    if (s && s->entry.parent.valid()) table->slots[s->entry.parent.slot()].has_subinterfaces = true;
  }
  const auto by_key = [](const auto& a, const auto& b) { return a.key < b.key; };
  if (!std::is_sorted(table->vlans.begin(), table->vlans.end(), by_key))
    std::sort(table->vlans.begin(), table->vlans.end(), by_key);
  dataplane_.interfaces().publish(std::move(table));
}

StatusOr<bool> InterfaceManager::set_state(InterfaceIndex index, bool up) {
  Slot* s = slot(index);
  if (!s) return no_such(index);
  if (s->entry.admin_up == up) return false;
  if (s->device) {
    if (auto status = s->device->set_admin_state(up); !status.ok()) return status;
  }
  s->entry.admin_up = up;
  *s->may_begin = up;
  publish_state();
  if (up && s->device) begin_later(*s);
  tell_state(*s);
  return true;
}

/// A source that started at once would lose what it gives to workers that have yet to see the interface up. The device
/// outlives this: its end is deferred too, behind it.
void InterfaceManager::begin_later(const Slot& up) {
  dataplane_.rcu().defer([device = up.device.get(), may_begin = up.may_begin] {
    if (*may_begin) device->begin();
  });
}

StatusOr<bool> InterfaceManager::would_set_mtu(InterfaceIndex index, std::uint32_t mtu) const {
  const Slot* s = slot(index);
  if (!s) return no_such(index);
  if (s->wanted_mtu == mtu && s->entry.mtu == mtu) return false;
  const std::uint32_t low = s->device ? s->device->info().mtu_min : 68, high = mtu_limit(s->entry);
  if (mtu < low || mtu > high) {
    return refused("mtu {}: {} takes {} to {} bytes{}", mtu, s->entry.name, low, high,
                   s->device || mtu < low ? "" : fmt::format("; raise that of {} first", name(s->entry.parent)));
  }
  return true;
}

StatusOr<bool> InterfaceManager::set_mtu(InterfaceIndex index, std::uint32_t mtu) {
  if (const auto would = would_set_mtu(index, mtu); !would.ok() || !*would) return would;
  Slot* s = slot(index);
  if (s->device) {
    if (auto status = s->device->set_mtu(mtu); !status.ok()) return status;
  }
  s->wanted_mtu = mtu;
  // What is too long for the interface below would be lost there, and nobody told.
  std::vector<const Slot*> changed;
  const auto follow = [&](Slot& each) {
    const std::uint32_t now = each.device ? mtu : std::min(each.wanted_mtu, mtu_limit(each.entry));
    if (std::exchange(each.entry.mtu, now) != now) changed.push_back(&each);
  };
  follow(*s);
  for (const auto& sub : slots_) {
    if (sub && sub->entry.parent == index) follow(*sub);
  }
  publish_state();
  for (const Slot* each : changed) tell(Event::MtuChanged, each->entry);
  return true;
}

StatusOr<bool> InterfaceManager::set_table(InterfaceIndex index, std::uint32_t table, TableIndex slot4,
                                           TableIndex slot6) {
  Slot* s = slot(index);
  if (!s) return no_such(index);
  if (s->entry.table == table) return false;
  s->entry.table = table;
  s->table4 = slot4;
  s->table6 = slot6;
  publish_state();
  tell(Event::TableChanged, s->entry);
  return true;
}

StatusOr<bool> InterfaceManager::add_address(InterfaceIndex index, const InterfaceAddress& address) {
  Slot* s = slot(index);
  if (!s) return no_such(index);
  auto& addresses = s->entry.addresses;
  if (std::find(addresses.begin(), addresses.end(), address) != addresses.end()) return false;
  addresses.push_back(address);
  tell(Event::AddressAdded, s->entry, &addresses.back());
  return true;
}

StatusOr<bool> InterfaceManager::remove_address(InterfaceIndex index, const InterfaceAddress& address) {
  Slot* s = slot(index);
  if (!s) return no_such(index);
  auto& addresses = s->entry.addresses;
  const auto it = std::find(addresses.begin(), addresses.end(), address);
  if (it == addresses.end()) return false;
  addresses.erase(it);
  tell(Event::AddressRemoved, s->entry, &address);
  return true;
}

void InterfaceManager::lose(InterfaceIndex index, const Status& why) {
  log(LogLevel::Warning, "device lost", field("interface", name(index)), field("reason", text(why)));
  (void)remove(index, {});
}

void InterfaceManager::check_devices() {
  // Not while going through the slots: with an interface others may go.
  std::vector<std::pair<InterfaceIndex, Status>> gone;
  for (const auto& s : slots_) {
    if (!s || !s->device) continue;
    if (auto status = s->device->check(); !status.ok()) gone.emplace_back(s->entry.index, std::move(status));
  }
  for (const auto& [index, why] : gone) {
    if (slot(index)) lose(index, why);
  }
  for (auto& s : slots_) {
    if (!s || !s->device) continue;
    const bool carrier = s->device->carrier();
    if (carrier == s->entry.carrier) continue;
    s->entry.carrier = carrier;
    tell_state(*s);
  }
}

// A VLAN has a carrier while its parent is up and has one.
void InterfaceManager::tell_state(const Slot& changed) {
  tell(Event::StateChanged, changed.entry);
  const bool carrier = changed.entry.admin_up && changed.entry.carrier;
  for (auto& s : slots_) {
    if (!s || s->entry.parent != changed.entry.index || s->entry.carrier == carrier) continue;
    s->entry.carrier = carrier;
    tell(Event::StateChanged, s->entry);
  }
}

void InterfaceManager::tell(Event event, const InterfaceEntry& entry, const InterfaceAddress* address) {
  for (const Listener& listener : listeners_) listener(event, entry, address);
}

}  // namespace sluice
