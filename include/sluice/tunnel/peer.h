// SPDX-License-Identifier: Apache-2.0
// A tunnel's remote as the control thread sees it: makes what workers read (remote.h) and keeps it in step with the
// underlay's routes, links and path MTU. Control thread only.
#pragma once
#include <sluice/context.h>
#include <sluice/net/address.h>
#include <sluice/routes.h>
#include <sluice/tunnel/remote.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace sluice {

struct TunnelEnds {
  IpAddress local, remote;
  std::uint32_t table = 0;  ///< the underlay's, the operator's number
  friend bool operator==(const TunnelEnds&, const TunnelEnds&) = default;
};

/// Errors: the two are of different families, or the same; one is no host's address (multicast, unspecified, loopback,
/// link-local).
SLUICE_API Status check_tunnel_ends(const IpAddress& local, const IpAddress& remote);
SLUICE_API Status check_tunnel_local(const IpAddress& local);

class SLUICE_API TunnelPeer {
 public:
  using Clock = std::chrono::steady_clock;
  /// How long a path MTU counts that ICMP has told: RFC 1191 section 6.3.
  static constexpr std::chrono::minutes kPathMtuAge{10};
  static constexpr std::uint32_t kPathMtuLeast4 = 68, kPathMtuLeast6 = 1280;

  struct Shape {
    std::uint8_t protocol = 0;          ///< in the outer IP header
    std::span<const std::byte> behind;  ///< what stands behind it: UDP and tunnel headers; empty for IP in IP
    bool udp = false;                   ///< behind begins with a UDP header
    std::uint8_t inner_link_bytes = 0;  ///< a link-layer header inside, which is no part of the inner MTU
  };

  /// Makes the headers ready that workers put in front.
  static void fill_headers(TunnelRemote& remote, const TunnelEnds& ends, const Shape& shape);

  /// interface is the tunnel's. Errors: check_tunnel_ends(); the remote is reached through the tunnel itself (the loop
  /// is named); no such table.
  static StatusOr<std::unique_ptr<TunnelPeer>> create(Context& context, InterfaceIndex interface,
                                                      const TunnelEnds& ends, const TunnelPolicy& policy,
                                                      const Shape& shape);
  /// Workers may read remote() until a grace period after this.
  ~TunnelPeer();
  TunnelPeer(const TunnelPeer&) = delete;
  TunnelPeer& operator=(const TunnelPeer&) = delete;

  const TunnelRemote* remote() const { return remote_; }
  const TunnelEnds& ends() const { return ends_; }
  /// "via 192.0.2.2 eth0", "no route", "loop ipip0 -> ipip0".
  std::string way() const;
  bool direct() const { return remote_->direct.load(std::memory_order_relaxed); }
  /// The longest inner packet that goes through; TunnelRemote::kAnyLength: as long as the interface says.
  std::uint32_t mtu() const { return remote_->mtu.load(std::memory_order_relaxed); }

  /// A router on the path takes no more than so many bytes of outer packet. What is below the least that the family
  /// allows counts as that least.
  void path_mtu(std::uint32_t bytes, Clock::time_point now);
  /// Forgets a path MTU that is too old.
  void age(Clock::time_point now);
  /// The underlay's interfaces have changed.
  void update();
  std::uint32_t limit() const;

 private:
  TunnelPeer(Context& context, const TunnelEnds& ends, const TunnelPolicy& policy, const Shape& shape);
  void follow(const FollowedRoute& route);

  Context& context_;
  const TunnelEnds ends_;
  const TunnelPolicy policy_;
  const std::uint32_t overhead_;
  TunnelRemote* remote_;  // freed after a grace period
  std::uint32_t path_mtu_ = TunnelRemote::kAnyLength;
  Clock::time_point path_mtu_since_{};
  std::unique_ptr<RouteFollower> follower_;
};

}  // namespace sluice
