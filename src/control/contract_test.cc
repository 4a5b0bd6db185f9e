// SPDX-License-Identifier: Apache-2.0
#include "control/contract.h"

#include <gmock/gmock.h>

#include "control/fruit_description.h"

namespace sluice::control {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::MethodDescriptorProto;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <class List>
auto& named(List& list, std::string_view name) {
  for (auto& item : list) {
    if (item.name() == name) return item;
  }
  ADD_FAILURE() << "there is no " << name;
  return *list.begin();
}
template <class List>
void remove(List& list, std::string_view name) {
  for (int i = 0; i < list.size(); ++i) {
    if (list[i].name() == name) return list.DeleteSubrange(i, 1);
  }
  ADD_FAILURE() << "there is no " << name;
}

DescriptorProto& message(FileDescriptorProto& file, std::string_view name) {
  return named(*file.mutable_message_type(), name);
}
FieldDescriptorProto& field(FileDescriptorProto& file, std::string_view in, std::string_view name) {
  return named(*message(file, in).mutable_field(), name);
}
FieldDescriptorProto& add_field(FileDescriptorProto& file, std::string_view in, std::string_view name) {
  auto& added = *message(file, in).add_field();
  added.set_name(std::string(name));
  added.set_number(99);
  added.set_type(FieldDescriptorProto::TYPE_STRING);
  added.set_label(FieldDescriptorProto::LABEL_OPTIONAL);
  return added;
}
MethodDescriptorProto& method(FileDescriptorProto& file, std::string_view name) {
  return named(*file.mutable_service(0)->mutable_method(), name);
}
CliOptions& options(FileDescriptorProto& file, std::string_view name) {
  return *method(file, name).mutable_options()->MutableExtension(cli);
}
FieldRules& rules(FieldDescriptorProto& field) { return *field.mutable_options()->MutableExtension(f); }

class ContractTest : public ::testing::Test, protected test::FruitDescription {
 protected:
  ContractTest() {
    description.set_version("1.4.0");
    then_ = Contract::of(*schema()).text();
  }
  /// What the changed description breaks of the contract as it was before, read from its text as from a file.
  std::vector<std::string> broken() {
    const auto contract = Contract::parse(then_);
    EXPECT_TRUE(contract.ok()) << text(contract.status());
    return contract->broken_by(*schema());
  }
  std::vector<std::string> broken_by(const std::function<void(FileDescriptorProto&)>& change) {
    edit(change);
    return broken();
  }
  /// What becomes of `add fruit` with another syntax.
  std::vector<std::string> broken_by_syntax(const std::string& syntax) {
    return broken_by([&](auto& file) { options(file, "Add").mutable_form(0)->set_syntax(syntax); });
  }
  static std::string not_taken(std::string_view syntax, std::string_view method = "Add", std::string_view set = "") {
    return fmt::format("form sluice.test.Fruit.{}: no form takes all that \"{}\"{} took", method, syntax, set);
  }

