// SPDX-License-Identifier: Apache-2.0
#include "control/selected_stream.h"

#include <gtest/gtest.h>

#include "control/test.pb.h"

namespace sluice::control {
namespace {

using test::CountReply;
using Step = AnyStream::Step;

/// 1 to `last`, with how far it has come.
Stream<CountReply> numbers(std::uint64_t last, std::uint64_t& made, Status end) {
  for (made = 1; made <= last; ++made) {
    CountReply reply;
    reply.set_number(made);
    reply.set_text(made % 2 ? "odd" : "even");
    co_yield reply;
  }
  co_yield end;
}

struct Selected {
  std::uint64_t made = 0;
  std::unique_ptr<SelectedStream> stream;
  int pauses = 0;

  Selected(const ListVerbs& verbs, std::uint64_t last, const Status& end = {}) {
    auto selection = Selection::make(*CountReply::descriptor(), verbs);
    EXPECT_TRUE(selection.ok());
    stream = std::make_unique<SelectedStream>(
        std::make_unique<detail::StreamHolder<CountReply>>(numbers(last, made, end)), *std::move(selection));
  }
  std::vector<std::uint64_t> rows() {
    std::vector<std::uint64_t> rows;
    while (true) {
      const auto step = stream->next();
      if (step == Step::End) return rows;
      pauses += step == Step::Pause;
      if (step == Step::Value) rows.push_back(static_cast<const CountReply&>(stream->value()).number());
    }
  }
};

ListVerbs verbs(const std::string& match, const std::string& sort, std::uint32_t top) {
  ListVerbs verbs;
  verbs.set_match(match);
  verbs.set_sort(sort);
  verbs.set_top(top);
  return verbs;
}

using Rows = std::vector<std::uint64_t>;

TEST(SelectedStream, SendsTheRowsThatMatch) { EXPECT_EQ(Selected(verbs("EVEN", "", 0), 7).rows(), (Rows{2, 4, 6})); }

TEST(SelectedStream, HoldsTheFirstRowsOfASortedList) {
  EXPECT_EQ(Selected(verbs("", "-number", 3), 5000).rows(), (Rows{5000, 4999, 4998}));
  EXPECT_EQ(Selected(verbs("", "number", 3), 5000).rows(), (Rows{1, 2, 3}));
  EXPECT_EQ(Selected(verbs("odd", "-number", 2), 100).rows(), (Rows{99, 97}));
  EXPECT_EQ(Selected(verbs("", "text", 3), 6).rows(), (Rows{2, 4, 6})) << "equal ones stay as they came";
  EXPECT_EQ(Selected(verbs("", "-number", 9), 2).rows(), (Rows{2, 1}));
  EXPECT_EQ(Selected(verbs("none", "-number", 9), 2).rows(), Rows());
}

TEST(SelectedStream, EndsAListWithItsLastWantedRow) {
  Selected selected(verbs("", "", 3), 1'000'000'000);
  EXPECT_EQ(selected.rows(), (Rows{1, 2, 3}));
  EXPECT_EQ(selected.made, 3u);
  EXPECT_TRUE(selected.stream->status().ok());
}

TEST(SelectedStream, HoldsNoMoreRowsThanItsBound) {
  constexpr std::uint32_t kMost = SelectedStream::kSortedRows;
  EXPECT_EQ(Selected(verbs("", "-number", kMost), 2 * kMost).rows().front(), 2 * kMost);
  const auto rows = Selected(verbs("", "-number", kMost + 1), 2 * kMost).rows();
  EXPECT_EQ(rows.size(), 2 * kMost) << "the client chooses and sorts";
  EXPECT_EQ(rows.front(), 1u);
}

TEST(SelectedStream, SaysHowTheListEnded) {
  for (const auto* sort : {"", "-number"}) {
    Selected selected(verbs("", sort, 5), 3, refused("the list is wrong"));
    selected.rows();
    EXPECT_EQ(text(selected.stream->status()), "the list is wrong");
  }
}

TEST(SelectedStream, LetsOthersRunWhileItSkipsRows) {
  Selected selected(verbs("none", "", 0), 10'000);
  EXPECT_EQ(selected.rows(), Rows());
  EXPECT_GT(selected.pauses, 100);
}

}  // namespace
}  // namespace sluice::control
