// SPDX-License-Identifier: Apache-2.0
#include "sluice/api.h"

#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "control/test.pb.h"
#include "sluice/descriptor_comments.h"

namespace sluice {
namespace {

using test::CountQuery;
using test::CountReply;
using test::FruitName;
using test::FruitQuery;
using test::FruitSpec;
using test::WalkReply;
using test::WalkSpec;

struct Basket {
  Status add(const FruitSpec&, Done& done, CallContext& call) {
    done.set_text(call.dry_run() ? "would be added" : "added");
    return {};
  }
  Stream<FruitSpec> show(const FruitQuery&) {
    FruitSpec fruit;
    fruit.set_name("apple");
    co_yield fruit;
    co_yield refused("the rest has rotted");
    fruit.set_name("never seen");
    co_yield fruit;
  }
};

Stream<CountReply> count(const CountQuery& query, CallContext&) {
  for (std::uint64_t i = 1; i <= query.limit(); ++i) {
    co_yield Wait{std::chrono::milliseconds(5)};
    CountReply reply;
    reply.set_number(i);
    co_yield reply;
  }
}

Status nothing(const FruitName&, Done&) { return {}; }
Status walk(const WalkSpec&, WalkReply&) { return {}; }
Status work(const test::WorkSpec&, Done&) { return {}; }

void offer(Api& api, Basket& basket) {
  api.service("sluice.test.Fruit")
      .unary("Add", &basket, &Basket::add)
      .unary("Remove", &nothing)
      .stream("Show", &basket, &Basket::show)
      .stream("Count", &count)
      .unary("Walk", &walk)
      .unary("Work", &work);
}

TEST(Api, FindsAMethodByItsPathAndRunsIt) {
  Basket basket;
  Api api;
  offer(api, basket);
  ASSERT_TRUE(api.check().ok()) << text(api.check());
  const auto* add = api.find("/sluice.test.Fruit/Add");
  ASSERT_NE(add, nullptr);
  EXPECT_FALSE(add->read_only);
  FruitSpec request;
  Done done;
  CallContext dry(CallContext::Origin::Socket, true);
  EXPECT_TRUE(add->unary(request, done, dry).ok());
  EXPECT_EQ(done.text(), "would be added");
  EXPECT_EQ(api.find("/sluice.test.Fruit/Nothing"), nullptr);
}

TEST(Api, AStreamEndsAtItsFirstError) {
  Basket basket;
  Api api;
  offer(api, basket);
  const auto* show = api.find("/sluice.test.Fruit/Show");
  ASSERT_NE(show, nullptr);
  EXPECT_TRUE(show->read_only);
  FruitQuery query;
  CallContext call;
  auto stream = show->streaming(query, call);
  ASSERT_EQ(stream->next(), AnyStream::Step::Value);
  EXPECT_EQ(static_cast<const FruitSpec&>(stream->value()).name(), "apple");
  ASSERT_EQ(stream->next(), AnyStream::Step::End);
  EXPECT_EQ(text(stream->status()), "the rest has rotted");
  EXPECT_EQ(stream->next(), AnyStream::Step::End);
}

TEST(Api, AStreamThatWaitsSaysForHowLong) {
  Basket basket;
  Api api;
  offer(api, basket);
  CountQuery query;
  query.set_limit(1);
  CallContext call;
  auto stream = api.find("/sluice.test.Fruit/Count")->streaming(query, call);
  ASSERT_EQ(stream->next(), AnyStream::Step::Wait);
  EXPECT_EQ(stream->wait().count(), 5);
  ASSERT_EQ(stream->next(), AnyStream::Step::Value);
  ASSERT_EQ(stream->next(), AnyStream::Step::End);
  EXPECT_TRUE(stream->status().ok());
}

TEST(Api, RefusesToStartWithMethodsThatHaveNoHandler) {
  Api api;
  api.service("sluice.test.Fruit")
      .unary("Remove", &nothing)
      .stream("Count", &count)
      .unary("Walk", &walk)
      .unary("Work", &work);
  EXPECT_EQ(text(api.check()),
            "method sluice.test.Fruit.Add: has no handler\nmethod sluice.test.Fruit.Show: has no handler");
}

TEST(Api, RefusesWhatTheDeclarationDoesNotSay) {
  Api api;
  api.service("sluice.test.Vegetable");
  EXPECT_EQ(text(api.check()), "service sluice.test.Vegetable: no linked .proto file declares it");
  Api other;
  other.service("sluice.test.Fruit")
      .unary("Peel", &nothing)
      .unary("Add", &nothing)
      .unary("Count", [](const CountQuery&, CountReply&) -> Status { return {}; })
      .unary("Remove", &nothing)
      .unary("Remove", &nothing);
  const auto errors = text(other.check());
  EXPECT_NE(errors.find("Fruit.Peel: the .proto file does not declare it"), std::string::npos) << errors;
  EXPECT_NE(errors.find("Fruit.Add: takes sluice.test.FruitSpec, the handler takes sluice.test.FruitName"),
            std::string::npos);
  EXPECT_NE(errors.find("Fruit.Count: is declared with `stream`, the handler is not one"), std::string::npos);
  EXPECT_NE(errors.find("Fruit.Remove: registered twice"), std::string::npos);
}

TEST(Api, AKindNeedsAListOrACheck) {
  Api api;
  api.kind("colour", "a colour", [](const KindQuery&) { return std::vector<Candidate>{{"red"}, {"green", "unripe"}}; });
  EXPECT_TRUE(api.check().ok());
  ASSERT_NE(api.find_kind("colour"), nullptr);
  EXPECT_EQ(api.find_kind("colour")->list({}).size(), 2u);
  api.kind("nothing", "nothing at all", {});
  EXPECT_EQ(text(api.check()), "kind nothing: has neither a list nor a check");
}

TEST(DescriptorComments, CarryTheHelpOfEachLinkedFile) {
  bool found = false;
  for (const auto bytes : DescriptorComments::all()) {
    google::protobuf::FileDescriptorSet set;
    ASSERT_TRUE(set.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    for (const auto& file : set.file()) {
      if (file.name() != "control/test.proto") continue;
      for (const auto& location : file.source_code_info().location()) {
        found |= location.leading_comments().find("Takes fruit out of the basket.") != std::string::npos;
      }
    }
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace sluice
