// SPDX-License-Identifier: Apache-2.0
// A command line: any text is a command or an error with a place in the line, typed or from a script; and what may come
// next can always be asked.
#include <cstdlib>

#include "control/control.pb.h"
#include "control/grammar.h"
#include "control/runtime.pb.h"
#include "control/trace.pb.h"

namespace {

using namespace sluice::control;

const Grammar& grammar() {
  static const Grammar* const made = [] {
    auto* grammar = new Grammar(*google::protobuf::MessageFactory::generated_factory());
    for (const auto* message : {Description::descriptor(), sluice::runtime::RuntimeQuery::descriptor(),
                                sluice::trace::TraceSpec::descriptor()}) {
      for (int i = 0; i < message->file()->service_count(); ++i) {
        if (!grammar->add(*message->file()->service(i)).ok()) std::abort();
      }
    }
    return grammar;
  }();
  return *made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  for (const bool prefixes : {false, true}) {
    Command command;
    LineError error;
    if (grammar().parse(line, {.prefixes = prefixes}, command, error)) {
      if (command.method && !command.request) std::abort();
    } else if (error.message.empty() || error.offset > line.size()) {
      std::abort();
    }
    grammar().expect(line, {.prefixes = prefixes});
  }
  // A syntax that a plugin's author got wrong is refused, never followed.
  const auto syntax = parse_syntax(*CompleteRequest::descriptor(), line.substr(0, 200));
  if (!syntax.ok() && sluice::text(syntax.status()).empty()) std::abort();
  return 0;
}
