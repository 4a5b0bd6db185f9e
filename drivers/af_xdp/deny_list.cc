// SPDX-License-Identifier: Apache-2.0
#include "deny_list.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice::af_xdp {
namespace {

Status failed(const IpPrefix& prefix, int error) {
  return unavailable("deny {}: the kernel refuses it: {}", prefix.to_string(), std::strerror(error));
}

template <class Key, class Address>
Key key_of(const Address& address, std::uint8_t length) {
  Key key{};
  key.length = length;
  std::copy(address.bytes.begin(), address.bytes.end(), key.address);
  return key;
}

/// Calls function with the family's trie and the prefix as its key.
template <class F>
int with_key(const DenyMaps& maps, const IpPrefix& prefix, F&& function) {
  if (prefix.address.is_ip4()) {
    const auto key = key_of<deny_prefix4>(prefix.address.ip4(), prefix.length);
    return function(maps.prefixes4, &key);
  }
  const auto key = key_of<deny_prefix6>(prefix.address.ip6(), prefix.length);
  return function(maps.prefixes6, &key);
}

std::vector<std::uint64_t> counters_of_cpus() {
  return std::vector<std::uint64_t>(static_cast<std::size_t>(std::max(1, libbpf_num_possible_cpus())));
}

}  // namespace

DenyList::~DenyList() { let_go(); }

Status DenyList::would_add(const IpPrefix& prefix) const {
  if (places_.size() < kMost) return {};
  return exhausted("deny {}: {} prefixes are denied, the most; delete one first, or use shorter prefixes",
                   prefix.to_string(), kMost);
}

Status DenyList::add(const IpPrefix& prefix) {
  if (Status status = would_add(prefix); !status.ok()) return status;
  const std::uint32_t place = free_.empty() ? next_ : free_.back();
  if (kept()) {
    if (Status status = write(prefix, place); !status.ok()) return status;
  }
  if (free_.empty()) {
    ++next_;
  } else {
    free_.pop_back();
  }
  places_.emplace(prefix, place);
  return kept() ? write_sizes() : Status();
}

Status DenyList::remove(const IpPrefix& prefix) {
  const auto found = places_.find(prefix);
  if (found == places_.end()) return not_found("deny {}: it is not denied", prefix.to_string());
  if (kept()) {
    const int error = with_key(maps_, prefix,
                               [](int map, const void* key) { return bpf_map_delete_elem(map, key) == 0 ? 0 : errno; });
    if (error != 0 && error != ENOENT) return failed(prefix, error);
  }
  free_.push_back(found->second);
  places_.erase(found);
  return kept() ? write_sizes() : Status();
}

std::vector<DenyList::Entry> DenyList::list() const {
  std::vector<Entry> entries;
  entries.reserve(places_.size());
  for (const auto& [prefix, place] : places_) entries.push_back({prefix, packets(place)});
  return entries;
}

Status DenyList::keep(const DenyMaps& maps) {
  if (kept()) return {};
  Status status = duplicate(maps);
  for (auto item = places_.begin(); status.ok() && item != places_.end(); ++item)
    status = write(item->first, item->second);
  if (status.ok()) status = write_sizes();
  if (!status.ok()) let_go();
  return status;
}

Status DenyList::duplicate(const DenyMaps& maps) {
  for (const auto member : {&DenyMaps::sizes, &DenyMaps::prefixes4, &DenyMaps::prefixes6, &DenyMaps::packets}) {
    maps_.*member = fcntl(maps.*member, F_DUPFD_CLOEXEC, 0);
    if (maps_.*member < 0) return unavailable("deny list: keeping its maps: {}", std::strerror(errno));
  }
  return {};
}

void DenyList::let_go() {
  for (const int fd : {maps_.sizes, maps_.prefixes4, maps_.prefixes6, maps_.packets}) {
    if (fd >= 0) close(fd);
  }
  maps_ = {};
}

// The place's counters begin at zero.
Status DenyList::write(const IpPrefix& prefix, std::uint32_t place) const {
  const auto zeros = counters_of_cpus();
  if (bpf_map_update_elem(maps_.packets, &place, zeros.data(), BPF_ANY) != 0) return failed(prefix, errno);
  const int error = with_key(maps_, prefix, [&](int map, const void* key) {
    return bpf_map_update_elem(map, key, &place, BPF_ANY) == 0 ? 0 : errno;
  });
  return error == 0 ? Status() : failed(prefix, error);
}

// The program looks at no frame while its family has none.
Status DenyList::write_sizes() const {
  const auto all4 = static_cast<std::uint32_t>(
      std::count_if(places_.begin(), places_.end(), [](const auto& item) { return item.first.address.is_ip4(); }));
  for (const auto& [family, size] :
       {std::pair<std::uint32_t, std::uint32_t>{0, all4}, {1, static_cast<std::uint32_t>(places_.size()) - all4}}) {
    if (bpf_map_update_elem(maps_.sizes, &family, &size, BPF_ANY) != 0)
      return unavailable("deny list: the kernel refuses it: {}", std::strerror(errno));
  }
  return {};
}

std::uint64_t DenyList::packets(std::uint32_t place) const {
  auto counters = counters_of_cpus();
  if (!kept() || bpf_map_lookup_elem(maps_.packets, &place, counters.data()) != 0) return 0;
  std::uint64_t sum = 0;
  for (const std::uint64_t counter : counters) sum += counter;
  return sum;
}

}  // namespace sluice::af_xdp
