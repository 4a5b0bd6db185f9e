// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "sluice/host.h"

namespace sluice::host {
namespace {

template <class T, void (*Put)(T*)>
struct Release {
  void operator()(T* object) const { Put(object); }
};
using LinkPtr = std::unique_ptr<rtnl_link, Release<rtnl_link, rtnl_link_put>>;
using AddrPtr = std::unique_ptr<rtnl_addr, Release<rtnl_addr, rtnl_addr_put>>;
using RoutePtr = std::unique_ptr<rtnl_route, Release<rtnl_route, rtnl_route_put>>;
using NeighPtr = std::unique_ptr<rtnl_neigh, Release<rtnl_neigh, rtnl_neigh_put>>;
using NlAddrPtr = std::unique_ptr<nl_addr, Release<nl_addr, nl_addr_put>>;
using CachePtr = std::unique_ptr<nl_cache, Release<nl_cache, nl_cache_free>>;

// nl_addr_parse would also take host names and link-layer addresses.
StatusOr<NlAddrPtr> parse(const std::string& text, int family = AF_UNSPEC) {
  const auto slash = text.find('/');
  const std::string address = text.substr(0, slash);
  std::array<std::uint8_t, 16> bytes{};
  for (const int f : {AF_INET, AF_INET6}) {
    if ((family != AF_UNSPEC && family != f) || inet_pton(f, address.c_str(), bytes.data()) != 1) continue;
    const int bits = f == AF_INET ? 32 : 128;
    int length = bits;
    if (slash != std::string::npos) {
      const char* end = text.data() + text.size();
      const auto result = std::from_chars(text.data() + slash + 1, end, length);
      if (result.ec != std::errc() || result.ptr != end || length < 0 || length > bits) break;
    }
    NlAddrPtr parsed(nl_addr_build(f, bytes.data(), static_cast<std::size_t>(bits / 8)));
    nl_addr_set_prefixlen(parsed.get(), length);
    return parsed;
  }
  return refused("{}: not an IPv4 or IPv6 address or prefix", text);
}

StatusOr<NlAddrPtr> parse_destination(const std::string& text) {
  if (text != "default4" && text != "default6") return parse(text);
  const std::array<std::uint8_t, 16> zero{};
  const bool v4 = text == "default4";
  NlAddrPtr address(nl_addr_build(v4 ? AF_INET : AF_INET6, zero.data(), v4 ? 4 : 16));
  nl_addr_set_prefixlen(address.get(), 0);
  return address;
}

bool link_local6(nl_addr* address) {
  if (nl_addr_get_family(address) != AF_INET6 || nl_addr_get_len(address) != 16) return false;
  const auto* bytes = static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(address));
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

}  // namespace

Netlink::Netlink(nl_sock* socket, std::string path) : socket_(socket), path_(std::move(path)) {}
Netlink::Netlink(Netlink&& other) noexcept
    : socket_(std::exchange(other.socket_, nullptr)), path_(std::move(other.path_)) {}
Netlink::~Netlink() {
  if (socket_) nl_socket_free(socket_);
}

StatusOr<Netlink> Netlink::open(const std::string& namespace_path) {
  Netlink netlink(nl_socket_alloc(), namespace_path);
  const Status status = run_in_namespace(namespace_path, [&] { return netlink.connect(); });
  if (!status.ok()) return status;
  return netlink;
}

StatusOr<Netlink> Netlink::open(int descriptor, const std::string& namespace_path) {
  Netlink netlink(nl_socket_alloc(), namespace_path);
  const Status status = run_in_namespace(descriptor, namespace_path, [&] { return netlink.connect(); });
  if (!status.ok()) return status;
  return netlink;
}

Status Netlink::connect() const {
  const int error = nl_connect(socket_, NETLINK_ROUTE);
  if (error == 0) return {};
  return unavailable("{}: no netlink socket: {}", describe_namespace(path_), nl_geterror(error));
}

Status Netlink::fail(int error, std::string_view what) const {
  const std::string where = describe_namespace(path_);
  switch (-error) {
    case NLE_PERM:
    case NLE_NOACCESS:
      return not_permitted("{} in {}: this needs the capability CAP_NET_ADMIN; run as root", what, where);
    case NLE_OBJ_NOTFOUND:
    case NLE_NODEV: return not_found("{} in {}: no such object", what, where);
    case NLE_EXIST: return exists("{} in {}: it exists already", what, where);
    default: return unavailable("{} in {}: {}", what, where, nl_geterror(error));
  }
}

StatusOr<Link> Netlink::link(const std::string& name) const {
  rtnl_link* raw = nullptr;
  if (name.empty() || name.size() >= IFNAMSIZ)
    return refused("interface {}: the kernel takes names of 1 to {} characters", name, IFNAMSIZ - 1);
  if (const int error = rtnl_link_get_kernel(socket_, 0, name.c_str(), &raw); error < 0) {
    if (-error == NLE_NODEV || -error == NLE_OBJ_NOTFOUND)
      return not_found("interface {}: there is none of this name in {}", name, describe_namespace(path_));
    return fail(error, fmt::format("reading interface {}", name));
  }
  const LinkPtr link(raw);
  Link result;
  result.index = rtnl_link_get_ifindex(raw);
  result.name = rtnl_link_get_name(raw);
  if (const char* kind = rtnl_link_get_type(raw)) result.kind = kind;
  result.mtu = rtnl_link_get_mtu(raw);
  const unsigned flags = rtnl_link_get_flags(raw);
  result.up = flags & IFF_UP;
  result.carrier = rtnl_link_get_carrier(raw) != 0;
  result.ethernet = rtnl_link_get_arptype(raw) == ARPHRD_ETHER;
  if (nl_addr* mac = rtnl_link_get_addr(raw); mac && nl_addr_get_len(mac) == sizeof result.mac)
    std::memcpy(result.mac.bytes.data(), nl_addr_get_binary_addr(mac), sizeof result.mac);
  return result;
}

StatusOr<int> Netlink::index_of(const std::string& name) const {
  const auto found = link(name);
  if (!found.ok()) return found.status();
  return found->index;
}

Status Netlink::set_up(const std::string& name, bool up) const {
  const auto now = link(name);
  if (!now.ok()) return now.status();
  if (now->up == up) return {};
  const LinkPtr change(rtnl_link_alloc());
  rtnl_link_set_ifindex(change.get(), now->index);
  if (up) {
    rtnl_link_set_flags(change.get(), IFF_UP);
  } else {
    rtnl_link_unset_flags(change.get(), IFF_UP);
  }
  const LinkPtr old(rtnl_link_alloc());
  rtnl_link_set_ifindex(old.get(), now->index);
  const int error = rtnl_link_change(socket_, old.get(), change.get(), 0);
  return error < 0 ? fail(error, fmt::format("setting interface {} {}", name, up ? "up" : "down")) : Status();
}

Status Netlink::set_mtu(const std::string& name, std::uint32_t mtu) const {
  const auto now = link(name);
  if (!now.ok()) return now.status();
  if (now->mtu == mtu) return {};
  const LinkPtr change(rtnl_link_alloc()), old(rtnl_link_alloc());
  rtnl_link_set_ifindex(old.get(), now->index);
  rtnl_link_set_ifindex(change.get(), now->index);
  rtnl_link_set_mtu(change.get(), mtu);
  const int error = rtnl_link_change(socket_, old.get(), change.get(), 0);
  return error < 0 ? fail(error, fmt::format("setting MTU {} of interface {}", mtu, name)) : Status();
}

Status Netlink::set_mac(const std::string& name, const MacAddress& mac) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  const LinkPtr old(rtnl_link_alloc()), change(rtnl_link_alloc());
  const NlAddrPtr address(nl_addr_build(AF_LLC, mac.bytes.data(), sizeof mac));
  rtnl_link_set_ifindex(old.get(), *index);
  rtnl_link_set_ifindex(change.get(), *index);
  rtnl_link_set_addr(change.get(), address.get());
  const int error = rtnl_link_change(socket_, old.get(), change.get(), 0);
  return error < 0 ? fail(error, fmt::format("setting MAC address {} of interface {}", mac.to_string(), name))
                   : Status();
}

