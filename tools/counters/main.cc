// SPDX-License-Identifier: Apache-2.0
// sluice-counters: prints the counters that sluiced keeps in shared memory, without asking it. An example of a reader:
// see sluice/counters_reader.h.
#include <sluice/counters_reader.h>

#include <cstdio>
#include <string_view>

namespace {

constexpr const char* kUsage =
    "usage: sluice-counters [--file PATH] [TEXT]\n"
    "  Prints the counters of the sluiced that runs, a line each; with TEXT, those whose line holds it.\n"
    "  --file PATH  where they are (default: /run/sluice/counters)\n"
    "Example: sluice-counters 'interface=\"pod/default/web\"'\n";

void print(const sluice::CounterSample& sample, std::string_view text) {
  std::string line(sample.name);
  if (!sample.labels.empty()) line.append("{").append(sample.labels).append("}");
  if (line.find(text) == line.npos) return;
  if (sample.scale == 1) {
    std::printf("%s %llu\n", line.c_str(), static_cast<unsigned long long>(sample.value));
  } else {
    std::printf("%s %.9f\n", line.c_str(), sample.amount());
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string path = "/run/sluice/counters", text;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--help" || word == "-h") return std::fputs(kUsage, stdout) < 0;
    if (word == "--file" && i + 1 < argc) {
      path = argv[++i];
    } else if (!word.starts_with('-') && text.empty()) {
      text = word;
    } else {
      std::fprintf(stderr, "sluice-counters: %s: not wanted here\n%s", argv[i], kUsage);
      return 2;
    }
  }
  sluice::CountersReader reader(path);
  sluice::CountersSnapshot snapshot;
  if (const auto error = reader.read(snapshot); error != sluice::CountersError::None) {
    const std::string_view why = to_string(error);
    std::fprintf(stderr, "sluice-counters: %s: %.*s\n", path.c_str(), static_cast<int>(why.size()), why.data());
    return 1;
  }
  for (const auto& sample : snapshot.samples) print(sample, text);
  return 0;
}
