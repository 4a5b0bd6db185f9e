// SPDX-License-Identifier: Apache-2.0
#include "control/pcapng.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::capture {
namespace {

// Block types and options, by the sections of the draft.
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;      // 4.1
constexpr std::uint32_t kInterfaceDescription = 1;        // 4.2
constexpr std::uint32_t kEnhancedPacket = 6;              // 4.3
constexpr std::uint16_t kEndOfOptions = 0, kComment = 1;  // 3.5
constexpr std::uint16_t kApplication = 4;                 // of a section
constexpr std::uint16_t kName = 2, kTimeResolution = 9;   // of an interface
constexpr std::uint16_t kFlags = 2;                       // of a packet
constexpr char kNanoseconds = 9;
// Raw IP is 101 by the book. Of a file with a second such interface libpcap (1.10) says that their types differ: it
// compares 101 with its own number for it, which is 12 and means the same to libpcap and to Wireshark.
constexpr std::uint16_t kLinkEthernet = 1, kLinkRawIp = 12;
constexpr std::size_t kLongestOption = 0xffff;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

template <class T>
void PcapngFile::put(T value) {
  waiting_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PcapngFile::put_padded(std::string_view bytes) {
  waiting_.append(bytes);
  waiting_.append(-bytes.size() & 3, '\0');
}

void PcapngFile::put_option(std::uint16_t code, std::string_view value) {
  value = value.substr(0, kLongestOption);
  put(code);
  put(static_cast<std::uint16_t>(value.size()));
  put_padded(value);
}

std::size_t PcapngFile::begin_block(std::uint32_t type) {
  const std::size_t begin = waiting_.size();
  put(type);
  put(std::uint32_t{0});  // its length, by end_block()
  return begin;
}

void PcapngFile::end_block(std::size_t begin) {
  put_option(kEndOfOptions, {});
  const auto length = static_cast<std::uint32_t>(waiting_.size() - begin + sizeof(std::uint32_t));
  std::memcpy(waiting_.data() + begin + sizeof length, &length, sizeof length);
  put(length);
}

StatusOr<PcapngFile> PcapngFile::create(const std::string& path, bool overwrite, std::string_view application) {
  auto opened = open_private(path, overwrite);
  if (!opened.ok()) return opened.status();
  // What is written by halves must be known, so nothing is kept back behind our back.
  std::setvbuf(opened->get(), nullptr, _IONBF, 0);
  PcapngFile file(std::move(*opened), path);
  const std::size_t section = file.begin_block(kSectionHeader);
  file.put(std::uint32_t{0x1a2b3c4d});  // tells the byte order
  file.put(std::uint16_t{1});           // version 1.0
  file.put(std::uint16_t{0});
  file.put(~std::uint64_t{0});  // length not known
  file.put_option(kApplication, application);
  file.end_block(section);
  if (auto status = file.flush(); !status.ok()) {
    ::unlink(path.c_str());
    return status;
  }
  return file;
}

std::uint32_t PcapngFile::add_interface(const Interface& interface) {
  const std::size_t block = begin_block(kInterfaceDescription);
  put(interface.link == LinkLayer::Ethernet ? kLinkEthernet : kLinkRawIp);
  put(std::uint16_t{0});
  put(interface.snap);
  put_option(kName, interface.name);
  put_option(kTimeResolution, {&kNanoseconds, 1});
  end_block(block);
  return interfaces_++;
}

void PcapngFile::add_packet(const Packet& packet) {
  const std::size_t block = begin_block(kEnhancedPacket);
  put(packet.interface);
  put(static_cast<std::uint32_t>(packet.wall_ns >> 32));
  put(static_cast<std::uint32_t>(packet.wall_ns));
  put(static_cast<std::uint32_t>(packet.bytes.size()));
  put(packet.length);
  put_padded(text_of(packet.bytes));
  const auto flags = static_cast<std::uint32_t>(packet.direction);
  put_option(kFlags, text_of(std::as_bytes(std::span(&flags, 1))));
  if (!packet.comment.empty()) put_option(kComment, packet.comment);
  end_block(block);
}

Status PcapngFile::flush() {
  if (std::fwrite(waiting_.data(), 1, waiting_.size(), file_.get()) == waiting_.size()) {
    written_ += waiting_.size();
    waiting_.clear();
    return {};
  }
  auto status = unavailable("{}: {}; free space there, or give another path", path_, std::strerror(errno));
  waiting_.clear();
  (void)!::ftruncate(fileno(file_.get()), static_cast<off_t>(written_));
  return status;
}

}  // namespace sluice::capture
