// SPDX-License-Identifier: Apache-2.0
// For tests: takes a pcapng file apart again, with what libpcap does not show.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace sluice::capture {

struct PcapngContents {
  struct Interface {
    std::uint16_t link = 0;
    std::uint32_t snap = 0;
    std::map<std::uint16_t, std::string> options;
  };
  struct Packet {
    std::uint32_t interface = 0, length = 0;
    std::uint64_t time = 0;
    std::string bytes;
    std::map<std::uint16_t, std::string> options;
  };
  std::map<std::uint16_t, std::string> section;
  std::vector<Interface> interfaces;
  std::vector<Packet> packets;

  /// A block that is not whole fails the test.
  static PcapngContents read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    PcapngContents contents;
    for (std::size_t at = 0; at < all.size();) {
      const auto length = at + 12 <= all.size() ? word(all, at + 4) : 0;
      if (length < 12 || length % 4 || at + length > all.size() || word(all, at + length - 4) != length) {
        ADD_FAILURE() << "no whole block at " << at << " of " << all.size();
        break;
      }
      contents.add(word(all, at), all.substr(at + 8, length - 12));
      at += length;
    }
    return contents;
  }
  const std::string& name(const Packet& packet) const { return interfaces.at(packet.interface).options.at(2); }

 private:
  static std::uint32_t word(const std::string& bytes, std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
  }
  static std::map<std::uint16_t, std::string> options(const std::string& body, std::size_t at) {
    std::map<std::uint16_t, std::string> all;
    while (at + 4 <= body.size()) {
      const std::uint32_t head = word(body, at);
      const std::size_t length = head >> 16;
      if ((head & 0xffff) == 0) break;
      all[static_cast<std::uint16_t>(head)] = body.substr(at + 4, length);
      at += 4 + (length + 3) / 4 * 4;
    }
    return all;
  }
  void add(std::uint32_t type, const std::string& body) {
    if (type == 0x0a0d0d0a) {
      EXPECT_EQ(word(body, 0), 0x1a2b3c4du);
      section = options(body, 16);
    } else if (type == 1) {
      interfaces.push_back({static_cast<std::uint16_t>(word(body, 0)), word(body, 4), options(body, 8)});
    } else if (type == 6) {
      const std::size_t kept = word(body, 12);
      packets.push_back({word(body, 0), word(body, 16), std::uint64_t{word(body, 4)} << 32 | word(body, 8),
                         body.substr(20, kept), options(body, 20 + (kept + 3) / 4 * 4)});
    } else {
      ADD_FAILURE() << "block type " << type;
    }
  }
};

}  // namespace sluice::capture
