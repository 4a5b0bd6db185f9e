// SPDX-License-Identifier: Apache-2.0
// A node between devices, in which one packet meets any fate that one packet can meet, for real or in a scratch run.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ip/ip_path_fixture.h"

namespace sluice::testing {

/// Has registered for UDP port 4789 of both families.
struct TestTaker {
  static constexpr NodeInfo kInfo{"test-taker", "takes what is for it"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Taken };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test has seen it"; }
  Verdict operator()(Packet&, Worker&, Trace*) const noexcept { return Drop::Taken; }
};

struct DropWorld : IpPath {
  struct Counting final : TxQueue {
    std::vector<std::pair<InterfaceIndex, std::uint32_t>> sent;  // interface and length
    std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override {
      for (Packet* packet : packets) {
        sent.emplace_back(packet->tx_interface, packet->chain_length);
        worker.buffers().free(packet);
      }
      return packets.size();
    }
  };
  static constexpr std::string_view kInput = "memory-input", kOutput = "memory-output";

  Counting queue;
  /// Two pods, an uplink with the addresses 192.0.2.2 and 2001:db8::2, the host's tap.
  InterfaceIndex a, b, eth, host;

  /// more registers other nodes.
  explicit DropWorld(const std::function<void(Registry&)>& more = {});
  /// A packet on its way in; not run yet.
  void give(InterfaceIndex in, Packet* packet);
  /// The interface's queue: what it sends is counted.
  InterfaceIndex bound(InterfaceIndex interface);
  void change(InterfaceIndex interface, const std::function<void(InterfaceState&)>& how);
  InterfaceIndex of(char from) const { return from == 'e' ? eth : from == 'h' ? host : a; }
};

/// What one packet meets.
struct Fate {
  std::string node;    ///< the first that drops it; empty: none
  std::string reason;  ///< why
  char from;           ///< 'a': the pod; 'e': the uplink; 'h': the host
  Bytes packet;
  std::function<void(DropWorld&)> setup = {};
  std::function<void(Packet&)> prepare = {};  ///< what a driver says beside the bytes
};
std::vector<Fate> link_drops();
std::vector<Fate> ip4_drops();
std::vector<Fate> ip4_local_drops();
std::vector<Fate> ip6_drops();
std::vector<Fate> ip6_local_drops();

// Parts of packets that more than one of them needs.
Bytes frame(const Bytes& body, std::uint16_t type, std::string_view to = "02::1");
Bytes from_pod4(std::string_view destination, const Bytes& body, std::uint8_t ttl = 64, std::uint16_t fragment = 0);
Bytes from_pod6(std::string_view destination, std::uint8_t next, const Bytes& body, std::uint8_t hops = 64);
/// A checksum that the driver left to be made at start + offset, which is no place for one.
std::function<void(Packet&)> checksum_at(std::uint16_t start, std::uint16_t offset);

}  // namespace sluice::testing
