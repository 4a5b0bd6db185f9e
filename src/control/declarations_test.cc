// SPDX-License-Identifier: Apache-2.0
#include "control/declarations.h"

#include <gtest/gtest.h>

#include "control/docs.h"
#include "control/fruit_description.h"

namespace sluice::control {
namespace {

class DeclarationsTest : public ::testing::Test, protected test::FruitDescription {
 protected:
  std::string faults() { return text(check_declarations(*schema())); }
};

TEST_F(DeclarationsTest, TheTestServiceHasNoFault) { EXPECT_EQ(faults(), ""); }

TEST_F(DeclarationsTest, SaysWhichKindNobodyHasRegistered) {
  description.clear_kinds();
  EXPECT_NE(faults().find("sluice.test.FruitSpec.colour: nobody has registered the kind colour"), std::string::npos);
}

TEST_F(DeclarationsTest, SaysWhichHelpIsMissing) {
  edit([](auto& file) { file.clear_source_code_info(); });
  const auto found = faults();
  EXPECT_NE(found.find("sluice.test.Fruit.Add: no comment, so no help"), std::string::npos) << found;
  EXPECT_NE(found.find("sluice.test.Step.weight: no comment, so no help"), std::string::npos) << found;
}

TEST_F(DeclarationsTest, SaysWhichExampleIsNoCommand) {
  edit([](auto& file) {
    auto* add = file.mutable_service(0)->mutable_method(0)->mutable_options()->MutableExtension(cli);
    add->clear_example();
    add->add_example("add fruit");
    add->add_example("remove fruit apple");
  });
  const auto found = faults();
  EXPECT_NE(found.find("sluice.test.Fruit.Add: example \"add fruit\": column 10: the line ends"), std::string::npos)
      << found;
  EXPECT_NE(found.find("sluice.test.Fruit.Add: example \"remove fruit apple\" is not this method's"),
            std::string::npos);
}

TEST_F(DeclarationsTest, SaysWhichFieldNoFormSets) {
  edit([](auto& file) {
    auto* add = file.mutable_service(0)->mutable_method(0)->mutable_options()->MutableExtension(cli);
    add->mutable_form(0)->set_syntax("add fruit {name} {count}");
  });
  EXPECT_NE(faults().find("sluice.test.Fruit.Add: no form sets the field colour"), std::string::npos);
}

TEST_F(DeclarationsTest, AWrongSyntaxOrPresetIsNoSchema) {
  edit([](auto& file) {
    file.mutable_service(0)->mutable_method(2)->mutable_options()->MutableExtension(cli)->mutable_form(1)->set_set(
        "family: PLUM");
  });
  EXPECT_EQ(text(Schema::make(description).status()),
            "sluice.test.Fruit.Show: set \"family: PLUM\" is not text format of sluice.test.FruitQuery");
  description.add_files("\xff");
  EXPECT_EQ(text(Schema::make(description).status()), "the daemon's description holds a damaged file");
}

TEST_F(DeclarationsTest, TheReferenceNamesEveryCommand) {
  const auto reference = command_reference(*schema());
  for (const auto* heading :
       {"### add fruit ", "### count ", "### remove fruit ", "### show fruit ", "### walk ", "### work "}) {
    EXPECT_NE(reference.find(heading), std::string::npos) << heading;
  }
  EXPECT_NE(reference.find("| `count` | a number, 1 to 1000 | How many there are. |"), std::string::npos);
  EXPECT_TRUE(reference.ends_with("\n"));
}

}  // namespace
}  // namespace sluice::control
