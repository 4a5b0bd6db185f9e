// SPDX-License-Identifier: Apache-2.0
#include "control/manual_page.h"

#include <gtest/gtest.h>

namespace sluice::control {
namespace {

TEST(ManualPage, WritesWhatManReads) {
  ManualPage page("sluice-thing", 8, "does a thing");
  page.section("options");
  page.item("-a,--all", "");
  page.item("--one", "takes 'one' \\ not two");
  page.paragraph(".TH is no request here");
  page.lines("first\n\n'second\n");
  const auto& text = page.text();
  EXPECT_NE(text.find("\n.TH SLUICE-THING 8 \"\" \"sluice "), std::string::npos) << text;
  EXPECT_NE(text.find("\n.SH NAME\nsluice\\-thing \\- does a thing\n"), std::string::npos) << text;
  EXPECT_NE(text.find(".SH OPTIONS\n.TP\n\\fB\\-a,\\-\\-all\\fR\n\\&\n"), std::string::npos) << text;
  EXPECT_NE(text.find("takes \\(aqone\\(aq \\e not two\n"), std::string::npos) << text;
  EXPECT_NE(text.find(".PP\n\\&.TH is no request here\n"), std::string::npos) << text;
  EXPECT_NE(text.find(".nf\nfirst\n\n\\&\\(aqsecond\n.fi\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace sluice::control
