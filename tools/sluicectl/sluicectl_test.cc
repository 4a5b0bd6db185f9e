// SPDX-License-Identifier: Apache-2.0
// The program as a user has it, against a daemon with the test service.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>
#include <thread>

#include "control/fruit_service.h"
#include "control/test_client.h"
#include "sluice/testing/wait_for.h"

namespace sluice {
namespace {

struct Outcome {
  int status;
  std::string out;
  std::string error;
  bool operator==(const Outcome&) const = default;
};
std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << outcome.status << "\n--- out\n" << outcome.out << "--- error\n" << outcome.error;
}

class SluicectlTest : public ::testing::Test {
 protected:
  static std::string slurp(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// Runs it with arguments as a shell takes them.
  Outcome ctl_on(const std::string& socket, const std::string& arguments, const std::string& before = "") {
    const auto out = daemon_.folder.file("out"), error = daemon_.folder.file("error");
    const auto line = before + SLUICECTL " --socket " + socket + " " + arguments + " >" + out + " 2>" + error;
    const int status = std::system(line.c_str());
    return {WEXITSTATUS(status), slurp(out), slurp(error)};
  }
  Outcome ctl(const std::string& arguments, const std::string& before = "") {
    return ctl_on(daemon_.path(), arguments, before);
  }
  std::string write(const std::string& name, const std::string& text) {
    const auto path = daemon_.folder.file(name);
    std::ofstream(path) << text;
    return path;
  }

  test::FruitDaemon daemon_;
};

TEST_F(SluicectlTest, DoesWhatIsAskedAndSaysUnchangedTheSecondTime) {
  EXPECT_EQ(ctl("add fruit apple 3 colour red ripe"), (Outcome{0, "fruit apple added\n", ""}));
  EXPECT_EQ(ctl("add fruit apple 3 colour red ripe"), (Outcome{0, "unchanged\n", ""}));
  EXPECT_EQ(ctl("add fruit apple 4"),
            (Outcome{1, "", "sluicectl: fruit apple: is there already with other properties; nothing changed\n"}));
  EXPECT_EQ(ctl("--dry-run add fruit pear 4"), (Outcome{0, "fruit pear added\n", ""}));
  EXPECT_EQ(ctl("show fruit pear").status, 1);
}

TEST_F(SluicectlTest, TriesAgainWhileTheDaemonHasTooMuchToDo) {
  daemon_.halt();
  grpc::GenericStub stub(test::connect(daemon_.path()));
  test::FruitQuery query;
  test::FruitSpec fruit;
  // Calls that nobody waits for fill the queue, until one is turned away; then sluicectl is, too, until work goes on.
  for (auto code = grpc::StatusCode::OK; code != grpc::StatusCode::RESOURCE_EXHAUSTED;) {
    test::TestCall call;
    call.context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(5));
    call.start(stub, "/sluice.test.Fruit/Show", test::serialize(query));
    while (call.read(fruit)) {
    }
    code = call.finish().error_code();
  }
  auto outcome = std::async(std::launch::async, [this] { return ctl("add fruit apple 3"); });
  EXPECT_EQ(outcome.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  daemon_.run();
  EXPECT_EQ(outcome.get(), (Outcome{0, "fruit apple added\n", ""}));
}

TEST_F(SluicectlTest, ShowsATable) {
  ASSERT_EQ(ctl("add fruit apple 3 colour red ripe price 1234567").status, 0);
  ASSERT_EQ(ctl("add fruit quince 150 tags hard,sour").status, 0);
  EXPECT_EQ(ctl("sh fr").out,
            "name    count  colour  tags       ripe  price\n"
            "apple       3  red                yes   1.23M\n"
            "quince    150          hard,sour  no        7\n");
  EXPECT_EQ(ctl("show fruit sort -count top 1 columns name,count").out, "name    count\nquince    150\n");
  EXPECT_EQ(ctl("show fruit match SOUR columns name").out, "name\nquince\n");
  EXPECT_EQ(
      ctl("show fruit sort weight"),
      (Outcome{1, "",
               "sluicectl: sort weight: no such column; there are name, count, colour, tags, ripe, price, note\n"}));
}

TEST_F(SluicectlTest, FitsATableIntoTheColumnsThatThereAre) {
  ASSERT_EQ(ctl("add fruit a-fruit-with-quite-a-long-name-for-a-fruit 3 tags many,words,that,say,little").status, 0);
  const auto out = ctl("show fruit", "COLUMNS=60 ").out;
  EXPECT_EQ(out,
            "name                  count  colour  tags        ripe  price\n"
            "a-fruit-wi…r-a-fruit      3          many,word…  no        7\n");
}

TEST_F(SluicectlTest, WatchesAListUntilNobodyReads) {
  ASSERT_EQ(ctl("add fruit apple 3").status, 0);
  const auto out = ctl("--watch 0.1 show fruit columns name,price | head -n 7").out;
  ASSERT_EQ(std::count(out.begin(), out.end(), '\n'), 7) << out;
  const auto second = out.find("\n\n");
  EXPECT_NE(out.find("  show fruit columns name,price, every 0.1 s\nname   price  price/s\napple      7\n\n"),
            std::string::npos)
      << out;
  EXPECT_NE(out.find("\nname   price  price/s\napple      7        0\n", second), std::string::npos) << out;
}

TEST_F(SluicectlTest, WatchesOnlyWhatShowsSomething) {
  const Outcome refusal{1, "", "sluicectl: --watch: only commands that show something can be watched\n"};
  EXPECT_EQ(ctl("--watch 1 add fruit apple 3"), refusal);
  EXPECT_EQ(ctl("add fruit apple 3 --watch 1"), refusal);
  EXPECT_EQ(ctl("show fruit"), (Outcome{0, "no fruit\n", ""}));
  EXPECT_EQ(ctl("--watch 1 top").error, "sluicectl: --watch: top looks again and again by itself: top every 2\n");
}

TEST_F(SluicectlTest, AnotherDaemonMayNotKnowWhatTopLooksAt) {
  EXPECT_EQ(ctl("top"), (Outcome{1, "",
                                 "sluicectl: top: the daemon does not know sluice.runtime.Runtime.ShowThreads: "
                                 "it is of another version\n"}));
}

TEST_F(SluicectlTest, PrintsJson) {
  EXPECT_EQ(ctl("--json show fruit"), (Outcome{0, "[]\n", ""}));
  ASSERT_EQ(ctl("add fruit apple 3 tags a,b note \"say \\\"hi\\\"\"").status, 0);
  EXPECT_EQ(ctl("--json show fruit").out,
            "[\n{\"name\": \"apple\", \"count\": 3, \"colour\": \"\", \"tags\": [\"a\", \"b\"], \"ripe\": false, "
            "\"price\": 7, "
            "\"note\": \"say \\\"hi\\\"\"}\n]\n");
  EXPECT_EQ(ctl("-j add fruit pear 1").out, "{\"unchanged\": false, \"text\": \"fruit pear added\"}\n");
  ASSERT_EQ(ctl("add fruit fig 20").status, 0);
  EXPECT_EQ(ctl("-j show fruit sort -count top 2 columns count,name").out,
            "[\n{\"count\": 20, \"name\": \"fig\"},\n{\"count\": 3, \"name\": \"apple\"}\n]\n");
  EXPECT_EQ(ctl("-j show fruit match e top 1 columns name").out, "[\n{\"name\": \"apple\"}\n]\n");
  EXPECT_EQ(ctl("-j show fruit match nothing"), (Outcome{0, "[]\n", ""}));
  EXPECT_EQ(ctl("-j show fruit columns weight").status, 1);
  EXPECT_EQ(ctl("-j count 2").out, "[\n{\"number\": 1, \"text\": \"\"},\n{\"number\": 2, \"text\": \"\"}\n]\n");
}

TEST_F(SluicectlTest, ShowsATreeAndACard) {
  EXPECT_EQ(ctl("walk home via mill weight 2 via bridge").out, "home\n  mill weight 2\n  bridge weight 1\n");
  const auto version = ctl("show version").out;
  EXPECT_EQ(version.substr(0, 9), "version: ");
  EXPECT_NE(version.find("\nCPU level:  "), std::string::npos) << version;
}

TEST_F(SluicectlTest, SyntaxErrorsAreStatusTwo) {
  EXPECT_EQ(ctl("show froot"), (Outcome{2, "",
                                        "sluicectl: column 6: \"froot\": expected version, plugins, log, fruit, citrus "
                                        "or configuration; did you mean "
                                        "fruit?\n"}));
  EXPECT_EQ(ctl("--colour show fruit").status, 2);
  EXPECT_EQ(ctl("-f /nowhere").status, 2);
}

TEST_F(SluicectlTest, AnUnreachableDaemonIsStatusThree) {
  const auto outcome = ctl_on("/nowhere/api.sock", "show version");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.error.find("sluicectl: no daemon at /nowhere/api.sock: there is no such socket"), 0u)
      << outcome.error;
  EXPECT_NE(outcome.error.find("unit sluice.service: "), std::string::npos);
  EXPECT_NE(outcome.error.find("last log line: "), std::string::npos);
}

TEST_F(SluicectlTest, TheReadOnlySocketShowsAndRefusesChanges) {
  EXPECT_EQ(ctl_on(daemon_.read_only_path(), "show fruit"), (Outcome{0, "no fruit\n", ""}));
  const auto outcome = ctl_on(daemon_.read_only_path(), "add fruit apple 3");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.error.find("read-only socket; nothing changed"), std::string::npos);
}