  static constexpr std::string_view kAdd =
      "add fruit {name} {count} [colour {colour}] [tags {tags,}] [{ripe}] [price {price}] [note {note...}]";
  std::string then_;
};

TEST_F(ContractTest, IsReadAsItIsWritten) {
  const auto contract = Contract::parse(then_);
  ASSERT_TRUE(contract.ok()) << text(contract.status());
  EXPECT_EQ(contract->text(), then_);
  const char* const show =
      "\nmethod sluice.test.Fruit.Show request sluice.test.FruitQuery reply sluice.test.FruitSpec streams yes "
      "read-only yes\n";
  for (const auto* line :
       {show, "\nmajor 1\n", "\nservice sluice.test.Fruit\n",
        "\nform sluice.test.Fruit.Show show citrus [{name}] | family: CITRUS\n",
        "\nfield sluice.test.FruitSpec.price number 6 type uint64 json price unit cents\n",
        "\nfield sluice.test.FruitSpec.tags number 4 type string json tags holds several\n",
        "\nvalue sluice.test.Family.FAMILY_ANY number 0 word any\n",
        "\nextension sluice.cli of google.protobuf.MethodOptions number 51201 type sluice.CliOptions\n",
        "\nsettings peeler type sluice.test.PeelerSettings\n"}) {
    EXPECT_NE(then_.find(line), std::string::npos) << line << then_;
  }
}

TEST_F(ContractTest, SaysWhichLineIsNone) {
  EXPECT_EQ(text(Contract::parse("major 1\n\nfields of wheat\n").status()),
            "line 3: \"fields of\" is no line of a contract; tools/docs writes them");
  EXPECT_EQ(text(Contract::parse("# one\nfield a.b number\n").status()), "line 2: field a.b: number has no value");
  EXPECT_EQ(text(Contract::parse("<<<<<<< HEAD\n").status()),
            "line 1: \"<<<<<<< HEAD\" is no line of a contract; tools/docs writes them");
  EXPECT_FALSE(Contract::parse("major 1\n").ok()) << "an empty contract would be kept by everybody";
}

TEST_F(ContractTest, IsKeptByTheSameDaemon) { EXPECT_THAT(broken(), IsEmpty()); }

TEST_F(ContractTest, AnyAdditionPasses) {
  EXPECT_THAT(broken_by([](FileDescriptorProto& file) {
                add_field(file, "FruitSpec", "origin");
                add_field(file, "CountReply", "roman");
                options(file, "Add").mutable_form(0)->set_syntax(std::string(kAdd) + " [origin {origin}]");
                options(file, "Add").add_form()->set_syntax("plant {name} {count}");
                file.mutable_enum_type(0)->add_value()->set_name("BERRY");
                file.mutable_enum_type(0)->mutable_value(3)->set_number(3);
                auto& press = *file.mutable_service(0)->add_method();
                press.set_name("Press");
                press.set_input_type(".sluice.test.FruitName");
                press.set_output_type(".sluice.Done");
                rules(add_field(file, "FruitName", "by")).set_required(false);
              }),
              IsEmpty());
}

TEST_F(ContractTest, WhatNeedsLessThanBeforePasses) {
  EXPECT_THAT(broken_by([](auto& file) {
                rules(field(file, "CountQuery", "limit")).clear_required();
                options(file, "Count").mutable_form(0)->set_syntax("count [{limit}] [every {every}]");
                options(file, "Walk").set_read_only(true);
              }),
              IsEmpty());
}

TEST_F(ContractTest, NothingIsBrokenWhenTheMajorVersionRises) {
  description.set_version("2.0.0");
  EXPECT_THAT(broken_by([](auto& file) { options(file, "Show").mutable_form()->DeleteSubrange(1, 1); }), IsEmpty());
  description.set_version("0.9.0");
  EXPECT_THAT(broken(), ElementsAre("major version: was 1, is 0",
                                    not_taken("show citrus [{name}]", "Show", " with family: CITRUS")));
}

TEST_F(ContractTest, RefusesAFieldThatIsGone) {
  EXPECT_THAT(broken_by([](auto& file) { remove(*message(file, "CountReply").mutable_field(), "text"); }),
              ElementsAre("field sluice.test.CountReply.text: is gone"));
}

TEST_F(ContractTest, RefusesAFieldThatCommandsSetAndIsGone) {
  const auto found = broken_by([](auto& file) {
    remove(*message(file, "CountQuery").mutable_field(), "every");
    options(file, "Count").mutable_form(0)->set_syntax("count {limit}");
  });
  ASSERT_EQ(found.size(), 2u);
  EXPECT_NE(found[0].find("form sluice.test.Fruit.Count: syntax \"count {limit} [every {every}]\""), std::string::npos);
  EXPECT_EQ(found[1], "field sluice.test.CountQuery.every: is gone");
}

TEST_F(ContractTest, RefusesAFieldOfAnotherName) {
  EXPECT_THAT(broken_by([](auto& file) { field(file, "CountReply", "text").set_name("words"); }),
              ElementsAre("field sluice.test.CountReply.text: is gone"));
}

TEST_F(ContractTest, RefusesAFieldOfAnotherNumberTypeOrJsonName) {
  EXPECT_THAT(broken_by([](auto& file) {
                field(file, "CountReply", "text").set_number(3);
                field(file, "CountReply", "text").set_json_name("inWords");
                field(file, "CountReply", "number").set_type(FieldDescriptorProto::TYPE_UINT32);
                field(file, "WalkReply", "place").set_label(FieldDescriptorProto::LABEL_OPTIONAL);
              }),
              ElementsAre("field sluice.test.CountReply.number: type was uint64, is uint32",
                          "field sluice.test.CountReply.text: json was text, is inWords",
                          "field sluice.test.CountReply.text: number was 2, is 3",
                          "field sluice.test.WalkReply.place: holds was several, is none"));
}

TEST_F(ContractTest, RefusesAFieldOfAnotherUnit) {
  EXPECT_THAT(broken_by([](auto& file) { rules(field(file, "FruitSpec", "price")).set_unit("euros"); }),
              ElementsAre("field sluice.test.FruitSpec.price: unit was cents, is euros"));
}

TEST_F(ContractTest, RefusesAFieldThatNobodySendsYetAndMustBeGiven) {
  EXPECT_THAT(broken_by([](auto& file) {
                rules(field(file, "FruitSpec", "colour")).set_required(true);
                rules(add_field(file, "FruitName", "by")).set_required(true);
              }),
              ElementsAre("field sluice.test.FruitSpec.colour: required was none, is yes",
                          "field sluice.test.FruitName.by: is new and required: nobody sends it yet"));
}

TEST_F(ContractTest, RefusesAMethodThatIsGoneWithItsFormsInOneSentence) {
  EXPECT_THAT(broken_by([](auto& file) { remove(*file.mutable_service(0)->mutable_method(), "Work"); }),
              ElementsAre("method sluice.test.Fruit.Work: is gone"));
}

TEST_F(ContractTest, RefusesAServiceThatIsGoneInOneSentence) {
  description.clear_services();
  EXPECT_THAT(broken_by([](auto& file) { file.clear_service(); }),
              ElementsAre("service sluice.test.Fruit: is gone", "service sluice.test.Crates: is gone"));
}

TEST_F(ContractTest, RefusesAMethodThatTakesOrSaysSomethingElse) {
  const char* const other_request =
      "method sluice.test.Fruit.Count: request was sluice.test.CountQuery, is sluice.test.CountReply";
  EXPECT_THAT(broken_by([](auto& file) {
                method(file, "Add").set_output_type(".sluice.test.FruitSpec");
                method(file, "Show").set_server_streaming(false);
                method(file, "Count").set_input_type(".sluice.test.CountReply");
                options(file, "Count").mutable_form(0)->set_syntax("count {number}");
                options(file, "Count").set_read_only(false);
                file.mutable_service(1)->mutable_method(0)->set_client_streaming(false);
              }),
              ::testing::IsSupersetOf({"method sluice.test.Fruit.Add: reply was sluice.Done, is sluice.test.FruitSpec",
                                       "method sluice.test.Fruit.Show: streams was yes, is none", other_request,
                                       "method sluice.test.Fruit.Count: read-only was yes, is none",
                                       "method sluice.test.Crates.Add: takes was stream, is none"}));
}

TEST_F(ContractTest, RefusesAMessageAndSettingsThatAreGone) {
  description.clear_settings();
  EXPECT_THAT(broken_by([](auto& file) { remove(*file.mutable_message_type(), "PeelerSettings"); }),
              ElementsAre("message sluice.test.PeelerSettings: is gone", "settings peeler: is gone"));
}

TEST_F(ContractTest, RefusesAnEnumeratorThatIsGoneOrAnother) {
  EXPECT_THAT(
      broken_by([](auto& file) {
        remove(*file.mutable_enum_type(0)->mutable_value(), "POME");
        named(*file.mutable_enum_type(0)->mutable_value(), "CITRUS").set_number(7);
      }),
      ElementsAre("value sluice.test.Family.CITRUS: number was 1, is 7", "value sluice.test.Family.POME: is gone"));
}

TEST_F(ContractTest, RefusesAFormThatIsGone) {
  EXPECT_THAT(broken_by([](auto& file) { options(file, "Show").mutable_form()->DeleteSubrange(0, 1); }),
              ElementsAre(not_taken("show fruit [{name}]", "Show")));
}

TEST_F(ContractTest, RefusesAFormThatMeansSomethingElse) {
  EXPECT_THAT(broken_by([](auto& file) { options(file, "Show").mutable_form(1)->set_set("family: POME"); }),
              ElementsAre(not_taken("show citrus [{name}]", "Show", " with family: CITRUS")));
}

TEST_F(ContractTest, RefusesAFormOfOtherWordsOrAnotherOrder) {
  const std::string rest = " [colour {colour}] [tags {tags,}] [{ripe}] [price {price}] [note {note...}]";
  for (const auto* head : {"put fruit {name} {count}", "add {name} {count}", "add fruit {count} {name}",
                           "add fruit name {name} {count}", "add fruit {name} count {count}"}) {
    EXPECT_THAT(broken_by_syntax(head + rest), ElementsAre(not_taken(kAdd))) << head;
  }
}

TEST_F(ContractTest, RefusesAFormWithAClauseThatIsGoneOrMustBeGivenNow) {
  for (const auto* syntax :
       {"add fruit {name} {count} [tags {tags,}] [{ripe}] [price {price}] [note {note...}]",
        "add fruit {name} {count} colour {colour} [tags {tags,}] [{ripe}] [price {price}] [note {note...}]",
        "add fruit {name} {count} [shade {colour}] [tags {tags,}] [{ripe}] [price {price}] [note {note...}]",
        "add fruit {name} {count} [colour {colour}] [tags {tags}] [{ripe}] [price {price}] [note {note...}]",
        "add fruit {name} {count} [colour {colour}] [tags {tags,}] [{ripe}] [price {price}] [note {note}]"}) {
    EXPECT_THAT(broken_by_syntax(syntax), ElementsAre(not_taken(kAdd))) << syntax;
  }
}

TEST_F(ContractTest, RefusesAClauseThatMayNoLongerComeSeveralTimes) {
  EXPECT_THAT(
      broken_by([](auto& file) {
        options(file, "Walk").mutable_form(0)->set_syntax("walk {start} [via {step.place} [weight {step.weight}]]");
      }),
      ElementsAre(not_taken("walk {start} [via {step.place} [weight {step.weight}]]...", "Walk")));
}

TEST_F(ContractTest, TakesClausesInAnotherOrder) {
  EXPECT_THAT(
      broken_by_syntax(
          "add fruit {name} {count} [{ripe}] [tags {tags,}] [price {price}] [colour {colour}] [note {note...}]"),
      IsEmpty());
}

}  // namespace
}  // namespace sluice::control
