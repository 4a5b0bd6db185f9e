// SPDX-License-Identifier: Apache-2.0
// A page of the manual, in the language of man(7).
#pragma once
#include <string>
#include <string_view>

#include "sluice/types.h"

namespace sluice::control {

class SLUICE_API ManualPage {
 public:
  ManualPage(std::string_view name, int section, std::string_view summary);

  void section(std::string_view title);
  void subsection(std::string_view title);
  /// Blanks and line ends in it are where man fills lines.
  void paragraph(std::string_view text);
  /// A term and what it means, indented.
  void item(std::string_view term, std::string_view text);
  /// As it stands.
  void lines(std::string_view text);
  /// What a program takes: an item for each option of a CLI::App.
  template <class App>
  void options(const App& app) {
    for (const auto* option : app.get_options()) {
      if (option->get_group().empty()) continue;  // hidden
      const bool takes_value = option->get_expected_max() > 0;
      item(option->get_name(false, true) + (takes_value ? " VALUE" : ""), option->get_description());
    }
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace sluice::control
