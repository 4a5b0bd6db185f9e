// SPDX-License-Identifier: Apache-2.0
#include "reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>
#include <vector>

#include "control/manual_page.h"
#include "control/values.h"

namespace sluice::ctl {

using control::Form;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

namespace {

/// The words of a form before its first value.
std::string words_of(const Form& form) {
  const auto words = form.syntax.substr(0, form.syntax.find_first_of("{["));
  return words.substr(0, words.find_last_not_of(' ') + 1);
}

/// The methods with a form, by the words of the first one.
std::map<std::string, std::vector<const Form*>> methods_of(const control::Schema& schema) {
  std::map<const MethodDescriptor*, std::vector<const Form*>> by_method;
  for (const auto& form : schema.grammar().forms()) by_method[form.method].push_back(&form);
  std::map<std::string, std::vector<const Form*>> sorted;
  for (auto& [method, forms] : by_method) sorted[words_of(*forms.front()) + method->full_name()] = std::move(forms);
  return sorted;
}

void arguments(control::ManualPage& page, const Descriptor& request) {
  for (int i = 0; i < request.field_count(); ++i) {
    const auto& field = *request.field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (field.message_type()->full_name() != "google.protobuf.Any") arguments(page, *field.message_type());
      continue;
    }
    const auto& standard = control::rules(field).default_();
    page.item(control::kebab(field.name()),
              fmt::format("{} ({}){}", control::comment(field),
                          control::is_flag(field) ? std::string("a flag") : control::allowed(field),
                          standard.empty() ? "" : fmt::format(", {} if not given", standard)));
  }
}

void command(control::ManualPage& page, const std::vector<const Form*>& forms) {
  const auto& method = *forms.front()->method;
  page.subsection(words_of(*forms.front()));
  std::string syntax;
  for (const auto* form : forms) syntax += form->syntax + "\n";
  page.lines(syntax);
  page.paragraph(control::comment(method));
  arguments(page, *method.input_type());
  const auto& examples = method.options().GetExtension(cli).example();
  if (!examples.empty()) page.lines(fmt::format("sluicectl {}", fmt::join(examples, "\nsluicectl ")));
}

constexpr const char* kBash = R"(  local line=${COMP_LINE:0:COMP_POINT} words=() socket=() before= i value= next
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  local current=${words[-1]} last=$((${#words[@]} - 1))
  for ((i = 1; i < last; i++)); do
    case ${words[i]} in
      -s | --socket) value=file; socket=(--socket "${words[++i]}") ;;
      -f | --file) value=file; ((++i)) ;;
      -w | --watch) value=number; ((++i)) ;;
      --socket=*) value=; socket=("${words[i]}") ;;
      -*) value= ;;
      *) break ;;
    esac
  done
  COMPREPLY=()
  if ((i > last)); then
    [[ $value == file ]] && mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  if ((i == last)) && [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi
  local found
  if found=$("${words[0]}" "${socket[@]}" --complete "${words[*]:i}" 2>/dev/null); then
    [[ -n $found ]] && mapfile -t COMPREPLY <<<"$found"
  else
    before="${words[*]:i:last-i}"
    while IFS= read -r next; do
      [[ -z $before || $next == "$before "* ]] || continue
      next=${next#"$before"}
      next=${next# }
      next=${next%% *}
      [[ $next == "$current"* && " ${COMPREPLY[*]} " != *" $next "* ]] && COMPREPLY+=("$next")
    done <<<"$commands"
  fi
  return 0
}
complete -F _sluicectl sluicectl
)";

}  // namespace

std::string manual(const CLI::App& app, const control::Schema& schema) {
  control::ManualPage page("sluicectl", 1, "looks into a running sluiced and changes it");
  page.section("synopsis");
  page.lines("sluicectl [OPTIONS] COMMAND\nsluicectl [OPTIONS] -f FILE\nsluicectl [OPTIONS]");
  page.section("description");
  page.paragraph(
      "Runs a command in the daemon, or the commands of a file, or is a shell with history, completion and ? for help. "
      "All commands are declared by the daemon and its plugins; below are those of a daemon with all that this version "
      "has. {x} is a value, {x,} several with commas between them, {x...} the rest of the line; [ ] may be left out, "
      "[ ]... may come several times. Keywords come in any order behind the values that have none; typed ones may be "
      "cut as long as they are unambiguous.");
  page.section("options");
  page.options(app);
  page.section("lists");
  page.paragraph("A list takes these at its end:");
  arguments(page, *control::ListVerbs::descriptor());
  page.item("--watch SECONDS", "Behind any command that shows something: the same as the option.");
  page.section("commands");
  for (const auto& [name, forms] : methods_of(schema)) command(page, forms);
  page.section("exit status");
  page.item("0", "done, or unchanged: it was so already");
  page.item("1", "refused, and nothing changed");
  page.item("2", "the command line is wrong");
  page.item("3", "no daemon answers");
  page.section("environment");
  page.item("PAGER", "shows what is longer than the terminal; less -FRX if it is not set, none if it is empty");
  page.item("COLUMNS", "how wide tables may be; the terminal's width if it is not set");
  page.section("files");
  page.item("/run/sluice/api.sock", "the daemon's socket");
  page.item("/run/sluice/ro.sock", "the one for those who may only read");
  page.item("~/.sluicectl_history", "the shell's history");
  page.section("see also");
  page.paragraph("sluiced(8)");
  return page.text();
}

std::string bash_completion(const CLI::App& app, const control::Schema& schema) {
  std::vector<std::string> options;
  for (const auto* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    for (const auto& name : option->get_lnames()) options.push_back("--" + name);
  }
  std::set<std::string> commands;
  for (const auto& form : schema.grammar().forms()) commands.insert(words_of(form));
  return fmt::format(
      "# SPDX-License-Identifier: Apache-2.0\n# Completion of sluicectl's commands in bash. Made by tools/docs.\n"
      "_sluicectl() {{\n  local options='{}'\n  local commands='{}'\n{}",
      fmt::join(options, " "), fmt::join(commands, "\n"), kBash);
}

}  // namespace sluice::ctl