Status Netlink::delete_link(const std::string& name) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  const LinkPtr link(rtnl_link_alloc());
  rtnl_link_set_ifindex(link.get(), *index);
  const int error = rtnl_link_delete(socket_, link.get());
  return error < 0 ? fail(error, fmt::format("deleting interface {}", name)) : Status();
}

Status Netlink::rename_link(const std::string& name, const std::string& to) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  const LinkPtr old(rtnl_link_alloc()), change(rtnl_link_alloc());
  rtnl_link_set_ifindex(old.get(), *index);
  rtnl_link_set_ifindex(change.get(), *index);
  rtnl_link_set_name(change.get(), to.c_str());
  const int error = rtnl_link_change(socket_, old.get(), change.get(), 0);
  return error < 0 ? fail(error, fmt::format("renaming interface {} to {}", name, to)) : Status();
}

Status Netlink::move_link(const std::string& name, const std::string& namespace_path, const std::string& to) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  if (const auto id = namespace_id(namespace_path); !id.ok()) return id.status();
  const int fd = ::open(namespace_path.c_str(), O_RDONLY | O_CLOEXEC);
  const LinkPtr old(rtnl_link_alloc()), change(rtnl_link_alloc());
  rtnl_link_set_ifindex(old.get(), *index);
  rtnl_link_set_ifindex(change.get(), *index);
  rtnl_link_set_ns_fd(change.get(), fd);
  rtnl_link_set_name(change.get(), to.c_str());
  const int error = rtnl_link_change(socket_, old.get(), change.get(), 0);
  close(fd);
  return error < 0 ? fail(error, fmt::format("moving interface {} to namespace {}", name, namespace_path)) : Status();
}

