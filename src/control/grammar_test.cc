// SPDX-License-Identifier: Apache-2.0
#include "control/grammar.h"

#include <gtest/gtest.h>

#include "control/control.pb.h"
#include "control/matcher.h"
#include "control/test.pb.h"
#include "control/trace.pb.h"
#include "control/values.h"
#include "interface/interface.pb.h"

namespace sluice::control {
namespace {

using test::FruitSpec;

class GrammarTest : public testing::Test {
 protected:
  GrammarTest() : grammar_(*google::protobuf::MessageFactory::generated_factory()) {
    const auto* service = FruitSpec::descriptor()->file()->service(0);
    const auto status = grammar_.add(*service);
    EXPECT_TRUE(status.ok()) << sluice::text(status);
  }

  std::string parse(std::string_view line, bool typed = false) {
    Command command;
    LineError error;
    if (!grammar_.parse(line, {.prefixes = typed}, command, error)) return text(error);
    if (!command.method) return "nothing";
    auto result = command.method->name() + " " + command.request->ShortDebugString();
    if (const auto verbs = command.verbs->ShortDebugString(); !verbs.empty()) result += " | " + verbs;
    return result;
  }

  Grammar grammar_;
};

TEST_F(GrammarTest, TakesPositionalsThenKeywordsInAnyOrder) {
  EXPECT_EQ(parse("add fruit apple 3"), "Add name: \"apple\" count: 3");
  const auto expected = "Add name: \"apple\" count: 3 colour: \"red\" ripe: true price: 9";
  EXPECT_EQ(parse("add fruit apple 3 colour red ripe price 9"), expected);
  EXPECT_EQ(parse("add fruit apple 3 price 9 ripe colour red"), expected);
}

TEST_F(GrammarTest, TakesListsAndTheRestOfTheLine) {
  EXPECT_EQ(parse("add fruit apple 3 tags a,b,c"), "Add name: \"apple\" count: 3 tags: \"a\" tags: \"b\" tags: \"c\"");
  EXPECT_EQ(parse("add fruit apple 3 note from  the 'old' garden # said he"),
            "Add name: \"apple\" count: 3 note: \"from the old garden\"");
}

TEST_F(GrammarTest, TakesAFlowAsPeopleWriteIt) {
  ASSERT_TRUE(grammar_.add(*trace::FlowTrace::descriptor()->file()->service(0)).ok());
  const auto expected =
      "TraceFlow protocol: \"tcp\" source: \"10.1.0.5:*\" destination: \"[2001:db8::1]:80\" count: 3 time: 2000";
  EXPECT_EQ(parse("trace flow tcp 10.1.0.5:* > [2001:db8::1]:80 count 3 for 2s"), expected);
  EXPECT_EQ(parse("tr fl tcp 10.1.0.5:* > [2001:db8::1]:80 for 2000ms co 3", true), expected);
  EXPECT_EQ(parse("trace flow tcp 10.1.0.5:*"), "column 26: the line ends; expected >");
  EXPECT_EQ(parse("trace flow tcp 10.1.0.5:* 10.1.0.6:80"), "column 27: \"10.1.0.6:80\": expected >");
  EXPECT_EQ(grammar_.faults(), std::vector<std::string>());
}

TEST_F(GrammarTest, FormsOfOneMethodSetTheirOwnFields) {
  EXPECT_EQ(parse("show citrus"), "Show family: CITRUS");
  EXPECT_EQ(parse("show fruit apple"), "Show name: \"apple\"");
}

TEST_F(GrammarTest, AClauseMayRepeatWithAnElementEach) {
  EXPECT_EQ(parse("walk home via mill weight 2 via bridge"),
            "Walk start: \"home\" step { place: \"mill\" weight: 2 } step { place: \"bridge\" }");
  EXPECT_EQ(parse("walk home"), "Walk start: \"home\"");
}

TEST_F(GrammarTest, TakesTheSettingsOfWhatWasNamed) {
  grammar_.add_settings("peeler", *test::PeelerSettings::descriptor());
  EXPECT_EQ(parse("work apple peeler width 3 spiral skip a,b"),
            "Work fruit: \"apple\" tool: \"peeler\" settings { "
            "[type.googleapis.com/sluice.test.PeelerSettings] { width: 3 spiral: true skip: \"a\" skip: \"b\" } }");
  EXPECT_EQ(parse("work apple peeler width 12"), "column 25: width 12: must be 1 to 9 mm");
  EXPECT_EQ(parse("work apple peeler depth 1"), "column 19: \"depth\": expected width, spiral or skip");
  EXPECT_EQ(parse("work apple knife width 3"), "column 18: \"width\": the command ends before it");
}

TEST_F(GrammarTest, EveryListTakesTheListVerbs) {
  EXPECT_EQ(parse("show fruit match a* sort -count top 5 columns name,count"),
            "Show  | match: \"a*\" sort: \"-count\" top: 5 columns: \"name\" columns: \"count\"");
}

TEST_F(GrammarTest, TakesUnambiguousBeginningsWhenTypedOnly) {
  EXPECT_EQ(parse("sh fr", true), "Show ");
  EXPECT_EQ(parse("ad fr apple 3 ri", true), "Add name: \"apple\" count: 3 ripe: true");
  EXPECT_EQ(parse("sh fr"), "column 1: \"sh\": expected add, remove, show, count, work or walk; did you mean show?");
  EXPECT_EQ(parse("add fruit a 3 p 5", true), "Add name: \"a\" count: 3 price: 5");
}

TEST_F(GrammarTest, ABeginningOfSeveralWordsIsRefused) {
  EXPECT_EQ(parse("show fruit apple to 3", true).substr(0, 20), "Show name: \"apple\" |");
  EXPECT_EQ(parse("add fruit a 3 no x", true), "Add name: \"a\" count: 3 note: \"x\"");
  EXPECT_EQ(parse("s", true), "column 2: the line ends; expected fruit or citrus");
}

TEST_F(GrammarTest, AQuotedWordIsNeverAKeyword) {
  EXPECT_EQ(parse("show fruit \"match\""), "Show name: \"match\"");
  EXPECT_EQ(parse("\"show\" fruit"), "column 1: \"show\": expected add, remove, show, count, work or walk");
}

TEST_F(GrammarTest, SaysWhereAndWhatWasExpected) {
  EXPECT_EQ(parse("add fruit apple many"), "column 17: \"many\": expected COUNT (a number, 1 to 1000)");
  EXPECT_EQ(parse("add fruit apple 2000"), "column 17: count 2000: must be 1 to 1000");
  EXPECT_EQ(parse("add fruit apple 99999999999999999999"), "column 17: count 99999999999999999999: must be 1 to 1000");
  EXPECT_EQ(parse("add fruit"),
            "column 10: the line ends; expected NAME (a name of letters, digits and -_./ (at most 63))");
  EXPECT_EQ(parse("remove fruit apple pear"), "column 20: \"pear\": the command ends before it");
  EXPECT_EQ(parse("add fruit apple 3 color red"),
            "column 19: \"color\": expected colour, tags, ripe, price or note; did you mean colour?");
  EXPECT_EQ(parse("add fruit apple 3 ripe ripe"), "column 24: \"ripe\": expected colour, tags, price or note");
  EXPECT_EQ(parse("add fruit 'apple"), "column 11: the quote ' is never closed");
  EXPECT_EQ(parse("add\x01"), "column 4: control character 0x01");
  EXPECT_EQ(parse(""), "nothing");
  EXPECT_EQ(parse("   # only a comment"), "nothing");
}

TEST_F(GrammarTest, ALineThatIsTooLongIsRefused) {
  EXPECT_EQ(parse(std::string(kLineMax + 1, 'a')),
            "column 16385: the line has 16385 characters, at most 16384 are allowed");
}

TEST_F(GrammarTest, ADurationIsCountedInTheFieldsUnit) {
  EXPECT_EQ(parse("count 3 every 2s"), "Count limit: 3 every: 2000");
  EXPECT_EQ(parse("count 3 every 20"), "Count limit: 3 every: 20");
  EXPECT_EQ(parse("count 3 every 2us"), "column 15: \"2us\": expected EVERY (a time (10s, 500ms), 0 to 4294967295 ms)");
}

TEST_F(GrammarTest, SaysWhatMayComeNext) {
  const auto names = [&](std::string_view line) {
    std::string all;
    for (const auto& expected : grammar_.expect(line, {.prefixes = true}).expected) all += text(expected) + ",";
    return all;
  };
  EXPECT_EQ(names("remove "), "fruit,");
  EXPECT_EQ(names("remove fruit "), "NAME (a known fruit),");
  const auto half = grammar_.expect("add fruit apple 3 co", {});
  EXPECT_EQ(half.partial, "co");
  EXPECT_EQ(half.begin, 18u);
  EXPECT_TRUE(half.complete);
  ASSERT_NE(half.arguments, nullptr);
  EXPECT_EQ(half.arguments->ShortDebugString(), "name: \"apple\" count: 3");
}

TEST_F(GrammarTest, FindsNoFaultInTheTestService) { EXPECT_EQ(grammar_.faults(), std::vector<std::string>()); }

TEST_F(GrammarTest, FindsFormsThatAcceptTheSameLine) {
  ASSERT_TRUE(grammar_.add(*FruitSpec::descriptor()->file()->service(0)).ok());
  const auto faults = grammar_.faults();
  ASSERT_FALSE(faults.empty());
  EXPECT_NE(faults.front().find("is ambiguous"), std::string::npos) << faults.front();
}

TEST(Syntax, RefusesWhatIsMalformedWithItsPlace) {
  const auto fault = [](std::string_view syntax) {
    return sluice::text(parse_syntax(*FruitSpec::descriptor(), syntax).status());
  };
  EXPECT_EQ(fault("add {fruit}"), "syntax \"add {fruit}\" column 5: the request has no such field");
  EXPECT_EQ(fault("add {name"), "syntax \"add {name\" column 5: a { is not closed");
  EXPECT_EQ(fault("add [{name}"), "syntax \"add [{name}\" column 12: a [ is not closed");
  EXPECT_EQ(fault("add ]"), "syntax \"add ]\" column 5: a ] without its [");
  EXPECT_EQ(fault("{name} add"), "syntax \"{name} add\" column 11: the first thing must be a word");
  EXPECT_EQ(fault("add []"), "syntax \"add []\" column 6: an empty [ ]");
  EXPECT_EQ(fault("add {name,}"), "syntax \"add {name,}\" column 5: {x,} needs a repeated field");
  EXPECT_EQ(fault("add [colour {colour}] {name}"),
            "syntax \"add [colour {colour}] {name}\" column 29: a positional stands behind a clause");
}

TEST(Syntax, KeepsAMarkBetweenValuesInItsPlace) {
  const auto sequence = parse_syntax(*FruitSpec::descriptor(), "swap {name} > {colour} [count {count}]");
  ASSERT_TRUE(sequence.ok()) << sluice::text(sequence.status());
  ASSERT_EQ(sequence->fixed.size(), 4u);
  EXPECT_EQ(sequence->fixed[2].kind, Item::Kind::Word);
  EXPECT_EQ(sequence->fixed[2].word, ">");
  EXPECT_EQ(sequence->clauses.size(), 1u);
  std::deque<Form> forms;
  forms.push_back({FruitSpec::descriptor()->file()->service(0)->method(0), {}, {}, *sequence});
  const auto read = [&](std::string_view line) -> std::string {
    const SettingsMap settings;
    const ParseOptions options{.prefixes = true};
    Matcher matcher(forms, settings, options);
    std::vector<Token> tokens;
    LineError error;
    if (!tokenize(line, tokens, error)) return text(error);
    for (std::size_t i = 0; i < tokens.size();) {
      if (!matcher.take(tokens, i, error)) return text(error);
    }
    return matcher.accepted() ? "" : matcher.expected_text();
  };
  EXPECT_EQ(read("swap apple > red co 2"), "");
  EXPECT_EQ(read("swap apple > >"), "");
  EXPECT_EQ(read("swap apple"), ">");
  EXPECT_EQ(read("swap apple count 2 > red"), "column 12: \"count\": expected >");
  EXPECT_EQ(read("swap apple \">\" red"), "column 12: \">\": expected >");
}

TEST(CheckRules, FillsDefaultsAndRefusesWhatIsMissing) {
  FruitSpec fruit;
  EXPECT_EQ(sluice::text(check_rules(fruit, {})),
            "name: is missing; must be a name of letters, digits and -_./ (at most 63)");
  fruit.set_name("apple");
  EXPECT_EQ(sluice::text(check_rules(fruit, {})), "count 0: must be 1 to 1000");
  fruit.set_count(3);
  EXPECT_TRUE(check_rules(fruit, {}).ok());
  EXPECT_EQ(fruit.price(), 7u);
  fruit.set_name("an apple");
  EXPECT_EQ(sluice::text(check_rules(fruit, {})),
            "name an apple: must be a name of letters, digits and -_./ (at most 63)");
}

TEST(CheckRules, TakesOffAndTheFirstEnumeratorForAnswers) {
  interface::StateRequest down;
  down.set_name("null0");
  EXPECT_TRUE(check_rules(down, {}).ok()) << sluice::text(check_rules(down, {}));
  interface::RxModeRequest adaptive;
  adaptive.set_name("null0");
  EXPECT_TRUE(check_rules(adaptive, {}).ok()) << sluice::text(check_rules(adaptive, {}));
}

TEST(CheckRules, LooksIntoNestedMessages) {
  test::WalkSpec walk;
  walk.set_start("home");
  walk.add_step()->set_place("mill");
  EXPECT_TRUE(check_rules(walk, {}).ok());
  EXPECT_EQ(walk.step(0).weight(), 1u);
  walk.mutable_step(0)->set_weight(300);
  EXPECT_EQ(sluice::text(check_rules(walk, {})), "weight 300: must be 1 to 255");
}

TEST(CheckRules, AsksForKindsThatAreNotBuiltIn) {
  test::FruitName name;
  name.set_name("plum");
  const auto status = check_rules(name, [](const auto&, std::string_view kind, std::string_view value) {
    return refused("{} {}: is not here", kind, value);
  });
  EXPECT_EQ(sluice::text(status), "fruit plum: is not here");
}

}  // namespace
}  // namespace sluice::control
