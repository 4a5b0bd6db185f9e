// SPDX-License-Identifier: Apache-2.0
#include "control/manual_page.h"

#include <fmt/format.h>

#include <algorithm>

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "unknown"
#endif

namespace sluice::control {
namespace {

/// So that nothing in a line is taken for a request, an escape or a typographer's dash.
std::string escaped(std::string_view text) {
  std::string out = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '~': out += "\\(ti"; break;
      case '^': out += "\\(ha"; break;
      case '`': out += "\\(ga"; break;
      case '\'': out += "\\(aq"; break;
      default: out += c;
    }
  }
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

}  // namespace

ManualPage::ManualPage(std::string_view name, int section, std::string_view summary)
    : text_(fmt::format(".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Made by tools/docs.\n"
                        ".TH {} {} \"\" \"sluice {}\" \"Sluice\"\n.SH NAME\n{} \\- {}\n",
                        upper(name), section, SLUICE_VERSION, escaped(name), escaped(summary))) {}

void ManualPage::section(std::string_view title) { text_ += fmt::format(".SH {}\n", upper(title)); }

void ManualPage::subsection(std::string_view title) { text_ += fmt::format(".SS {}\n", escaped(title)); }

void ManualPage::paragraph(std::string_view text) { text_ += fmt::format(".PP\n{}\n", escaped(text)); }

void ManualPage::item(std::string_view term, std::string_view text) {
  text_ += fmt::format(".TP\n\\fB{}\\fR\n{}\n", escaped(term), text.empty() ? "\\&" : escaped(text));
}

void ManualPage::lines(std::string_view text) {
  text_ += ".PP\n.in +2\n.nf\n";
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    text_ += escaped(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  text_ += ".fi\n.in\n";
}

}  // namespace sluice::control
