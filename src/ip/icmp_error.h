// SPDX-License-Identifier: Apache-2.0
// What ip4-icmp-error and ip6-icmp-error do: tell a packet's source why it goes no further, then drop it for that
// reason. packet.icmp_error says what to tell.
#pragma once
#include <algorithm>
#include <cstring>

#include "ip/packet_checksum.h"
#include "ip/state.h"
#include "ip/token_bucket.h"
#include "sluice/net/icmp.h"
#include "sluice/node.h"

namespace sluice {

/// Rules: the family's headers and edges, what may be told, and in which bytes.
template <class Rules>
struct IcmpError : Rules {
  using typename Rules::Drop;
  using typename Rules::Header;
  using typename Rules::Next;
  enum class Count : std::uint8_t { Sent, RateLimited, NotAnswered, NoSource, NoBuffer };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    decltype(Header::source) to;
    std::uint8_t type, code;
    void describe(auto&& field) const {
      field("to", to);
      field("type", type);
      field("code", code);
    }
  };

  const IpState& ip;
  TokenBucket bucket{2000, 256};

  explicit IcmpError(const IpState& state) : ip(state) {}

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace, auto& out) noexcept {
    const auto* bad = packet.header<Header>();
    if (!bad) return Drop::Truncated;
    const IcmpErrorRequest request = packet.icmp_error;
    if (trace) *trace = {bad->source, request.type, request.code};
    if (!Rules::may_answer(packet, *bad, request)) {
      worker.count(Count::NotAnswered);
    } else if (!bucket.take(worker.now())) {
      worker.count(Count::RateLimited);
    } else {
      answer(packet, *bad, request, worker, out);
    }
    return Rules::reason_of(request);
  }

 private:
  void answer(const Packet& packet, const Header& bad, const IcmpErrorRequest& request, Worker& worker,
              auto& out) noexcept {
    const auto source = ip.addresses.read(worker).source_for(packet.rx_interface, bad.source);
    if (source.is_unspecified()) {
      worker.count(Count::NoSource);
      return;
    }
    Packet* error = out.alloc(&packet);
    if (!error) {
      worker.count(Count::NoBuffer);
      return;
    }
    constexpr std::size_t kHeaders = sizeof(Header) + sizeof(IcmpHeader);
    const std::size_t quoted = std::min<std::size_t>(packet.length, Rules::kLongest - kHeaders);
    error->trim(kHeaders + quoted);
    std::memcpy(error->data + kHeaders, packet.data, quoted);
    const auto length = static_cast<std::uint16_t>(sizeof(IcmpHeader) + quoted);
    Rules::write_headers(*error->template header<Header>(), *error->template header<IcmpHeader>(sizeof(Header)),
                         request, source, bad.source, length);
    const InterfaceState* in = worker.interface(packet.rx_interface);
    error->rx_interface = packet.rx_interface;
    error->tx_interface = packet.rx_interface;  // the zone of a link-local source
    error->table = in ? Rules::table_of(*in) : packet.table;
    error->l3_offset = error->offset();
    error->l4_offset = static_cast<std::uint16_t>(error->l3_offset + sizeof(Header));
    error->flags |= kLocal | kChecksumValid;
    worker.count(Count::Sent);
    out.emit(*error, Rules::kLookup);
  }
};

}  // namespace sluice
