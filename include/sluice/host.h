// SPDX-License-Identifier: Apache-2.0
// The host's own network as drivers and plugins change it: network namespaces, and rtnetlink inside one of them.
// Control thread only; each call waits for the kernel's answer (tens of microseconds). Errors name the namespace, the
// interface and the mend. Addresses and prefixes are text, as `ip` takes them: "10.0.0.1/32", "2001:db8::1/128".
#pragma once
#include <sluice/net/address.h>
#include <sluice/status.h>
#include <sluice/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct nl_sock;

namespace sluice::host {

/// What tells one namespace from another, whatever path leads to it.
struct NamespaceId {
  std::uint64_t device = 0, inode = 0;
  friend bool operator==(const NamespaceId&, const NamespaceId&) = default;
};

/// Identifies the network namespace at a path; "" is the caller's own. Errors: nothing is there; what is there is not
/// a network namespace.
SLUICE_API StatusOr<NamespaceId> namespace_id(const std::string& path);

/// Whether the path still leads to that namespace. An error means that the namespace is gone for good; a passing reason
/// (no open files left) is none.
SLUICE_API Status still_there(const std::string& path, const NamespaceId& id);

/// Runs function on a thread of its own inside the network namespace at path ("": where the caller is), so that a
/// failure cannot leave the caller in the wrong namespace. What function opens (sockets, /dev/net/tun) keeps belonging
/// to that namespace, and keeps it alive. Errors: namespace_id's; the privilege to enter (CAP_SYS_ADMIN) is missing;
/// function's own.
SLUICE_API Status run_in_namespace(const std::string& path, const std::function<Status()>& function);
/// The same in the namespace that a descriptor is of, whatever its path leads to by now; path is for messages.
SLUICE_API Status run_in_namespace(int descriptor, const std::string& path, const std::function<Status()>& function);

/// "namespace /run/netns/x" or "the host's namespace", for messages.
SLUICE_API std::string describe_namespace(const std::string& path);

/// A link as the kernel describes it.
struct Link {
  int index = 0;
  std::string name;
  std::string kind;  ///< "tun", "veth", …; empty for hardware
  std::uint32_t mtu = 0;
  bool up = false;  ///< administratively
  bool carrier = false;
  MacAddress mac{};
  bool ethernet = false;
};

/// A route to add or remove. Without a gateway the destination is on the link.
struct Route {
  std::string destination;       ///< "default4", "default6" or a prefix
  std::string gateway;           ///< an address, or empty
  std::string preferred_source;  ///< an address, or empty
  bool onlink = false;           ///< the gateway counts as reachable although no address of the link covers it
  std::uint32_t table = 254;     ///< the kernel's main table
  std::optional<std::uint32_t> metric{};
};

/// A socket to the kernel's routing inside one namespace. The socket keeps the namespace alive: make it, use it, let it
/// go.
class SLUICE_API Netlink {
 public:
  static StatusOr<Netlink> open(const std::string& namespace_path);
  /// In the namespace that the descriptor is of; namespace_path is for messages.
  static StatusOr<Netlink> open(int descriptor, const std::string& namespace_path);
  Netlink(Netlink&& other) noexcept;
  Netlink& operator=(Netlink&&) = delete;
  ~Netlink();

  /// Errors: no interface of that name in the namespace (not_found).
  StatusOr<Link> link(const std::string& name) const;
  /// How many descriptors hold a TUN or tap; of one that has a single queue, whether it has a carrier.
  StatusOr<unsigned> tun_queues(const std::string& name) const;
  /// Changes nothing, and succeeds, where the kernel already has it so.
  Status set_up(const std::string& name, bool up) const;
  Status set_mtu(const std::string& name, std::uint32_t mtu) const;
  Status set_mac(const std::string& name, const MacAddress& mac) const;
  /// Of a TUN or tap that has never been up: takes the queueing discipline away, and has each of the device's own
  /// queues hold so many packets.
  Status set_queue(const std::string& name, std::uint32_t packets) const;
  Status delete_link(const std::string& name) const;
  Status rename_link(const std::string& name, const std::string& to) const;
  /// Moves the link into another namespace, where it has the name `to`; it loses addresses and routes by that.
  Status move_link(const std::string& name, const std::string& namespace_path, const std::string& to) const;

  /// IPv6 addresses are added without duplicate address detection. An address that is there already is no error.
  Status add_address(const std::string& name, const std::string& prefix) const;
  /// An address that is not there is no error.
  Status remove_address(const std::string& name, const std::string& prefix) const;
  /// "address/length" of all addresses but IPv6 link-local ones.
  StatusOr<std::vector<std::string>> addresses(const std::string& name) const;
  /// Adds what is missing and removes what is too much (link-local IPv6 apart).
  Status set_addresses(const std::string& name, const std::vector<std::string>& prefixes) const;

  /// Adds or replaces a route through the link.
  Status add_route(const std::string& name, const Route& route) const;
  /// A route that is not there is no error.
  Status remove_route(const std::string& name, const Route& route) const;
  /// A permanent neighbour entry, so that a next hop needs no ARP or ND.
  Status add_neighbour(const std::string& name, const std::string& address, const MacAddress& mac) const;

  const std::string& namespace_path() const { return path_; }

 private:
  Netlink(nl_sock* socket, std::string path);
  Status connect() const;
  StatusOr<int> index_of(const std::string& name) const;
  Status fail(int error, std::string_view what) const;
  nl_sock* socket_;
  std::string path_;
};

/// Hears of changes to the links of a namespace, from when it was opened.
class SLUICE_API LinkEvents {
 public:
  static StatusOr<LinkEvents> open(const std::string& namespace_path);
  LinkEvents(LinkEvents&& other) noexcept;
  LinkEvents& operator=(LinkEvents&&) = delete;
  ~LinkEvents();
  /// Whether the link of this index may have been set up or down, changed otherwise or lost an address since the last
  /// call. Never waits.
  bool changed(int index);

 private:
  explicit LinkEvents(int fd) : fd_(fd) {}
  int fd_;
};

/// Writes a file below /proc/sys/net ("ipv6/conf/eth0/disable_ipv6") in a namespace. Errors: no such setting.
SLUICE_API Status write_sysctl(const std::string& namespace_path, const std::string& name, const std::string& value);

/// Its first word.
SLUICE_API StatusOr<std::string> read_sysctl(const std::string& namespace_path, const std::string& name);

}  // namespace sluice::host
