// SPDX-License-Identifier: Apache-2.0
#include "control/view.h"

#include <gtest/gtest.h>

#include <sstream>

#include "control/json.h"
#include "control/table.h"
#include "control/test.pb.h"
#include "control/text_width.h"

namespace sluice::control {
namespace {

using test::CountReply;
using test::FruitSpec;

std::string show(const std::vector<FruitSpec>& rows, const ListVerbs& verbs = {}, std::size_t width = 0,
                 const Rates* rates = nullptr) {
  std::string out;
  auto view =
      View::make(*FruitSpec::descriptor(), true, verbs, width, [&](std::string_view text) { out += text; }, rates);
  if (!view.ok()) return text(view.status());
  for (const auto& row : rows) (*view)->add(row);
  (*view)->finish();
  return out;
}

FruitSpec fruit(const std::string& name, std::uint32_t count) {
  FruitSpec spec;
  spec.set_name(name);
  spec.set_count(count);
  return spec;
}

ListVerbs columns(std::initializer_list<const char*> names) {
  ListVerbs verbs;
  for (const auto* name : names) verbs.add_columns(name);
  return verbs;
}

TEST(Scaled, KeepsThreeDigitsAndTheUnit) {
  EXPECT_EQ(scaled(99'999, "packets"), "99999");
  EXPECT_EQ(scaled(100'000, "packets"), "100k");
  EXPECT_EQ(scaled(1'234'567, "packets"), "1.23M");
  EXPECT_EQ(scaled(1.8e19, "packets"), "18000P");
  EXPECT_EQ(scaled(9'999, "bytes"), "9999");
  EXPECT_EQ(scaled(65'536, "bytes"), "64.0K");
  EXPECT_EQ(scaled(12.345, "percent"), "12.3%");
  EXPECT_EQ(scaled(950, "ns"), "950ns");
  EXPECT_EQ(scaled(1'500, "ns"), "1.5us");
  EXPECT_EQ(scaled(2'000'000, "us"), "2s");
  EXPECT_EQ(scaled(3'725, "s"), "1h02m");
  EXPECT_EQ(scaled(200'000, "s"), "2d07h");
}

TEST(Table, PutsNumbersToTheRightAndCutsNothingWithoutAWidth) {
  EXPECT_EQ(show({fruit("apple", 3), fruit("a-very-long-name-indeed", 1000)}, columns({"name", "count"})),
            "name                     count\n"
            "apple                        3\n"
            "a-very-long-name-indeed   1000\n");
}

TEST(Table, SaysWhenThereIsNothing) { EXPECT_EQ(show({}), "no fruit\n"); }

TEST(Table, SortsByNumberNotByText) {
  ListVerbs verbs;
  verbs.set_sort("count");
  verbs.add_columns("count");
  EXPECT_EQ(show({fruit("a", 10), fruit("b", 9), fruit("c", 100)}, verbs), "count\n    9\n   10\n  100\n");
  verbs.set_sort("-count");
  verbs.set_top(2);
  EXPECT_EQ(show({fruit("a", 10), fruit("b", 9), fruit("c", 100)}, verbs), "count\n  100\n   10\n");
}

TEST(Table, WritesALongListWhileItComes) {
  std::string out;
  ListVerbs verbs;
  verbs.add_columns("count");
  verbs.set_top(2500);
  auto view = View::make(*FruitSpec::descriptor(), true, verbs, 80, [&](std::string_view text) { out += text; });
  ASSERT_TRUE(view.ok());
  for (std::uint32_t i = 0; i < 2000; ++i) (*view)->add(fruit("x", i));
  const auto half = std::count(out.begin(), out.end(), '\n');
  EXPECT_EQ(half, 2001);
  for (std::uint32_t i = 0; i < 2000; ++i) (*view)->add(fruit("x", i));
  (*view)->finish();
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2501);
}

TEST(Table, LeavesOutTheLastColumnsThatDoNotFit) {
  EXPECT_EQ(show({fruit("apple", 3)}, {}, 30),
            "name   count  colour  tags\n"
            "apple      3\n"
            "no room for: ripe, price\n");
  EXPECT_EQ(show({fruit("apple", 3)}, {}, 5), "name\napple\nno r…\n");
}

TEST(Table, ANameKeepsItsBeginAndItsEnd) {
  EXPECT_EQ(show({fruit("pod/default/a-rather-long-name-7d9f", 3)}, columns({"name", "count"}), 30),
            "name                     count\n"
            "pod/default…g-name-7d9f      3\n");
}

TEST(Table, ATextInTheLastColumnGoesOnInTheNextLine) {
  auto apple = fruit("apple", 3);
  apple.set_note("one two three four five six seven eight");
  EXPECT_EQ(show({apple}, columns({"name", "note"}), 30),
            "name   note\n"
            "apple  one two three four five\n"
            "       six seven eight\n");
  apple.set_note(std::string(30, 'x').append(" y"));
  EXPECT_EQ(show({apple}, columns({"name", "note"}), 30),
            "name   note\napple  " + std::string(23, 'x') + "\n       " + std::string(7, 'x') + " y\n");
}

TEST(Table, NoLineIsLongerThanTheTerminal) {
  auto apple = fruit("pod/a-namespace-of-some-length/a-name-of-some-length-7d9f6c", 1000);
  apple.set_colour("ein grünlich schimmerndes Rot");
  apple.add_tags("many");
  apple.add_tags("words-without-a-blank-in-them");
  apple.set_price(18446744073709551615u);
  apple.set_note("Anything else that there is to say about it.");
  const auto all = columns({"name", "count", "price", "colour", "ripe", "tags", "note"});
  for (std::size_t width = 5; width < 200; ++width) {
    for (const auto& verbs : {ListVerbs(), all}) {
      std::istringstream lines(show({apple, fruit("fig", 1)}, verbs, width));
      for (std::string line; std::getline(lines, line);) EXPECT_LE(columns_of(line), width) << line;
    }
  }
}

TEST(Table, ShowsBesideACounterHowFastItRises) {
  auto before = fruit("apple", 3), now = before;
  before.set_price(7);
  now.set_price(27);
  Rates rates;
  rates.take({&before}, Rates::Clock::time_point());
  const auto verbs = columns({"name", "count", "price"});
  EXPECT_EQ(show({before}, verbs, 0, &rates), "name   count  price  price/s\napple      3      7\n")
      << "the copy that is shown is not the row that was taken";
  std::string out;
  auto view =
      View::make(*FruitSpec::descriptor(), true, verbs, 22, [&](std::string_view text) { out += text; }, &rates);
  ASSERT_TRUE(view.ok());
  rates.take({&now}, Rates::Clock::time_point() + std::chrono::seconds(2));
  (*view)->add(now);
  (*view)->finish();
  EXPECT_EQ(out, "name   count  price/s\napple      3       10\nno room for: price\n");
}

TEST(Matches, TakesAnythingForAStarWhereverItOccurs) {
  EXPECT_TRUE(matches("pod", "default/pod-1"));
  EXPECT_TRUE(matches("a*e", "an apple a day"));
  EXPECT_TRUE(matches("POD", "pod"));
  EXPECT_FALSE(matches("a*z", "an apple a day"));
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_FALSE(matches("x", ""));
  // Time must not explode with the number of stars.
  EXPECT_FALSE(matches("*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

TEST(FillLine, LeavesOutABracketWhoseFieldsAreEmpty) {
  CountReply reply;
  reply.set_number(3);
  EXPECT_EQ(fill_line("{number}[ is {text}].", reply), "3.");
  reply.set_text("three");
  EXPECT_EQ(fill_line("{number}[ is {text}].", reply), "3 is three.");
  EXPECT_EQ(fill_line("{unknown} {number", reply), " {number");
  EXPECT_EQ(fill_line("[{text", reply), "");
}

TEST(Json, KeepsZerosNumbersAndEscapes) {
  auto spec = fruit("ap\"ple\n\x01", 0);
  spec.set_price(18446744073709551615u);
  EXPECT_EQ(to_json(spec),
            "{\"name\": \"ap\\\"ple\\n\\u0001\", \"count\": 0, \"colour\": \"\", \"tags\": [], \"ripe\": false, "
            "\"price\": 18446744073709551615, \"note\": \"\"}");
  test::FruitQuery query;
  query.set_family(test::CITRUS);
  EXPECT_EQ(to_json(query), "{\"name\": \"\", \"family\": \"citrus\"}");
}

}  // namespace
}  // namespace sluice::control
