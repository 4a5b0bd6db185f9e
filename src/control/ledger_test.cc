// SPDX-License-Identifier: Apache-2.0
#include "control/ledger.h"

#include <gtest/gtest.h>

#include "control/fruit_service.h"
#include "control/startup.h"

namespace sluice::control {
namespace {

using Origin = CallContext::Origin;

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() : grammar_(*google::protobuf::MessageFactory::generated_factory()) {
    fruit_.offer(api_);
    EXPECT_TRUE(add_services(grammar_, api_).ok());
    dispatcher_.on_change([this](const Api::Method& method, const google::protobuf::Message& request,
                                 CallContext& call) { return ledger_.changed(method, request, call); });
    ledger_.write_to([this](const std::vector<JournalRecord>& records) {
      for (const auto& r : records) written_ += (r.method().empty() ? " -" : " +") + r.object();
      return written_status_;
    });
  }
  /// "ok" or the error.
  std::string run(const std::string& line, Origin origin = Origin::Socket) {
    Command command;
    LineError error;
    if (!grammar_.parse(line, {}, command, error)) return text(error);
    const auto* method = api_.find("/sluice.test.Fruit/" + command.method->name());
    const std::unique_ptr<google::protobuf::Message> reply(method->reply->New());
    CallContext call(origin);
    const auto status = dispatcher_.call(*method, *command.request, *reply, call);
    return status.ok() ? "ok" : text(status);
  }
  std::string configuration() const {
    std::string all;
    for (const auto& record : ledger_.records()) {
      if (record.masks()) continue;
      const auto* method = api_.find(record.method());
      const std::unique_ptr<google::protobuf::Message> request(method->request->New());
      EXPECT_TRUE(request->ParseFromString(record.request()));
      all += grammar_.command_line(*method->descriptor, *request, false).value_or("?") + "\n";
    }
    return all;
  }

  test::FruitService fruit_;
  Api api_;
  Dispatcher dispatcher_{api_};
  Ledger ledger_{api_};
  Grammar grammar_;
  std::string written_;
  Status written_status_;
};

TEST_F(LedgerTest, SaysChangesAsCommandsInTheirOrder) {
  ASSERT_EQ(run("add fruit pear 2 tags sweet,soft note from the old garden"), "ok");
  ASSERT_EQ(run("add fruit apple 3 ripe colour red"), "ok");
  EXPECT_EQ(configuration(),
            "add fruit pear 2 tags sweet,soft note from the old garden\nadd fruit apple 3 colour red ripe\n");
  EXPECT_EQ(written_, " +fruit/pear +fruit/apple");
}

TEST_F(LedgerTest, KeepsValuesThatLookLikeWordsOrNeedQuotes) {
  ASSERT_EQ(run("add fruit \"ripe\" 1 price 9 note \"it's # 1\""), "ok");
  EXPECT_EQ(configuration(), "add fruit \"ripe\" 1 price 9 note \"it's # 1\"\n");
}

TEST_F(LedgerTest, SaysRepeatedElementsAndSettings) {
  ASSERT_EQ(run("walk home via mill weight 2 via bridge"), "ok");
  ASSERT_EQ(run("work apple peeler width 3 spiral"), "ok");
  EXPECT_EQ(configuration(), "walk home via mill weight 2 via bridge\nwork apple peeler width 3 spiral\n");
}

TEST_F(LedgerTest, ForgetsWhatIsRemoved) {
  ASSERT_EQ(run("add fruit pear 2"), "ok");
  ASSERT_EQ(run("remove fruit pear"), "ok");
  EXPECT_EQ(configuration(), "");
  EXPECT_EQ(ledger_.size(), 0u);
  EXPECT_EQ(written_, " +fruit/pear -fruit/pear");
}

TEST_F(LedgerTest, NotesNothingForTheSameCommandTwice) {
  ASSERT_EQ(run("add fruit pear 2"), "ok");
  ASSERT_EQ(run("add fruit pear 2"), "ok");
  EXPECT_EQ(written_, " +fruit/pear");
}

TEST_F(LedgerTest, RepeatsTheRemovalOfWhatStartupMakes) {
  ASSERT_EQ(run("add fruit pear 2", Origin::Startup), "ok");
  ASSERT_EQ(run("remove fruit pear"), "ok");
  EXPECT_EQ(configuration(), "");
  ASSERT_EQ(ledger_.records().size(), 1u);
  EXPECT_TRUE(ledger_.records()[0].masks());
  EXPECT_EQ(ledger_.records()[0].method(), "/sluice.test.Fruit/Remove");
  ASSERT_EQ(run("add fruit pear 5"), "ok");
  EXPECT_EQ(configuration(), "add fruit pear 5\n");
  EXPECT_EQ(ledger_.records().size(), 2u);
}

TEST_F(LedgerTest, TellsTheClientWhatTheJournalSays) {
  written_status_ = unavailable("the disk is full");
  EXPECT_NE(run("add fruit pear 2").find("the disk is full"), std::string::npos);
  EXPECT_EQ(configuration(), "add fruit pear 2\n");
}

TEST_F(LedgerTest, NotesNothingOnceItIsDetached) {
  ASSERT_EQ(run("add fruit pear 2"), "ok");
  ledger_.detach();
  ASSERT_EQ(run("remove fruit pear"), "ok");
  EXPECT_EQ(configuration(), "add fruit pear 2\n");
}

TEST_F(LedgerTest, NotesWhatABatchChangedThingByThingAndWritesItAtOnce) {
  test::Crate crate;
  for (const char* name : {"apple", "pear"}) {
    crate.add_fruit()->set_name(name);
    crate.mutable_fruit(crate.fruit_size() - 1)->set_count(2);
  }
  test::CrateReply reply;
  CallContext call;
  int writes = 0;
  ledger_.write_to([&](const std::vector<JournalRecord>& records) {
    ++writes;
    for (const auto& r : records) written_ += " +" + r.object();
    return Status();
  });
  const auto& method = *api_.find("/sluice.test.Crates/Add");
  ASSERT_TRUE(dispatcher_.call(method, crate, reply, call).ok());
  EXPECT_EQ(writes, 1);
  EXPECT_EQ(written_, " +fruit/apple +fruit/pear");
  ASSERT_TRUE(dispatcher_.call(method, crate, reply, call).ok());
  EXPECT_EQ(writes, 1) << "all of it was there";
  ASSERT_EQ(run("remove fruit apple"), "ok");
  EXPECT_EQ(configuration(), "add fruit pear 2\n");
}

}  // namespace
}  // namespace sluice::control
