// SPDX-License-Identifier: Apache-2.0
// Local delivery: who takes packets that are addressed to this node. A node that registered an IP protocol gets them
// at the header behind IP; one that registered a UDP port, behind a checked UDP header; l3_offset and l4_offset are
// set, fragments put together. What nobody registered is punted to the host.
#pragma once
#include <sluice/net/address.h>
#include <sluice/status.h>
#include <sluice/types.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

enum class IpFamily : std::uint8_t { Ip4, Ip6 };

/// What the data path reads.
struct LocalTable {
  static constexpr std::uint16_t kNobody = 0xffff;
  struct UdpPort {
    std::uint16_t port, node, errors;
  };
  struct Family {
    std::array<std::uint16_t, 256> protocol, errors;
    std::vector<UdpPort> udp;  ///< sorted by port
    Family() {
      protocol.fill(kNobody);
      errors.fill(kNobody);
    }
    std::uint16_t find_udp(std::uint16_t port) const noexcept {
      const UdpPort* found = find_port(port);
      return found ? found->node : kNobody;
    }
    /// Who hears of ICMP errors about a packet of this protocol that this node has sent (to this UDP port).
    std::uint16_t find_errors(std::uint8_t of, std::uint16_t port) const noexcept {
      if (of != kUdp) return errors[of];
      const UdpPort* found = find_port(port);
      return found ? found->errors : kNobody;
    }

   private:
    static constexpr std::uint8_t kUdp = 17;
    const UdpPort* find_port(std::uint16_t port) const noexcept {
      const auto it =
          std::lower_bound(udp.begin(), udp.end(), port, [](const UdpPort& u, std::uint16_t p) { return u.port < p; });
      return it != udp.end() && it->port == port ? &*it : nullptr;
    }
  };
  Family ip4, ip6;
  const Family& family(IpFamily f) const { return f == IpFamily::Ip4 ? ip4 : ip6; }
  Family& family(IpFamily f) { return f == IpFamily::Ip4 ? ip4 : ip6; }
};

/// Control thread. An error has changed nothing.
class SLUICE_API LocalDelivery {
 public:
  virtual ~LocalDelivery() = default;
  /// errors gets ICMP errors, with a right checksum, that quote a packet of this protocol: the packet is at the IP
  /// header in front of ICMP, l4_offset at ICMP. Errors: another node has it (named); ICMP, TCP and UDP as protocols
  /// are not given away.
  virtual Status add_protocol(IpFamily family, std::uint8_t protocol, NodeIndex node, NodeIndex errors = {}) = 0;
  virtual Status remove_protocol(IpFamily family, std::uint8_t protocol) = 0;
  /// errors gets those that quote a packet to this port.
  virtual Status add_udp_port(IpFamily family, std::uint16_t port, NodeIndex node, NodeIndex errors = {}) = 0;
  virtual Status remove_udp_port(IpFamily family, std::uint16_t port) = 0;

  /// What is for this node and no node takes goes out by this interface; an invalid index: nowhere. host is the other
  /// end's address on an Ethernet interface; zero: the one that is heard there first. False: it was so already. Errors:
  /// no such interface.
  virtual StatusOr<bool> set_punt(InterfaceIndex interface, const MacAddress& host = {}) = 0;
};

}  // namespace sluice
