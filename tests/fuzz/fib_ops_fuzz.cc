// SPDX-License-Identifier: Apache-2.0
// Any order of additions and removals leaves a FIB that finds what longest-prefix match is defined to find.
// Input: operations of four octets: what (bit 7 removes, bit 6 is IPv6, the rest is the target), the prefix's length,
// which byte of the family's last address is changed for this one, and to what.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>

#include "sluice/fib.h"

namespace sluice {
namespace {

template <class Address>
struct Tried {
  explicit Tried(Rcu& rcu) : nodes(rcu), fib(nodes) {}
  ForwardingIndex wanted(const Address& address) const {
    for (int length = Address::kBits; length >= 0; --length) {
      const auto it = model.find(Prefix<Address>::of(address, static_cast<std::uint8_t>(length)));
      if (it != model.end()) return it->second;
    }
    return ForwardingIndex{0};
  }
  void check(const Address& address) const {
    if (fib.lookup(address) != wanted(address)) std::abort();
  }
  void apply(const std::uint8_t* operation) {
    const std::size_t at = operation[2] % address.bytes.size();
    address.bytes[at] = operation[3];
    const auto prefix = Prefix<Address>::of(address, static_cast<std::uint8_t>(operation[1] % (Address::kBits + 1)));
    if (operation[0] & 0x80) {
      if (fib.remove(prefix) != (model.erase(prefix) == 1)) std::abort();
    } else {
      const ForwardingIndex target{1u + (operation[0] & 0x3f)};
      if (!fib.set(prefix, target).ok()) std::abort();
      model[prefix] = target;
    }
    check(address);
    check(prefix.address);
    Address near = address;
    near.bytes[operation[1] % near.bytes.size()] ^= operation[0];
    check(near);
  }
  void finish() {
    for (const auto& [prefix, target] : model) check(prefix.address);
    for (const auto& [prefix, target] : model) {
      if (!fib.remove(prefix)) std::abort();
    }
    if (nodes.used() != 0) std::abort();
    model.clear();
    address = {};
  }

  FibNodes nodes;
  Fib<Address> fib;
  std::map<Prefix<Address>, ForwardingIndex> model;
  Address address{};
};

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static sluice::Rcu rcu;
  static auto& ip4 = *new sluice::Tried<sluice::Ip4Address>(rcu);
  static auto& ip6 = *new sluice::Tried<sluice::Ip6Address>(rcu);
  constexpr std::size_t kOperations = 200;  // more make slow inputs, not other ones
  size = std::min(size, 4 * kOperations);
  for (; size >= 4; data += 4, size -= 4) {
    if (data[0] & 0x40) {
      ip6.apply(data);
    } else {
      ip4.apply(data);
    }
  }
  ip4.finish();
  ip6.finish();
  return 0;
}
