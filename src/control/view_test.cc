// SPDX-License-Identifier: Apache-2.0
#include "control/view.h"

#include <gtest/gtest.h>

#include "control/json.h"
#include "control/table.h"
#include "control/test.pb.h"

namespace sluice::control {
namespace {

using test::CountReply;
using test::FruitSpec;

std::string show(const std::vector<FruitSpec>& rows, const ListVerbs& verbs = {}, std::size_t width = 0) {
  std::string out;
  auto view = View::make(*FruitSpec::descriptor(), true, verbs, width, [&](std::string_view text) { out += text; });
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
  EXPECT_EQ(show({fruit("apple", 3), fruit("a-very-long-name-indeed", 1000)},
                 [] {
                   ListVerbs verbs;
                   verbs.add_columns("name");
                   verbs.add_columns("count");
                   return verbs;
                 }()),
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
