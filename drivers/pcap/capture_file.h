// SPDX-License-Identifier: Apache-2.0
// Capture files: one read whole into memory, one being written.
#pragma once
#include <sluice/device.h>
#include <sluice/status.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

struct pcap;
struct pcap_dumper;

namespace sluice::pcap {

/// The packets of a file, so that no worker ever waits for a disk.
struct Capture {
  static constexpr std::size_t kMostBytes = std::size_t{256} << 20;
  static constexpr std::size_t kMostPacket = 65535 + 22;

  struct Slice {
    std::uint32_t offset, length;
  };
  LinkLayer link = LinkLayer::Ethernet;
  std::vector<std::byte> bytes;
  std::vector<Slice> packets;
  std::size_t incomplete = 0;  ///< packets that the capture had cut, or that are too long; they are left out

  /// Errors: open_to_read's; not a capture, a link type that is neither Ethernet nor raw IP, too large.
  static StatusOr<Capture> read(const std::string& path);
};

class CaptureWriter {
 public:
  /// Errors: open_to_write's. Writing it is a worker's: only a disk's cache stands between.
  static StatusOr<std::unique_ptr<CaptureWriter>> create(const std::string& path, LinkLayer link);
  ~CaptureWriter();
  CaptureWriter(const CaptureWriter&) = delete;
  CaptureWriter& operator=(const CaptureWriter&) = delete;
  /// One packet, stamped with the wall clock's ns.
  void write(std::uint64_t wall_ns, std::span<const std::byte> packet) noexcept;
  /// False: the disk took less than was written.
  bool flush() noexcept;

 private:
  CaptureWriter(::pcap* handle, ::pcap_dumper* dumper) : handle_(handle), dumper_(dumper) {}
  ::pcap* handle_;
  ::pcap_dumper* dumper_;
};

}  // namespace sluice::pcap
