// SPDX-License-Identifier: Apache-2.0
// The trace requests that there are, and which of them the workers see. Control thread only.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/dataplane.h"
#include "sluice/status.h"
#include "sluice/trace.h"

namespace sluice::trace {

/// A filter for links with Ethernet headers and one for those without; code that matches nothing where an expression
/// cannot be meant for that kind of link (ether host …).
struct LinkFilters {
  PacketFilter ethernet, ip;
};
/// Errors: neither kind of link can have its expression; what libpcap says of the first.
StatusOr<LinkFilters> compile_filters(const std::string& ethernet, const std::string& ip);

class TraceRequests {
 public:
  static constexpr std::size_t kMaxActive = 8;       ///< that still want packets
  static constexpr std::size_t kMaxRemembered = 16;  ///< that have all of theirs

  using Request = std::shared_ptr<TraceRequest>;

  explicit TraceRequests(Dataplane& dataplane) : dataplane_(dataplane) {}

  /// A request from a node on, or from where packets come in when it is not valid, for those that the expressions
  /// match on links with and without Ethernet headers. Errors: compile_filters's.
  StatusOr<Request> make(NodeIndex node, const std::string& ethernet, const std::string& ip) const;
  /// Whether one more may begin. Errors: kMaxActive are under way.
  Status check() const;
  /// Lets it have so many packets. One that is live ends with end(), the others with clear(), or when there are too
  /// many that have all their packets.
  void begin(const Request& request, std::uint32_t packets, bool is_live);
  /// Of a live one.
  void end(const Request& request);
  /// False: there was nothing to forget. Live ones go on.
  bool clear();
  /// Those that are not live, in the order in which they began.
  std::vector<Request> remembered() const;
  /// Whether a node keeps the packet for the time being.
  bool is_held(const TraceBuffer::Slot& slot) const;

 private:
  struct Entry {
    Request request;
    bool is_live;
    bool is_wanted;  // somebody will look at it
  };
  bool goes_on(const TraceRequest& request) const;
  bool is_under_way(const TraceBuffer::Slot& slot) const;
  std::uint16_t next_id();
  void forget_old();
  void publish();

  Dataplane& dataplane_;
  std::vector<Entry> entries_;
  std::uint16_t last_id_ = 0;
};

}  // namespace sluice::trace