namespace {

StatusOr<AddrPtr> address_object(int index, const std::string& prefix) {
  auto local = parse(prefix);
  if (!local.ok()) return local.status();
  AddrPtr address(rtnl_addr_alloc());
  rtnl_addr_set_ifindex(address.get(), index);
  rtnl_addr_set_local(address.get(), local->get());
  if (nl_addr_get_family(local->get()) == AF_INET6) rtnl_addr_set_flags(address.get(), IFA_F_NODAD);
  return address;
}

}  // namespace

Status Netlink::add_address(const std::string& name, const std::string& prefix) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  const auto address = address_object(*index, prefix);
  if (!address.ok()) return address.status();
  const int error = rtnl_addr_add(socket_, address->get(), 0);
  if (error == -NLE_EXIST) return {};
  return error < 0 ? fail(error, fmt::format("adding address {} to interface {}", prefix, name)) : Status();
}

Status Netlink::remove_address(const std::string& name, const std::string& prefix) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  const auto address = address_object(*index, prefix);
  if (!address.ok()) return address.status();
  const int error = rtnl_addr_delete(socket_, address->get(), 0);
  if (error == -NLE_NOADDR || error == -NLE_OBJ_NOTFOUND) return {};
  return error < 0 ? fail(error, fmt::format("removing address {} from interface {}", prefix, name)) : Status();
}

StatusOr<std::vector<std::string>> Netlink::addresses(const std::string& name) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  nl_cache* raw = nullptr;
  if (const int error = rtnl_addr_alloc_cache(socket_, &raw); error < 0)
    return fail(error, fmt::format("reading addresses of interface {}", name));
  const CachePtr cache(raw);
  std::vector<std::string> result;
  for (nl_object* object = nl_cache_get_first(raw); object; object = nl_cache_get_next(object)) {
    auto* address = reinterpret_cast<rtnl_addr*>(object);
    nl_addr* local = rtnl_addr_get_local(address);
    if (rtnl_addr_get_ifindex(address) != *index || !local || link_local6(local)) continue;
    std::array<char, 80> text{};
    nl_addr2str(local, text.data(), text.size());
    std::string entry = text.data();
    if (entry.find('/') == std::string::npos) entry += fmt::format("/{}", rtnl_addr_get_prefixlen(address));
    result.push_back(std::move(entry));
  }
  return result;
}

