// SPDX-License-Identifier: Apache-2.0
#include "capture.h"

#include <pcap/pcap.h>

#include <algorithm>

#include "sluice/files.h"
#include "sluice/packet_bytes.h"

namespace sluice::pg {
namespace {

constexpr std::size_t kLongest = 65535;

struct Close {
  void operator()(pcap_t* file) const { pcap_close(file); }
};

}  // namespace

StatusOr<std::shared_ptr<const Capture>> Capture::read(const std::string& path) {
  char error[PCAP_ERRBUF_SIZE] = "";
  auto opened = open_to_read(path);
  if (!opened.ok()) return opened.status();
  const std::unique_ptr<pcap_t, Close> file(pcap_fopen_offline(opened->get(), error));
  if (!file) return refused("pcap {}: {}", path, error);
  (void)opened->release();  // the capture's now
  auto capture = std::make_shared<Capture>();
  const int link = pcap_datalink(file.get());
  if (link == DLT_EN10MB) {
    capture->link = LinkLayer::Ethernet;
  } else if (link == DLT_RAW || link == DLT_IPV4 || link == DLT_IPV6) {
    capture->link = LinkLayer::Ip;
  } else {
    const char* name = pcap_datalink_val_to_name(link);
    return refused("pcap {}: its link type is {}; must be EN10MB (Ethernet) or RAW (IP)", path,
                   name ? name : std::to_string(link));
  }
  pcap_pkthdr* header = nullptr;
  const unsigned char* data = nullptr;
  int result = 0;
  while ((result = pcap_next_ex(file.get(), &header, &data)) == 1) {
    if (header->caplen == 0) continue;
    if (header->caplen > kLongest) return refused("pcap {}: a packet of {} bytes is too long", path, header->caplen);
    if (capture->ends_.size() == kMostPackets || capture->bytes_.size() + header->caplen > kMostBytes) {
      return refused("pcap {}: more than {} packets or {} MiB", path, kMostPackets, kMostBytes >> 20);
    }
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    capture->bytes_.insert(capture->bytes_.end(), bytes, bytes + header->caplen);
    capture->ends_.push_back(capture->bytes_.size());
  }
  if (result == PCAP_ERROR) return refused("pcap {}: {}", path, pcap_geterr(file.get()));
  if (capture->ends_.empty()) return refused("pcap {}: there is no packet in it", path);
  capture->natural_count = capture->ends_.size();
  return std::shared_ptr<const Capture>(std::move(capture));
}

std::span<const std::byte> Capture::packet(std::size_t number) const {
  const std::size_t begin = number ? ends_[number - 1] : 0;
  return {bytes_.data() + begin, ends_[number] - begin};
}

std::size_t Capture::make(Worker& worker, std::uint64_t first, std::span<Packet*> out) const noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = packet_with(worker.buffers(), packet((first + i) % ends_.size()));
    if (!out[i]) return i;
    (link == LinkLayer::Ethernet ? out[i]->l2_offset : out[i]->l3_offset) = out[i]->offset();
  }
  return out.size();
}

}  // namespace sluice::pg
