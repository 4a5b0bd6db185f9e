// SPDX-License-Identifier: Apache-2.0
#include "template.h"

#include <cstring>

#include "sluice/net/checksum.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6.h"
#include "sluice/packet_bytes.h"

namespace sluice::pg {
namespace {

void store16(std::byte* at, std::uint16_t host) noexcept {
  const be16 value(host);
  std::memcpy(at, &value, sizeof value);
}

void store_sum(std::byte* at, std::uint16_t checksum) noexcept { std::memcpy(at, &checksum, sizeof checksum); }

}  // namespace

void Template::write_fields(std::byte* packet, const Size& size, std::uint64_t number) const noexcept {
  std::uint64_t ip_sum = size.ip_sum, l4_sum = size.l4_sum;
  for (const Varying& field : varying) {
    const be64 value(field.first + number % field.values);
    const auto* bytes = reinterpret_cast<const std::byte*>(&value) + sizeof value - field.width;
    std::memcpy(packet + field.offset, bytes, field.width);
    if (field.in_ip_sum) ip_sum = checksum_add(ip_sum, bytes, field.width);
    if (field.in_l4_sum) l4_sum = checksum_add(l4_sum, bytes, field.width);
  }
  if (l3 == kNone) return;
  if (ip6) {
    store16(packet + l3 + offsetof(Ip6Header, payload_length),
            static_cast<std::uint16_t>(size.length - l3 - sizeof(Ip6Header)));
  } else {
    store16(packet + l3 + offsetof(Ip4Header, total_length), static_cast<std::uint16_t>(size.length - l3));
    store_sum(packet + l3 + offsetof(Ip4Header, checksum), checksum_finish(ip_sum));
  }
  if (l4_checksum == kNone) return;
  if (udp) store16(packet + l4 + 4, static_cast<std::uint16_t>(size.length - l4));
  store_sum(packet + l4_checksum, udp ? checksum_finish_udp(l4_sum) : checksum_finish(l4_sum));
}

std::size_t Template::make(Worker& worker, std::uint64_t first, std::span<Packet*> out) const noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t number = first + i;
    const Size& size = sizes[number % sizes.size()];
    Packet* packet = packet_with(worker.buffers(), std::span(bytes).first(size.length));
    if (!packet) return i;
    write_fields(packet->data, size, number);
    const std::uint16_t start = packet->offset();
    if (link == LinkLayer::Ethernet) packet->l2_offset = start;
    if (l3 != kNone) packet->l3_offset = static_cast<std::uint16_t>(start + l3);
    if (l4 != kNone) packet->l4_offset = static_cast<std::uint16_t>(start + l4);
    out[i] = packet;
  }
  return out.size();
}

std::vector<std::byte> Template::bytes_of(std::uint64_t number) const {
  const Size& size = sizes[number % sizes.size()];
  std::vector<std::byte> packet(bytes.begin(), bytes.begin() + size.length);
  write_fields(packet.data(), size, number);
  return packet;
}

}  // namespace sluice::pg