Status Netlink::set_addresses(const std::string& name, const std::vector<std::string>& prefixes) const {
  auto present = addresses(name);
  if (!present.ok()) return present.status();
  std::vector<NlAddrPtr> wanted;
  for (const std::string& prefix : prefixes) {
    auto address = parse(prefix);
    if (!address.ok()) return address.status();
    wanted.push_back(std::move(*address));
  }
  for (const std::string& old : *present) {
    const auto address = parse(old);
    const bool keep = address.ok() && std::any_of(wanted.begin(), wanted.end(), [&](const NlAddrPtr& w) {
                        return nl_addr_cmp(w.get(), address->get()) == 0;
                      });
    if (keep) continue;
    if (Status status = remove_address(name, old); !status.ok()) return status;
  }
  Status first;  // one that the kernel does not take (IPv6 may be disabled) does not keep the others out
  for (const std::string& prefix : prefixes) first.Update(add_address(name, prefix));
  return first;
}

namespace {

StatusOr<RoutePtr> route_object(int index, const Route& route) {
  auto destination = parse_destination(route.destination);
  if (!destination.ok()) return destination.status();
  const int family = nl_addr_get_family(destination->get());
  RoutePtr object(rtnl_route_alloc());
  rtnl_route_set_family(object.get(), static_cast<std::uint8_t>(family));
  rtnl_route_set_dst(object.get(), destination->get());
  rtnl_route_set_table(object.get(), route.table);
  rtnl_route_set_protocol(object.get(), RTPROT_STATIC);
  rtnl_route_set_type(object.get(), RTN_UNICAST);
  rtnl_route_set_scope(object.get(), route.gateway.empty() && family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
  if (route.metric) rtnl_route_set_priority(object.get(), *route.metric);
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  rtnl_route_nh_set_ifindex(hop, index);
  rtnl_route_add_nexthop(object.get(), hop);
  if (!route.gateway.empty()) {
    const auto gateway = parse(route.gateway, family);
    if (!gateway.ok()) return gateway.status();
    rtnl_route_nh_set_gateway(hop, gateway->get());
    if (route.onlink) rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
  }
  if (!route.preferred_source.empty()) {
    const auto source = parse(route.preferred_source, family);
    if (!source.ok()) return source.status();
    rtnl_route_set_pref_src(object.get(), source->get());
  }
  return object;
}

}  // namespace

Status Netlink::add_route(const std::string& name, const Route& route) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  const auto object = route_object(*index, route);
  if (!object.ok()) return object.status();
  const int error = rtnl_route_add(socket_, object->get(), NLM_F_CREATE | NLM_F_REPLACE);
  return error < 0 ? fail(error, fmt::format("adding route {} through interface {}", route.destination, name))
                   : Status();
}

Status Netlink::remove_route(const std::string& name, const Route& route) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  const auto object = route_object(*index, route);
  if (!object.ok()) return object.status();
  const int error = rtnl_route_delete(socket_, object->get(), 0);
  if (error == -NLE_OBJ_NOTFOUND || error == -NLE_NODEV) return {};
  return error < 0 ? fail(error, fmt::format("removing route {} through interface {}", route.destination, name))
                   : Status();
}

Status Netlink::add_neighbour(const std::string& name, const std::string& address, const MacAddress& mac) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  const auto destination = parse(address);
  if (!destination.ok()) return destination.status();
  const NlAddrPtr hardware(nl_addr_build(AF_LLC, mac.bytes.data(), sizeof mac));
  const NeighPtr neighbour(rtnl_neigh_alloc());
  rtnl_neigh_set_ifindex(neighbour.get(), *index);
  rtnl_neigh_set_dst(neighbour.get(), destination->get());
  rtnl_neigh_set_lladdr(neighbour.get(), hardware.get());
  rtnl_neigh_set_state(neighbour.get(), NUD_PERMANENT);
  const int error = rtnl_neigh_add(socket_, neighbour.get(), NLM_F_CREATE | NLM_F_REPLACE);
  return error < 0 ? fail(error, fmt::format("adding neighbour {} on interface {}", address, name)) : Status();
}

}  // namespace sluice::host
