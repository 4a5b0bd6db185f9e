// SPDX-License-Identifier: Apache-2.0
#include "sluice/api.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice {

using google::protobuf::DescriptorPool;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;

Api::Api() = default;
Api::~Api() = default;

Api::Service Api::service(std::string_view full_name) {
  std::string name(full_name);
  const auto* descriptor = DescriptorPool::generated_pool()->FindServiceByName(name);
  if (!descriptor) {
    errors_.push_back(fmt::format("service {}: no linked .proto file declares it", name));
  } else if (!services_.emplace(name, descriptor).second) {
    errors_.push_back(fmt::format("service {}: registered twice", name));
  }
  return {*this, std::move(name)};
}

void Api::Service::add(std::string_view method, const Types& types, Unary unary, Streaming streaming) {
  const auto found = api_.services_.find(name_);
  if (found == api_.services_.end()) return;  // service() has said so
  const MethodDescriptor* descriptor = found->second->FindMethodByName(std::string(method));
  auto mistake = [&](std::string what) {
    api_.errors_.push_back(fmt::format("method {}.{}: {}", name_, method, what));
  };
  if (!descriptor) return mistake("the .proto file does not declare it");
  if (descriptor->input_type() != types.request) {
    return mistake(fmt::format("takes {}, the handler takes {}", descriptor->input_type()->full_name(),
                               types.request->full_name()));
  }
  if (descriptor->output_type() != types.reply) {
    return mistake(fmt::format("returns {}, the handler returns {}", descriptor->output_type()->full_name(),
                               types.reply->full_name()));
  }
  if (descriptor->client_streaming() != types.batches) {
    return mistake(types.batches ? "is declared without `stream` before its request, the handler takes batches"
                                 : "takes a stream; give its handler with batches()");
  }
  if (descriptor->server_streaming() != (streaming || types.batches)) {
    return mistake(descriptor->server_streaming() ? "is declared with `stream`, the handler is not one"
                                                  : "is declared without `stream`, the handler is a stream");
  }
  const auto& options = descriptor->options().GetExtension(cli);
  for (std::size_t open = 0; (open = options.object().find('{', open)) != std::string::npos; ++open) {
    const auto close = options.object().find('}', open);
    if (close == std::string::npos) return mistake("its object has a { that is not closed");
    const auto* field = types.request->FindFieldByName(options.object().substr(open + 1, close - open - 1));
    if (!field || field->is_repeated()) return mistake("its object must name single fields of the request");
  }
  auto* factory = MessageFactory::generated_factory();
  Method entry{.descriptor = descriptor,
               .request = factory->GetPrototype(types.request),
               .reply = factory->GetPrototype(types.reply),
               .unary = std::move(unary),
               .streaming = std::move(streaming),
               .batches = types.batches,
               .read_only = options.read_only(),
               .transient = options.transient(),
               .object = options.object(),
               .removes = options.removes()};
  if (!api_.methods_.emplace(fmt::format("/{}/{}", name_, method), std::move(entry)).second)
    mistake("registered twice");
}

void Api::kind(std::string_view name, std::string_view what, Kind::List list, Kind::Validate validate) {
  Kind entry{
      .name = std::string(name), .what = std::string(what), .list = std::move(list), .validate = std::move(validate)};
  if (!entry.list && !entry.validate) errors_.push_back(fmt::format("kind {}: has neither a list nor a check", name));
  if (!kinds_.emplace(entry.name, std::move(entry)).second)
    errors_.push_back(fmt::format("kind {}: registered twice", name));
}

void Api::settings(std::string_view selector, const Descriptor& message) {
  if (!settings_.emplace(selector, &message).second) {
    errors_.push_back(fmt::format("settings of {}: registered twice", selector));
  }
}

Status Api::check() const {
  std::vector<std::string> errors = errors_;
  for (const auto& [name, service] : services_) {
    for (int i = 0; i < service->method_count(); ++i) {
      const auto& method = service->method(i)->name();
      if (!find(fmt::format("/{}/{}", name, method)))
        errors.push_back(fmt::format("method {}.{}: has no handler", name, method));
    }
  }
  if (errors.empty()) return {};
  return make_status(absl::StatusCode::kInternal, "{}", fmt::join(errors, "\n"));
}

const Api::Method* Api::find(std::string_view path) const {
  const auto found = methods_.find(path);
  return found == methods_.end() ? nullptr : &found->second;
}

const Kind* Api::find_kind(std::string_view name) const {
  const auto found = kinds_.find(name);
  return found == kinds_.end() ? nullptr : &found->second;
}

std::vector<std::string> Api::services() const {
  std::vector<std::string> names;
  for (const auto& entry : services_) names.push_back(entry.first);
  return names;
}

}  // namespace sluice
