// SPDX-License-Identifier: Apache-2.0
#include "control/rates.h"

#include <gtest/gtest.h>

#include "control/control.pb.h"
#include "control/test.pb.h"

namespace sluice::control {
namespace {

using google::protobuf::FieldDescriptor;
using std::chrono::seconds;
using test::FruitSpec;

const FieldDescriptor& field(const char* name) { return *FruitSpec::descriptor()->FindFieldByName(name); }

FruitSpec fruit(const std::string& name, const std::string& colour, std::uint64_t price) {
  FruitSpec fruit;
  fruit.set_name(name);
  fruit.set_colour(colour);
  fruit.set_price(price);
  return fruit;
}

class RatesTest : public ::testing::Test {
 protected:
  /// The rates of a look at these rows, `later` than the one before.
  std::vector<std::optional<double>> look(std::vector<FruitSpec> rows, seconds later) {
    auto next = std::make_unique<std::vector<FruitSpec>>(std::move(rows));
    std::vector<const google::protobuf::Message*> pointers;
    for (const auto& row : *next) pointers.push_back(&row);
    now_ += later;
    rates_.take(pointers, now_);
    rows_ = std::move(next);
    std::vector<std::optional<double>> found;
    for (const auto& row : *rows_) found.push_back(rates_.of(row, field("price")));
    return found;
  }
  using Found = std::vector<std::optional<double>>;

  Rates rates_;
  Rates::Clock::time_point now_;
  std::unique_ptr<std::vector<FruitSpec>> rows_;
};

TEST(IsCounter, SaysWhatRises) {
  EXPECT_TRUE(is_counter(field("price")));
  EXPECT_FALSE(is_counter(field("count"))) << "32 bits";
  EXPECT_FALSE(is_counter(field("name")));
  EXPECT_FALSE(is_counter(*Version::descriptor()->FindFieldByName("uptime"))) << "a time";
  EXPECT_FALSE(is_counter(*Version::descriptor()->FindFieldByName("pid"))) << "exact";
}

TEST_F(RatesTest, AreKeptByTheRowsName) {
  EXPECT_EQ(look({fruit("apple", "", 10), fruit("pear", "", 20)}, seconds(1)), (Found{{}, {}}));
  EXPECT_EQ(look({fruit("pear", "red", 26), fruit("fig", "", 5), fruit("apple", "", 10)}, seconds(2)),
            (Found{3.0, {}, 0.0}));
  EXPECT_EQ(look({fruit("fig", "", 6)}, seconds(4)), (Found{0.25}));
}

TEST_F(RatesTest, ACounterThatGoesBackHasNone) {
  look({fruit("apple", "", 10)}, seconds(1));
  EXPECT_EQ(look({fruit("apple", "", 9)}, seconds(1)), (Found{{}}));
  EXPECT_EQ(look({fruit("apple", "", 10)}, seconds(1)), (Found{1.0}));
}

TEST_F(RatesTest, RowsOfOneNameAreToldApartByWhatFollows) {
  look({fruit("apple", "red", 10), fruit("apple", "green", 20)}, seconds(1));
  EXPECT_EQ(look({fruit("apple", "green", 21), fruit("apple", "red", 15)}, seconds(1)), (Found{1.0, 5.0}));
}

TEST_F(RatesTest, RowsThatAreTheSameAreToldApartByTheirPlace) {
  look({fruit("apple", "red", 10), fruit("apple", "red", 20)}, seconds(1));
  EXPECT_EQ(look({fruit("apple", "red", 11), fruit("apple", "red", 24)}, seconds(1)), (Found{1.0, 4.0}));
}

TEST_F(RatesTest, ForgetsAllAtOnce) {
  look({fruit("apple", "", 10)}, seconds(1));
  rates_.forget();
  EXPECT_EQ(look({fruit("apple", "", 20)}, seconds(1)), (Found{{}}));
  EXPECT_EQ(look({fruit("apple", "", 22)}, seconds(1)), (Found{2.0}));
}

TEST_F(RatesTest, AnEmptyLookIsALook) {
  EXPECT_EQ(look({}, seconds(1)), Found());
  EXPECT_EQ(look({fruit("apple", "", 20)}, seconds(1)), (Found{{}}));
  EXPECT_EQ(look({}, seconds(1)), Found());
}

}  // namespace
}  // namespace sluice::control
