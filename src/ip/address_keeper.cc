// SPDX-License-Identifier: Apache-2.0
#include "ip/address_keeper.h"

#include <algorithm>

#include "sluice/log.h"

namespace sluice {

AddressKeeper::AddressKeeper(IpState& state, Interfaces& interfaces, Send send)
    : state_(state), interfaces_(interfaces), send_(std::move(send)) {
  interfaces_.listen([this](Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress* address) {
    on_interface(event, entry, address);
  });
}

void AddressKeeper::on_interface(Interfaces::Event event, const InterfaceEntry& entry,
                                 const InterfaceAddress* address) {
  using Event = Interfaces::Event;
  switch (event) {
    case Event::AddressAdded: add(entry, *address); break;
    case Event::AddressRemoved: remove(entry, *address); break;
    case Event::Deleted:
      std::erase_if(watches_, [&](const auto& item) { return item.first.first == entry.index; });
      break;
    case Event::StateChanged:
      // RFC 4862 section 5.4: a link that comes up may have other stations on it than before.
      for (auto& [key, watch] : watches_) {
        if (key.first == entry.index && entry.admin_up && entry.carrier && !watch.duplicate) {
          begin(entry, key.second, watch);
        }
      }
      break;
    case Event::Created:
    case Event::MtuChanged:
    case Event::MacChanged:
    case Event::TableChanged: break;
  }
  publish();
}

void AddressKeeper::add(const InterfaceEntry& entry, const InterfaceAddress& address) {
  const auto [watch, fresh] = watches_.try_emplace({entry.index, address.address});
  if (fresh) begin(entry, address.address, watch->second);  // else it is there with another length
}

void AddressKeeper::remove(const InterfaceEntry& entry, const InterfaceAddress& address) {
  const bool still = std::any_of(entry.addresses.begin(), entry.addresses.end(),
                                 [&](const InterfaceAddress& a) { return a.address == address.address; });
  if (!still) watches_.erase({entry.index, address.address});
}

void AddressKeeper::begin(const InterfaceEntry& entry, const IpAddress& address, Watch& watch) {
  if (entry.link != LinkLayer::Ethernet) return;
  if (address.is_ip4()) {
    if (entry.admin_up) announce(entry, address);
    return;
  }
  watch.tentative = true;
  watch.probed = entry.admin_up;
  watch.deadline = now_ + kProbeTime;
  if (entry.admin_up) send_(entry.index, neighbor_solicitation(entry.mac, Ip6Address{}, address.ip6()));
}

void AddressKeeper::announce(const InterfaceEntry& entry, const IpAddress& address) {
  send_(entry.index, address.is_ip4() ? arp_announcement(entry.mac, address.ip4())
                                      : neighbor_advertisement(entry.mac, address.ip6()));
}

void AddressKeeper::conflict(const AddressConflict& message) {
  const auto it = watches_.find({message.interface, message.address});
  const InterfaceEntry* entry = interfaces_.find(message.interface);
  if (it == watches_.end() || !entry) return;
  Watch& watch = it->second;
  if (!watch.duplicate || watch.by != message.mac) {
    log(LogLevel::Warning, "another station uses an address of this node", field("interface", entry->name),
        field("address", message.address.to_string()), field("mac", message.mac.to_string()));
  }
  watch.duplicate = true;
  watch.by = message.mac;
  if (watch.tentative) return;  // never used, as long as it is there
  if (now_ < watch.deadline) return;
  watch.deadline = now_ + kDefendEvery;
  announce(*entry, message.address);
}

void AddressKeeper::tick(Ms now) {
  now_ = now;
  give_link_local();
  bool changed = false;
  for (auto& [key, watch] : watches_) {
    if (!watch.tentative || watch.duplicate || now_ < watch.deadline) continue;
    const InterfaceEntry* entry = interfaces_.find(key.first);
    if (!entry || !entry->admin_up) continue;
    if (!watch.probed) {
      begin(*entry, key.second, watch);
      continue;
    }
    watch.tentative = false;
    watch.deadline = now_;
    changed = true;
    announce(*entry, key.second);
  }
  if (changed) publish();
}

// RFC 4862 section 5.3. Not from within a listener: others have yet to hear of the interface.
void AddressKeeper::give_link_local() {
  for (const InterfaceEntry* entry : interfaces_.list()) {
    if (entry->link != LinkLayer::Ethernet || !entry->admin_up || entry->mac.is_zero()) continue;
    const bool has = std::any_of(entry->addresses.begin(), entry->addresses.end(), [](const InterfaceAddress& a) {
      return a.address.is_ip6() && a.address.is_link_local();
    });
    if (!has) (void)interfaces_.add_address(entry->index, {link_local_of(entry->mac), 64});
  }
}

void AddressKeeper::publish() {
  auto table = std::make_unique<AddressTable>();
  for (const InterfaceEntry* entry : interfaces_.list()) {
    if (table->by_slot.size() <= entry->index.slot()) table->by_slot.resize(entry->index.slot() + 1);
    OwnAddresses& own = table->by_slot[entry->index.slot()];
    for (const InterfaceAddress& a : entry->addresses) {
      const auto watch = watches_.find({entry->index, a.address});
      const bool tentative = watch != watches_.end() && watch->second.tentative;
      if (a.address.is_ip4()) {
        own.ip4.push_back({a.address.ip4(), a.length, tentative});
        if (table->fallback4.is_unspecified()) table->fallback4 = a.address.ip4();
      } else {
        own.ip6.push_back({a.address.ip6(), a.length, tentative});
        if (table->fallback6.is_unspecified() && !a.address.is_link_local() && !tentative) {
          table->fallback6 = a.address.ip6();
        }
      }
    }
  }
  state_.addresses.publish(std::move(table));
}

std::vector<AddressKeeper::Duplicate> AddressKeeper::duplicates() const {
  std::vector<Duplicate> all;
  for (const auto& [key, watch] : watches_) {
    if (watch.duplicate) all.push_back({key.first, key.second, watch.by});
  }
  return all;
}

}  // namespace sluice
