// SPDX-License-Identifier: Apache-2.0
#include "ip/neighbor_service.h"

namespace sluice::ip {

void NeighborService::offer(Api& api) {
  api.service("sluice.ip.Neighbors")
      .stream("ShowNeighbor", this, &NeighborService::show)
      .unary("AddNeighbor", this, &NeighborService::add)
      .unary("DeleteNeighbor", this, &NeighborService::remove)
      .unary("SetPunt", this, &NeighborService::set_punt)
      .unary("DeletePunt", this, &NeighborService::delete_punt)
      .unary("ShowPunt", this, &NeighborService::show_punt);
}

StatusOr<InterfaceIndex> NeighborService::find(const std::string& name) const {
  const InterfaceEntry* entry = interfaces_.find(name);
  if (!entry) return not_found("interface {} does not exist; show interface lists them", name);
  return entry->index;
}

// A snapshot: neighbours come and go between two lines of a long list.
Stream<Neighbor> NeighborService::show(const NeighborQuery& query) {
  InterfaceIndex only;
  if (!query.interface().empty()) {
    const auto found = find(query.interface());
    if (!found.ok()) co_yield found.status();
    only = *found;
  }
  for (const NeighborEntry& entry : neighbors_.list()) {
    if (only.valid() && entry.interface != only) continue;
    Neighbor message;
    message.set_address(entry.address.to_string());
    if (!entry.mac.is_zero()) message.set_mac(entry.mac.to_string());
    message.set_interface(interfaces_.name(entry.interface));
    message.set_state(std::string(to_string(entry.state)));
    message.set_age(static_cast<std::uint64_t>(entry.age.count()));
    co_yield message;
  }
  for (const auto& duplicate : addresses_.duplicates()) {
    if (only.valid() && duplicate.interface != only) continue;
    Neighbor message;
    message.set_address(duplicate.address.to_string());
    message.set_mac(duplicate.by.to_string());
    message.set_interface(interfaces_.name(duplicate.interface));
    message.set_state("duplicate");
    co_yield message;
  }
}

Status NeighborService::add(const NeighborRequest& request, Done& done, CallContext& call) {
  const auto interface = find(request.interface());
  if (!interface.ok()) return interface.status();
  const auto address = IpAddress::parse(request.address());
  if (!address.ok()) return address.status();
  const auto mac = MacAddress::parse(request.mac());
  if (!mac.ok()) return mac.status();
  const auto changed = call.dry_run() ? neighbors_.would_add_permanent(*interface, *address, *mac)
                                      : neighbors_.add_permanent(*interface, *address, *mac);
  if (!changed.ok()) return changed.status();
  done.set_unchanged(!*changed);
  return {};
}

Status NeighborService::remove(const DeleteNeighborRequest& request, Done& done, CallContext& call) {
  const auto interface = find(request.interface());
  if (!interface.ok()) return interface.status();
  const auto address = IpAddress::parse(request.address());
  if (!address.ok()) return address.status();
  if (!neighbors_.knows(*interface, *address)) {
    done.set_unchanged(true);
    done.set_text(fmt::format("{} is not a known neighbour on {}", request.address(), request.interface()));
    return {};
  }
  if (!call.dry_run()) neighbors_.remove(*interface, *address);
  return {};
}

Status NeighborService::set_punt(const PuntRequest& request, Done& done, CallContext& call) {
  const auto interface = find(request.interface());
  if (!interface.ok()) return interface.status();
  MacAddress mac;
  if (!request.mac().empty()) {
    const auto parsed = MacAddress::parse(request.mac());
    if (!parsed.ok()) return parsed.status();
    if (parsed->is_multicast()) return refused("mac {}: must be a unicast address", request.mac());
    mac = *parsed;
  }
  if (call.dry_run()) return {};
  const auto changed = local_.set_punt(*interface, mac);
  if (!changed.ok()) return changed.status();
  done.set_unchanged(!*changed);
  return {};
}

Status NeighborService::delete_punt(const Nothing&, Done& done, CallContext& call) {
  if (!state_.punt.get().interface.valid()) {
    done.set_unchanged(true);
    return {};
  }
  if (call.dry_run()) return {};
  return local_.set_punt(InterfaceIndex{}).status();
}

Status NeighborService::show_punt(const Nothing&, Punt& punt, CallContext&) {
  const PuntTarget& target = state_.punt.get();
  if (!target.interface.valid()) return {};
  punt.set_interface(interfaces_.name(target.interface));
  if (target.knows_host) punt.set_mac(target.host.to_string());
  return {};
}

}  // namespace sluice::ip
