// SPDX-License-Identifier: Apache-2.0
#include "shell.h"

#include <fmt/format.h>
#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "terminal.h"

namespace sluice::ctl {
namespace {

constexpr int kHistoryMax = 1000;

/// A key, as libedit wants it; none at an interrupt, over which libedit's own function reads on.
int read_key(EditLine*, wchar_t* key) {
  take_interrupts();  // libedit puts its own handler there with each line
  while (!interrupted()) {
    unsigned char byte = 0;
    const auto count = read(STDIN_FILENO, &byte, 1);
    *key = byte;
    if (count >= 0 || errno != EINTR) return static_cast<int>(count);
  }
  return -1;
}

const char* prompt(EditLine*) { return "sluice# "; }

std::string_view typed_so_far(EditLine* editor) {
  const LineInfo* info = el_line(editor);
  return {info->buffer, static_cast<std::size_t>(info->cursor - info->buffer)};
}

Session& session_of(EditLine* editor) {
  void* session = nullptr;
  el_get(editor, EL_CLIENTDATA, &session);
  return *static_cast<Session*>(session);
}

unsigned char show_help(EditLine* editor, int) {
  const auto text = session_of(editor).help(typed_so_far(editor));
  fmt::print("?\n{}", text);
  std::fflush(stdout);
  return CC_REDISPLAY;
}

std::string common_beginning(const std::vector<std::string>& words) {
  std::string common = words.front();
  for (const auto& word : words) {
    std::size_t same = 0;
    while (same < common.size() && same < word.size() && common[same] == word[same]) ++same;
    common.resize(same);
  }
  return common;
}

unsigned char complete_word(EditLine* editor, int) {
  std::string partial;
  const auto words = session_of(editor).completions(typed_so_far(editor), partial);
  if (words.empty()) return CC_REFRESH_BEEP;
  auto more = common_beginning(words);
  if (words.size() == 1) more += ' ';
  if (more.size() > partial.size()) {
    el_insertstr(editor, more.c_str() + partial.size());
    return CC_REFRESH;
  }
  fmt::print("\n");
  for (const auto& word : words) fmt::print("  {}\n", word);
  std::fflush(stdout);
  return CC_REDISPLAY;
}

std::string history_file() {
  const char* home = std::getenv("HOME");
  return home ? std::string(home) + "/.sluicectl_history" : std::string();
}

struct EndEditor {
  void operator()(EditLine* editor) const { el_end(editor); }
};
struct EndHistory {
  void operator()(History* history) const { history_end(history); }
};

std::string_view trimmed(std::string_view line) {
  const auto begin = line.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(" \t\r\n") - begin + 1);
}

bool is_end(std::string_view line) { return line == "exit" || line == "quit"; }

/// Lines of a pipe: no editing, no prompt, stops like a script at its first failure.
Exit run_piped(Session& session) {
  char* line = nullptr;
  std::size_t size = 0;
  Exit last = kDone;
  for (int number = 1; last == kDone && getline(&line, &size, stdin) > 0; ++number) {
    const auto words = trimmed(line);
    if (is_end(words)) break;
    last = session.run(words, fmt::format("line {}: ", number));
  }
  std::free(line);
  return last;
}

}  // namespace

Exit run_shell(Session& session) {
  if (!isatty(STDIN_FILENO)) return run_piped(session);
  const std::unique_ptr<EditLine, EndEditor> editor(el_init("sluicectl", stdin, stdout, stderr));
  const std::unique_ptr<History, EndHistory> past(history_init());
  HistEvent event;
  history(past.get(), &event, H_SETSIZE, kHistoryMax);
  history(past.get(), &event, H_SETUNIQUE, 1);
  const auto file = history_file();
  if (!file.empty()) history(past.get(), &event, H_LOAD, file.c_str());
  el_set(editor.get(), EL_CLIENTDATA, &session);
  el_set(editor.get(), EL_PROMPT, &prompt);
  el_set(editor.get(), EL_EDITOR, "emacs");
  el_set(editor.get(), EL_SIGNAL, 1);
  el_set(editor.get(), EL_HIST, history, past.get());
  el_set(editor.get(), EL_ADDFN, "sluice-complete", "complete the word", &complete_word);
  el_set(editor.get(), EL_ADDFN, "sluice-help", "say what may come next", &show_help);
  el_set(editor.get(), EL_BIND, "^I", "sluice-complete", nullptr);
  el_set(editor.get(), EL_BIND, "?", "sluice-help", nullptr);
  el_set(editor.get(), EL_GETCFN, &read_key);
  take_interrupts();
  Exit last = kDone;
  while (true) {
    interrupted() = false;
    int length = 0;
    const char* typed = el_gets(editor.get(), &length);
    if (interrupted() || !typed || length <= 0) fmt::print("\n");  // the line that was begun is left as it is
    if (interrupted()) continue;
    if (!typed || length <= 0) break;
    const std::string line(trimmed({typed, static_cast<std::size_t>(length)}));
    if (line.empty()) continue;
    history(past.get(), &event, H_ENTER, line.c_str());
    if (is_end(line)) break;
    last = session.run(line);
  }
  if (!file.empty()) history(past.get(), &event, H_SAVE, file.c_str());
  return last;
}

}  // namespace sluice::ctl