TEST_F(SluicectlTest, AScriptIsParsedWholeAndStopsAtItsFirstRefusal) {
  const auto good = write("good.cmds", "# two fruits\nadd fruit apple 3\n\nadd fruit pear 4 # ripe soon\n");
  EXPECT_EQ(ctl("-f " + good), (Outcome{0, "fruit apple added\nfruit pear added\n", ""}));
  const auto wrong = write("wrong.cmds", "add fruit plum 3\nad fruit kiwi 4\n");
  EXPECT_EQ(ctl("-f " + wrong),
            (Outcome{2, "",
                     "sluicectl: " + wrong +
                         ":2:1: \"ad\": expected show, add, remove, count, work, walk, save or top; did you mean add?; "
                         "nothing has been run\n"}));
  const auto half = write("half.cmds", "add fruit plum 3\nadd fruit apple 9\nadd fruit kiwi 4\n");
  EXPECT_EQ(ctl("-f " + half), (Outcome{1, "fruit plum added\n",
                                        "sluicectl: " + half +
                                            ":2: fruit apple: is there already with other properties; "
                                            "nothing changed; 1 of 3 applied\n"}));
  EXPECT_EQ(ctl("show fruit columns name").out, "name\napple\npear\nplum\n");
}

TEST_F(SluicectlTest, ADaemonThatEndsDuringACallIsStatusThree) {
  auto said = std::async(std::launch::async, [&] { return ctl("count 1000000000 every 50"); });
  testing::wait_for([&] { return daemon_.fruit.counting() == 1; });
  daemon_.halt();
  daemon_.server.stop();
  EXPECT_EQ(said.get().status, 3);
}

