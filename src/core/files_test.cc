// SPDX-License-Identifier: Apache-2.0
#include "sluice/files.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sluice {
namespace {

struct FilesTest : ::testing::Test {
  FilesTest() { std::filesystem::create_directory(folder); }
  ~FilesTest() override { std::filesystem::remove_all(folder); }
  std::string path(const char* name) const { return folder / name; }
  static std::string contents(const std::string& name) {
    std::ifstream in(name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::string wrong(const std::string& path, const char* kind) {
    return path + ": it is " + kind +
           ", and may have to be waited for; name a regular file, on a local disk or a tmpfs";
  }
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("sluice-files-" + std::to_string(getpid()));
};

TEST_F(FilesTest, WritesAndReadsARegularFile) {
  std::ofstream(path("a")) << "what was there before";
  {
    const auto file = open_to_write(path("a"));
    ASSERT_TRUE(file.ok()) << text(file.status());
    EXPECT_EQ(std::fputs("new", file->get()), 1);
  }
  EXPECT_EQ(contents(path("a")), "new");
  const auto file = open_to_read(path("a"));
  ASSERT_TRUE(file.ok()) << text(file.status());
  EXPECT_EQ(std::fgetc(file->get()), 'n');
}

TEST_F(FilesTest, DoesNotWaitForTheOtherEndOfAFifo) {
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(text(open_to_read(path("fifo")).status()), wrong(path("fifo"), "a FIFO"));
  EXPECT_EQ(text(open_to_write(path("fifo")).status()), wrong(path("fifo"), "a FIFO"));
}

TEST_F(FilesTest, RefusesFoldersSocketsAndDevices) {
  EXPECT_EQ(text(open_to_read(folder).status()), wrong(folder, "a folder"));
  EXPECT_FALSE(open_to_write(folder).ok());
  EXPECT_EQ(text(open_to_read("/dev/zero").status()), wrong("/dev/zero", "a device"));
  EXPECT_EQ(text(open_to_write("/dev/null").status()), wrong("/dev/null", "a device"));
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path("socket").copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(text(open_to_read(path("socket")).status()), wrong(path("socket"), "a socket"));
  close(fd);
}

TEST_F(FilesTest, SaysWhatIsMissing) {
  EXPECT_TRUE(absl::IsNotFound(open_to_read(path("none")).status()));
  EXPECT_EQ(text(open_to_read(path("none")).status()),
            path("none") + ": No such file or directory; give the path of another");
  EXPECT_TRUE(absl::IsNotFound(open_to_write(path("no/folder")).status()));
}

}  // namespace
}  // namespace sluice
