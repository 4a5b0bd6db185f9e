// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <sluice/differences.h>
#include <sluice/net/append_header.h>
#include <sluice/net/checksum.h>
#include <sluice/net/ethernet.h>
#include <sluice/net/ip4.h>
#include <sluice/net/local_mac.h>
#include <sluice/net/udp.h>

#include <cstring>

namespace sluice::null {
namespace {

constexpr std::uint16_t kDiscardPort = 9;

// UDP over IPv4, without a UDP checksum (RFC 768 allows it), addressed to the interface's own MAC address.
std::vector<std::byte> packet_of(const Options& options, const MacAddress& mac) {
  std::vector<std::byte> bytes;
  if (!options.layer3) {
    append_header(bytes, EthernetHeader{mac, MacAddress{{2, 0, 0, 0, 0, 1}}, be16(kEthertypeIp4)});
  }
  Ip4Header ip{};
  ip.version_ihl = 0x45;
  ip.total_length = be16(static_cast<std::uint16_t>(options.size));
  ip.ttl = 64;
  ip.protocol = kIpProtocolUdp;
  ip.source = Ip4Address(0xc6120001);  // 198.18.0.1, for benchmarks: RFC 2544
  ip.destination = options.to;
  ip.checksum.raw = checksum_finish(checksum_add(0, &ip, sizeof ip));
  append_header(bytes, ip);
  UdpHeader udp{};
  udp.source = udp.destination = be16(kDiscardPort);
  udp.length = be16(static_cast<std::uint16_t>(options.size - sizeof ip));
  append_header(bytes, udp);
  bytes.resize(bytes.size() + options.size - sizeof ip - sizeof udp);
  return bytes;
}

}  // namespace

std::string differences(const Options& present, const Options& wanted) {
  return Differences()
      .compare("source", present.source, wanted.source)
      .compare("layer3", present.layer3, wanted.layer3)
      .compare("to", present.to, wanted.to)
      .compare("size", present.size, wanted.size)
      .compare("rate", present.rate, wanted.rate)
      .compare("count", present.count, wanted.count)
      .compare("queues", present.queues, wanted.queues)
      .compare("flows", present.flows, wanted.flows)
      .text();
}

NullDevice::NullDevice(const Options& options) : options_(options) {
  info_.link = options.layer3 ? LinkLayer::Ip : LinkLayer::Ethernet;
  if (!options.layer3) info_.mac = local_mac(options.name);
  info_.mtu = 9000;
  info_.rx_queues = options.source ? options.queues : 0;
  info_.tx_queues = options.queues;
  info_.detail = options.source ? "source and sink" : "sink";
  info_.offloads = {.tx_checksum = true, .tx_tso4 = true, .tx_tso6 = true, .tx_uso = true};
  const std::size_t port = (options.layer3 ? 0 : sizeof(EthernetHeader)) + sizeof(Ip4Header);
  for (unsigned q = 0; q < info_.rx_queues; ++q) {
    sources_.push_back(
        std::make_shared<Source>(packet_of(options, info_.mac), port, options.flows, options.rate, options.count));
  }
}

StatusOr<std::vector<std::unique_ptr<RxQueue>>> NullDevice::open_rx() {
  std::vector<std::unique_ptr<RxQueue>> queues;
  for (const auto& source : sources_) queues.push_back(std::make_unique<SourceQueue>(source));
  return queues;
}

StatusOr<std::vector<std::unique_ptr<TxQueue>>> NullDevice::open_tx() {
  std::vector<std::unique_ptr<TxQueue>> queues;
  for (unsigned q = 0; q < options_.queues; ++q) queues.push_back(std::make_unique<SinkQueue>());
  return queues;
}

Status NullDevice::set_admin_state(bool up) {
  for (const auto& source : sources_) {
    if (!up) source->pacer.enable(false);
  }
  return {};
}

void NullDevice::begin() {
  for (const auto& source : sources_) source->pacer.enable(true);
}

Status NullDevice::set_mac(const MacAddress& mac) {
  if (options_.layer3) return failed_precondition("{}: it has no Ethernet header, so no MAC address", options_.name);
  if (!sources_.empty()) return failed_precondition("{}: the MAC address of a source is in its packets", options_.name);
  info_.mac = mac;
  return {};
}

DeviceDetails NullDevice::details() const {
  const QueueDetails queue{.ring = 0, .mode = "memory", .reason = "", .counters = {}};
  return {.rx = std::vector(info_.rx_queues, queue),
          .tx = std::vector(info_.tx_queues, queue),
          .offloads = {},
          .numa_node = -1};
}

}  // namespace sluice::null
