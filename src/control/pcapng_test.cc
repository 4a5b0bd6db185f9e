// SPDX-License-Identifier: Apache-2.0
#include "control/pcapng.h"

#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>

#include "control/pcapng_fixture.h"
#include "sluice/testing/temp_folder.h"

namespace sluice::capture {
namespace {

class PcapngTest : public ::testing::Test {
 protected:
  PcapngFile create(bool overwrite = false) {
    auto file = PcapngFile::create(path, overwrite, "a test");
    EXPECT_TRUE(file.ok()) << text(file.status());
    return *std::move(file);
  }
  static PcapngFile::Packet packet(const std::string& bytes, std::uint32_t interface = 0) {
    return {.interface = interface,
            .wall_ns = 1'700'000'000'123'456'789,
            .bytes = std::as_bytes(std::span(bytes)),
            .length = static_cast<std::uint32_t>(bytes.size())};
  }
  testing::TempFolder folder;
  const std::string path = folder.file("a.pcapng");
};

TEST_F(PcapngTest, WritesWhatAParserFindsAgain) {
  {
    auto file = create();
    EXPECT_EQ(file.add_interface({.name = "pod/web", .link = LinkLayer::Ip, .snap = 96}), 0u);
    EXPECT_EQ(file.add_interface({.name = "eth1", .link = LinkLayer::Ethernet, .snap = 96}), 1u);
    const std::string bytes = "abcde";
    auto dropped = packet(bytes);
    dropped.length = 1500;
    dropped.direction = PcapngFile::Direction::Inbound;
    dropped.comment = "drop ip4-lookup no-route: nobody knows";
    file.add_packet(dropped);
    file.add_packet(packet("", 1));
    EXPECT_TRUE(file.flush().ok());
    EXPECT_EQ(file.size(), std::filesystem::file_size(path));
  }
  const auto contents = PcapngContents::read(path);
  EXPECT_EQ(contents.section.at(4), "a test");
  ASSERT_EQ(contents.interfaces.size(), 2u);
  EXPECT_EQ(contents.interfaces[0].options.at(2), "pod/web");
  EXPECT_EQ(contents.interfaces[0].link, DLT_RAW);
  EXPECT_EQ(contents.interfaces[0].snap, 96u);
  EXPECT_EQ(contents.interfaces[0].options.at(9), "\x09");
  EXPECT_EQ(contents.interfaces[1].link, 1);
  ASSERT_EQ(contents.packets.size(), 2u);
  EXPECT_EQ(contents.packets[0].bytes, "abcde");
  EXPECT_EQ(contents.packets[0].length, 1500u);
  EXPECT_EQ(contents.packets[0].time, 1'700'000'000'123'456'789u);
  EXPECT_EQ(contents.packets[0].options.at(1), "drop ip4-lookup no-route: nobody knows");
  EXPECT_EQ(contents.packets[0].options.at(2), std::string("\1\0\0\0", 4));
  EXPECT_EQ(contents.name(contents.packets[1]), "eth1");
  EXPECT_EQ(contents.packets[1].bytes, "");
}

TEST_F(PcapngTest, IsReadByLibpcapToTheNanosecond) {
  std::vector<std::string> sent;
  {
    auto file = create();
    file.add_interface({.name = "eth1", .link = LinkLayer::Ethernet, .snap = 262144});
    for (std::size_t size = 1; size < 60; ++size) sent.emplace_back(size, static_cast<char>(size));
    sent.emplace_back(65000, 'x');
    for (const auto& bytes : sent) file.add_packet(packet(bytes));
    EXPECT_TRUE(file.flush().ok());
  }
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  pcap_t* handle = pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error.data());
  ASSERT_NE(handle, nullptr) << error.data();
  EXPECT_EQ(pcap_datalink(handle), DLT_EN10MB);
  pcap_pkthdr* header = nullptr;
  const unsigned char* data = nullptr;
  for (const auto& bytes : sent) {
    ASSERT_EQ(pcap_next_ex(handle, &header, &data), 1) << pcap_geterr(handle);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(data), header->caplen), bytes);
    EXPECT_EQ(header->ts.tv_sec, 1'700'000'000);
    EXPECT_EQ(header->ts.tv_usec, 123'456'789);
  }
  EXPECT_EQ(pcap_next_ex(handle, &header, &data), PCAP_ERROR_BREAK);
  pcap_close(handle);
}

TEST_F(PcapngTest, IsForItsOwnerAloneAndOverwritesWhenAskedOnly) {
  (void)create();
  struct stat there{};
  ASSERT_EQ(stat(path.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 07777, 0600u);
  const auto again = PcapngFile::create(path, false, "a test");
  EXPECT_TRUE(absl::IsAlreadyExists(again.status())) << text(again.status());
  EXPECT_NE(text(again.status()).find("overwrite"), std::string::npos);
  std::filesystem::permissions(path, std::filesystem::perms::all);
  (void)create(true);
  ASSERT_EQ(stat(path.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 07777, 0600u);
}

TEST_F(PcapngTest, TakesNothingThatIsNoFile) {
  EXPECT_FALSE(PcapngFile::create(folder.path(), true, "a test").ok());
  EXPECT_TRUE(absl::IsNotFound(PcapngFile::create(folder.file("no/such"), false, "a test").status()));
  std::filesystem::create_symlink("/tmp/elsewhere-of-a-test", path);
  EXPECT_FALSE(PcapngFile::create(path, false, "a test").ok());
  EXPECT_FALSE(PcapngFile::create(path, true, "a test").ok()) << "through a link";
}

TEST_F(PcapngTest, TakesBackWhatIsNotWritten) {
  auto file = create();
  file.add_interface({.name = "eth1", .link = LinkLayer::Ethernet, .snap = 96});
  file.add_packet(packet("first"));
  const auto before = file.size();
  file.add_packet(packet("second"));
  file.cut(before);
  EXPECT_TRUE(file.flush().ok());
  EXPECT_EQ(PcapngContents::read(path).packets.size(), 1u);
}

TEST_F(PcapngTest, IsWholeWhenTheDiskIsFull) {
  auto file = create();
  file.add_interface({.name = "eth1", .link = LinkLayer::Ethernet, .snap = 96});
  file.add_packet(packet("first"));
  ASSERT_TRUE(file.flush().ok());
  // No file of this process may grow: the kernel writes what fits and refuses the rest.
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit tight = before;
  tight.rlim_cur = file.size() + 40;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  file.add_packet(packet(std::string(100, 'x')));
  const Status status = file.flush();
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  EXPECT_NE(text(status).find(path), std::string::npos) << text(status);
  EXPECT_EQ(file.size(), std::filesystem::file_size(path));
  EXPECT_EQ(PcapngContents::read(path).packets.size(), 1u);
}

}  // namespace
}  // namespace sluice::capture
