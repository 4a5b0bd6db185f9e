// SPDX-License-Identifier: Apache-2.0
#include "capture_file.h"

#include <pcap/pcap.h>
#include <sluice/files.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::pcap {
namespace {

struct Close {
  void operator()(::pcap* handle) const { pcap_close(handle); }
};
using Handle = std::unique_ptr<::pcap, Close>;

}  // namespace

StatusOr<Capture> Capture::read(const std::string& path) {
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  auto file = open_to_read(path);
  if (!file.ok()) return file.status();
  const Handle handle(pcap_fopen_offline(file->get(), error.data()));
  if (!handle) return refused("capture file {}: {}", path, error.data());
  (void)file->release();  // the handle's now
  Capture capture;
  switch (const int type = pcap_datalink(handle.get()); type) {
    case DLT_EN10MB: break;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6: capture.link = LinkLayer::Ip; break;
    default: {
      const char* name = pcap_datalink_val_to_name(type);
      return refused("capture file {}: its link type is {}; Ethernet (EN10MB) and raw IP (RAW) can be received", path,
                     name ? name : std::to_string(type));
    }
  }
  pcap_pkthdr* header = nullptr;
  const unsigned char* data = nullptr;
  int result = 0;
  while ((result = pcap_next_ex(handle.get(), &header, &data)) == 1) {
    if (header->caplen == 0 || header->caplen < header->len || header->caplen > kMostPacket) {
      ++capture.incomplete;
      continue;
    }
    if (capture.bytes.size() + header->caplen > kMostBytes)
      return refused("capture file {}: its packets are more than {} MiB, the most", path, kMostBytes >> 20);
    capture.packets.push_back({static_cast<std::uint32_t>(capture.bytes.size()), header->caplen});
    const auto* at = reinterpret_cast<const std::byte*>(data);
    capture.bytes.insert(capture.bytes.end(), at, at + header->caplen);
  }
  if (result == PCAP_ERROR) return refused("capture file {}: {}", path, pcap_geterr(handle.get()));
  return capture;
}

StatusOr<std::unique_ptr<CaptureWriter>> CaptureWriter::create(const std::string& path, LinkLayer link) {
  Handle handle(pcap_open_dead_with_tstamp_precision(link == LinkLayer::Ethernet ? DLT_EN10MB : DLT_RAW,
                                                     static_cast<int>(Capture::kMostPacket),
                                                     PCAP_TSTAMP_PRECISION_NANO));
  auto file = open_to_write(path);
  if (!file.ok()) return file.status();
  // Closes the file also when it fails.
  pcap_dumper* dumper = pcap_dump_fopen(handle.get(), file->release());
  if (!dumper) return unavailable("capture file {}: {}", path, pcap_geterr(handle.get()));
  std::unique_ptr<CaptureWriter> writer(new CaptureWriter(handle.release(), dumper));
  // The header: also a file without packets is a capture.
  if (!writer->flush()) return unavailable("capture file {}: {}", path, std::strerror(errno));
  return writer;
}

CaptureWriter::~CaptureWriter() {
  pcap_dump_close(dumper_);
  pcap_close(handle_);
}

void CaptureWriter::write(std::uint64_t wall_ns, std::span<const std::byte> packet) noexcept {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  pcap_pkthdr header{};
  header.ts.tv_sec = static_cast<time_t>(wall_ns / kSecond);
  // With this precision the field holds nanoseconds.
  header.ts.tv_usec = static_cast<suseconds_t>(wall_ns % kSecond);
  header.caplen = header.len = static_cast<bpf_u_int32>(packet.size());
  pcap_dump(reinterpret_cast<unsigned char*>(dumper_), &header, reinterpret_cast<const unsigned char*>(packet.data()));
}

bool CaptureWriter::flush() noexcept { return pcap_dump_flush(dumper_) == 0; }

}  // namespace sluice::pcap
