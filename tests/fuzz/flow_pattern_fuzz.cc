// SPDX-License-Identifier: Apache-2.0
// A flow's words from any text: what is read and written is read as the same again, and libpcap takes its expression.
#include <pcap/pcap.h>

#include <cstdlib>
#include <memory>

#include "sluice/net/flow_pattern.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using sluice::FlowPattern;
  const auto first = FlowPattern::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!first.ok()) {
    if (sluice::text(first.status()).empty()) std::abort();
    return 0;
  }
  const auto second = FlowPattern::parse(first->to_string());
  if (!second.ok() || !(*second == *first)) std::abort();
  const auto other = FlowPattern::parse(first->reversed().to_string());
  if (!other.ok() || !(other->reversed() == *first)) std::abort();
  if (const auto key = first->key(); key.ok() && key->protocol != first->protocol) std::abort();
  const std::unique_ptr<pcap_t, decltype(&pcap_close)> link(pcap_open_dead(DLT_RAW, 65535), &pcap_close);
  bpf_program program{};
  if (pcap_compile(link.get(), &program, first->to_pcap().c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) std::abort();
  pcap_freecode(&program);
  return 0;
}
