// SPDX-License-Identifier: Apache-2.0
// The words for a tunnel's policy in commands. Control thread.
#pragma once
#include <sluice/differences.h>
#include <sluice/status.h>
#include <sluice/tunnel/remote.h>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

namespace detail {

inline StatusOr<std::uint8_t> number_or_inherit(std::string_view field, std::string_view text, unsigned least,
                                                unsigned most, std::uint8_t inherit) {
  if (text == "inherit") return inherit;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
    return refused("{} '{}': must be inherit or {} to {}", field, text, least, most);
  return static_cast<std::uint8_t>(value);
}

}  // namespace detail

inline std::string ttl_text(const TunnelPolicy& policy) {
  return policy.ttl == TunnelPolicy::kInheritTtl ? "inherit" : std::to_string(policy.ttl);
}
inline std::string dscp_text(const TunnelPolicy& policy) {
  return policy.dscp == TunnelPolicy::kInheritDscp ? "inherit" : std::to_string(policy.dscp);
}
inline std::string df_text(const TunnelPolicy& policy) {
  switch (policy.df) {
    case TunnelDf::Inherit: return "inherit";
    case TunnelDf::Set: return "set";
    case TunnelDf::Clear: return "clear";
  }
  return "";
}

/// ttl, dscp and df as ttl_text() and its like write them. Errors say what is allowed.
inline StatusOr<TunnelPolicy> parse_tunnel_policy(std::string_view ttl, std::string_view dscp, std::string_view df) {
  TunnelPolicy policy;
  const auto hops = detail::number_or_inherit("ttl", ttl, 1, 255, TunnelPolicy::kInheritTtl);
  if (!hops.ok()) return hops.status();
  const auto code_point = detail::number_or_inherit("dscp", dscp, 0, 63, TunnelPolicy::kInheritDscp);
  if (!code_point.ok()) return code_point.status();
  policy.ttl = *hops;
  policy.dscp = *code_point;
  if (df == "set") {
    policy.df = TunnelDf::Set;
  } else if (df == "clear") {
    policy.df = TunnelDf::Clear;
  } else if (df != "inherit") {
    return refused("df '{}': must be inherit, set or clear", df);
  }
  return policy;
}

/// In what a request's policy differs from the one that is there.
inline void compare_policies(Differences& differences, const TunnelPolicy& present, const TunnelPolicy& wanted) {
  differences.compare("ttl", ttl_text(present), ttl_text(wanted))
      .compare("dscp", dscp_text(present), dscp_text(wanted))
      .compare("df", df_text(present), df_text(wanted))
      .compare("udp-checksum", present.udp_checksum, wanted.udp_checksum)
      .compare("cross-subnet", present.cross_subnet, wanted.cross_subnet);
}

}  // namespace sluice
