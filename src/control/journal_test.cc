// SPDX-License-Identifier: Apache-2.0
#include "control/journal.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "sluice/testing/temp_folder.h"

namespace sluice::control {
namespace {

class JournalTest : public ::testing::Test {
 protected:
  static JournalRecord record(const std::string& object, std::size_t size = 10) {
    JournalRecord r;
    r.set_object(object);
    r.set_method("/sluice.test.Fruit/Add");
    r.set_request(std::string(size, 'x'));
    return r;
  }
  static std::string objects(const Journal::Contents& contents) {
    std::string all;
    for (const auto& r : contents.records) all += (all.empty() ? "" : " ") + r.object();
    return all;
  }
  std::string bytes() const {
    std::ostringstream all;
    all << std::ifstream(path_, std::ios::binary).rdbuf();
    return all.str();
  }
  Journal::Contents parsed(const std::string& bytes) const {
    const auto contents = Journal::parse(bytes, path_);
    EXPECT_TRUE(contents.ok()) << text(contents.status());
    return contents.ok() ? *contents : Journal::Contents{};
  }

  const testing::TempFolder folder_;
  const std::string path_ = folder_.file("running");
};

TEST_F(JournalTest, GivesBackWhatWasWritten) {
  Journal journal(path_);
  ASSERT_TRUE(journal.rewrite({record("a")}).ok());
  ASSERT_TRUE(journal.append({record("b"), record("c", 100000)}).ok());
  EXPECT_EQ(journal.bytes(), std::filesystem::file_size(path_));
  const auto contents = Journal::read(path_);
  ASSERT_TRUE(contents.ok());
  EXPECT_EQ(objects(*contents), "a b c");
  EXPECT_FALSE(contents->torn);
  EXPECT_EQ(contents->damaged, 0u);
}

TEST_F(JournalTest, IsNobodyElsesToRead) {
  Journal journal(path_);
  ASSERT_TRUE(journal.rewrite({}).ok());
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(JournalTest, IsEmptyWhenThereIsNoFile) {
  const auto contents = Journal::read(path_);
  ASSERT_TRUE(contents.ok());
  EXPECT_TRUE(contents->records.empty());
}

TEST_F(JournalTest, DropsATornEndWhereverItWasTorn) {
  Journal journal(path_);
  ASSERT_TRUE(journal.rewrite({record("a")}).ok());
  const auto whole = bytes().size();
  ASSERT_TRUE(journal.append({record("b")}).ok());
  const auto all = bytes();
  for (std::size_t size = 0; size < all.size(); ++size) {
    const auto contents = parsed(all.substr(0, size));
    EXPECT_EQ(objects(contents), size < whole ? "" : "a") << size;
    EXPECT_EQ(contents.damaged, 0u) << size;
    const bool at_a_boundary = size == 0 || size == whole || size == std::string("sluice journal 1\n").size();
    EXPECT_EQ(contents.torn, !at_a_boundary) << size;
  }
}

TEST_F(JournalTest, PassesOverWhatIsDamagedAndSaysWhere) {
  Journal journal(path_);
  ASSERT_TRUE(journal.rewrite({record("a")}).ok());
  const auto begin = bytes().size();
  ASSERT_TRUE(journal.append({record("b")}).ok());
  const auto end = bytes().size();
  ASSERT_TRUE(journal.append({record("c")}).ok());
  for (std::size_t at = begin; at < end; ++at) {
    auto hurt = bytes();
    hurt[at] = static_cast<char>(hurt[at] ^ 0x40);
    const auto contents = parsed(hurt);
    EXPECT_EQ(objects(contents), "a c") << at;
    EXPECT_FALSE(contents.torn) << at;
    EXPECT_EQ(contents.first_damage, begin) << at;
    EXPECT_EQ(contents.damaged, end - begin) << at;
  }
}

TEST_F(JournalTest, RefusesAFileThatIsNone) {
  const auto contents = Journal::parse("create pod web\n", path_);
  ASSERT_FALSE(contents.ok());
  EXPECT_NE(text(contents.status()).find("is not a journal of this version"), std::string::npos);
}

TEST_F(JournalTest, KeepsTheOldFileWhenItCannotBeReplaced) {
  Journal journal(path_);
  ASSERT_TRUE(journal.rewrite({record("a")}).ok());
  std::filesystem::create_directory(path_ + ".new");
  const auto status = journal.rewrite({record("b")});
  ASSERT_FALSE(status.ok());
  EXPECT_NE(text(status).find(path_ + ".new"), std::string::npos);
  EXPECT_EQ(objects(parsed(bytes())), "a");
  ASSERT_TRUE(journal.append({record("c")}).ok());
  EXPECT_EQ(objects(parsed(bytes())), "a c");
}

}  // namespace
}  // namespace sluice::control