TEST_F(SluicectlTest, AQuotedWordAtTheEndIsTheSameAsWithoutQuotes) {
  EXPECT_EQ(ctl("add fruit apple 3 note from 'the old garden'").status, 0);
  EXPECT_NE(ctl("--json show fruit").out.find("\"from the old garden\""), std::string::npos);
}

TEST_F(SluicectlTest, ReadsCommandsFromAPipe) {
  EXPECT_EQ(ctl("", "printf 'add fruit apple 3\\nadd fruit pear 4\\n' | ").out,
            "fruit apple added\nfruit pear added\n");
  EXPECT_EQ(ctl("", "printf 'add fruit fig 3\\nadd fruit apple 9\\nadd fruit kiwi 4\\n' | "),
            (Outcome{1, "fruit fig added\n",
                     "sluicectl: line 2: fruit apple: is there already with other properties; nothing changed\n"}));
}

TEST_F(SluicectlTest, RefusesAScriptThatIsNone) {
  const auto outcome = ctl("-f /tmp");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.error.find("sluicectl: /tmp: cannot be read: it is a directory"), 0u) << outcome.error;
  EXPECT_EQ(ctl("-f " + write("none.cmds", "") + " show fruit").status, 2);
}

TEST_F(SluicectlTest, SaysWhatMayComeNext) {
  ASSERT_EQ(ctl("add fruit apple 3").status, 0);
  EXPECT_EQ(ctl("'remove fruit ?'").out, "    apple               \n  NAME (a known fruit)  What it is called.\n");
  const auto out = ctl("'add fruit pear 3 c?'").out;
  EXPECT_EQ(out, "  <enter>\n  colour  Its colour.\n");
}

TEST_F(SluicectlTest, HelpListsTheFirstWords) {
  const auto out = ctl("help").out;
  EXPECT_TRUE(out.starts_with("  add     2 forms\n  count   Counts from one on\n")) << out;
  EXPECT_NE(out.find("\n  show    6 forms\n"), std::string::npos) << out;
}

TEST_F(SluicectlTest, AClosedPipeEndsALongList) { EXPECT_EQ(ctl("count 100000000 | head -n 2").out, "1\n2\n"); }

TEST_F(SluicectlTest, MakesTheCommandReference) {
  const auto out = ctl("--generate-docs").out;
  EXPECT_NE(out.find("### add fruit \n"), std::string::npos);
  EXPECT_NE(out.find("Puts fruit into the basket."), std::string::npos);
  EXPECT_NE(out.find("| `step.weight` | a number, 1 to 255 | How much it counts. Default 1. |"), std::string::npos);
}

}  // namespace
}  // namespace sluice
