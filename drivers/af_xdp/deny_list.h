// SPDX-License-Identifier: Apache-2.0
// Sources whose packets the XDP program drops on every AF_XDP interface, before they cost anything here. Control
// thread.
#pragma once
#include <sluice/net/address.h>
#include <sluice/status.h>

#include <cstdint>
#include <map>
#include <vector>

#include "filter.h"
#include "filter_maps.h"

namespace sluice::af_xdp {

class DenyList {
 public:
  /// Prefixes of both families together.
  static constexpr std::size_t kMost = SLUICE_MOST_DENIED;

  struct Entry {
    IpPrefix prefix;
    std::uint64_t packets = 0;  ///< dropped by this prefix, the longest that covers their source
  };

  DenyList() = default;
  ~DenyList();
  DenyList(const DenyList&) = delete;
  DenyList& operator=(const DenyList&) = delete;

  bool has(const IpPrefix& prefix) const { return places_.contains(prefix); }
  /// What add() would refuse of a prefix that is not there: the list is full.
  Status would_add(const IpPrefix& prefix) const;
  /// A prefix that is not there. Errors: would_add's; the kernel has no memory.
  Status add(const IpPrefix& prefix);
  /// A prefix that is there. Its count is forgotten.
  Status remove(const IpPrefix& prefix);
  /// IPv4 before IPv6, in the order of addresses.
  std::vector<Entry> list() const;

  /// For Filter::load: none yet, or those that all programs share.
  const DenyMaps& maps() const { return maps_; }
  /// Keeps the maps of the first program for those that follow, and puts into them what is on the list. Errors: the
  /// kernel refuses a descriptor or an entry; then none is kept, and the next program's maps are.
  Status keep(const DenyMaps& maps);

 private:
  bool kept() const { return maps_.sizes >= 0; }
  Status duplicate(const DenyMaps& maps);
  void let_go();
  Status write(const IpPrefix& prefix, std::uint32_t place) const;
  Status write_sizes() const;
  std::uint64_t packets(std::uint32_t place) const;

  DenyMaps maps_;
  std::map<IpPrefix, std::uint32_t> places_;  // in the map of counters
  std::vector<std::uint32_t> free_;           // places below next_ that were given back
  std::uint32_t next_ = 0;
};

}  // namespace sluice::af_xdp
