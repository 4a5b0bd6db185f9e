// SPDX-License-Identifier: Apache-2.0
// Writes a pcapng file (draft-ietf-opsawg-pcapng): one section with interfaces and packets, times in nanoseconds.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sluice/device.h"
#include "sluice/files.h"
#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice::capture {

class SLUICE_API PcapngFile {
 public:
  enum class Direction : std::uint32_t { Unknown = 0, Inbound = 1, Outbound = 2 };
  struct Interface {
    std::string_view name = {};
    LinkLayer link = LinkLayer::Ethernet;
    std::uint32_t snap = 0;
  };
  struct Packet {
    std::uint32_t interface = 0;  ///< add_interface()'s number
    std::uint64_t wall_ns = 0;
    std::span<const std::byte> bytes = {};
    std::uint32_t length = 0;  ///< of the whole packet
    Direction direction = Direction::Unknown;
    std::string_view comment = {};
  };

  /// Makes the file, for its owner alone, and begins the section. Errors: it is there and not to be overwritten; no
  /// such folder, no permission, not a regular file; the disk is full.
  static StatusOr<PcapngFile> create(const std::string& path, bool overwrite, std::string_view application);

  std::uint32_t add_interface(const Interface& interface);
  void add_packet(const Packet& packet);
  /// Bytes, with those that wait to be written.
  std::uint64_t size() const { return written_ + waiting_.size(); }
  std::size_t waiting() const { return waiting_.size(); }
  /// Takes back what was added since size() was this, and not written.
  void cut(std::uint64_t size) { waiting_.resize(size - written_); }
  /// Writes what waits. On an error none of that is in the file, which is whole as it was.
  Status flush();

 private:
  PcapngFile(File file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  template <class T>
  void put(T value);
  void put_padded(std::string_view bytes);
  void put_option(std::uint16_t code, std::string_view value);
  std::size_t begin_block(std::uint32_t type);
  void end_block(std::size_t begin);

  File file_;
  std::string path_, waiting_;
  std::uint64_t written_ = 0;
  std::uint32_t interfaces_ = 0;
};

}  // namespace sluice::capture
