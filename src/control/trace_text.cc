// SPDX-License-Identifier: Apache-2.0
#include "control/trace_text.h"

namespace sluice::trace {
namespace {

/// Fields as "name value, name value".
class TextSink final : public FieldSink {
 public:
  explicit TextSink(const Interfaces& interfaces) : interfaces_(interfaces) {}
  void number(std::string_view name, std::uint64_t value) override { add(name, std::to_string(value)); }
  void text(std::string_view name, std::string_view value) override { add(name, value); }
  void interface(std::string_view name, InterfaceIndex value) override { add(name, interfaces_.name(value)); }
  std::string take() { return std::move(text_); }

 private:
  void add(std::string_view name, std::string_view value) {
    if (!text_.empty()) text_ += ", ";
    text_ += fmt::format("{} {}", name, value);
  }
  const Interfaces& interfaces_;
  std::string text_;
};

}  // namespace

std::string fields_text(const NodeDescription& node, const TraceStep& step, const Interfaces& interfaces) {
  TextSink sink(interfaces);
  node.describe(step.payload.data(), sink);
  return sink.take();
}

}  // namespace sluice::trace
