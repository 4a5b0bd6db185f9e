// SPDX-License-Identifier: Apache-2.0
#include "control/description.h"

#include <google/protobuf/descriptor.pb.h>

#include <set>

#include "sluice/descriptor_comments.h"

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "unknown"
#endif

namespace sluice::control {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

namespace {

std::map<std::string, FileDescriptorProto> commented_files() {
  std::map<std::string, FileDescriptorProto> files;
  for (const auto bytes : DescriptorComments::all()) {
    FileDescriptorSet set;
    if (!set.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) continue;
    for (auto& file : *set.mutable_file()) files[file.name()] = std::move(file);
  }
  return files;
}

void collect(const FileDescriptor& file, std::map<std::string, FileDescriptorProto>& commented,
             std::set<std::string>& seen, std::vector<FileDescriptorProto>& out) {
  if (!seen.insert(file.name()).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) collect(*file.dependency(i), commented, seen, out);
  const auto found = commented.find(file.name());
  if (found != commented.end()) {
    out.push_back(found->second);
  } else {
    file.CopyTo(&out.emplace_back());
  }
}

template <class Descriptor>
std::string comment_of(const Descriptor& descriptor) {
  google::protobuf::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return {};
  std::string text;
  bool blank = true;
  for (const char c : location.leading_comments + location.trailing_comments) {
    const bool space = c == ' ' || c == '\n';
    if (!space && blank && !text.empty()) text += ' ';
    if (!space) text += c;
    blank = space;
  }
  return text;
}

}  // namespace

std::vector<FileDescriptorProto> files_of(const FileDescriptor& file) {
  auto commented = commented_files();
  std::set<std::string> seen;
  std::vector<FileDescriptorProto> files;
  collect(file, commented, seen, files);
  return files;
}

Description describe(const Api& api) {
  Description description;
  description.set_version(SLUICE_VERSION);
  auto commented = commented_files();
  std::set<std::string> seen;
  std::vector<FileDescriptorProto> files;
  for (const auto& service : api.services()) {
    description.add_services(service);
    collect(*DescriptorPool::generated_pool()->FindServiceByName(service)->file(), commented, seen, files);
  }
  for (const auto& [selector, message] : api.settings()) {
    collect(*message->file(), commented, seen, files);
    (*description.mutable_settings())[selector] = message->full_name();
  }
  for (const auto& file : files) description.add_files(file.SerializeAsString());
  for (const auto& [name, kind] : api.kinds()) {
    auto* entry = description.add_kinds();
    entry->set_name(name);
    entry->set_what(kind.what);
  }
  return description;
}

StatusOr<std::unique_ptr<Schema>> Schema::make(const Description& description) {
  std::unique_ptr<Schema> schema(new Schema);
  schema->description_ = description;
  if (auto status = schema->load(); !status.ok()) return status;
  return schema;
}

Status Schema::load() {
  grammar_ = std::make_unique<Grammar>(factory_);
  for (const auto& bytes : description_.files()) {
    FileDescriptorProto file;
    if (!file.ParseFromString(bytes)) return refused("the daemon's description holds a damaged file");
    if (!pool_.BuildFile(file)) return refused("the daemon's description of {} is not valid", file.name());
  }
  for (const auto& name : description_.services()) {
    const auto* service = pool_.FindServiceByName(name);
    if (!service) return refused("the daemon's description lacks the service {}", name);
    if (auto status = grammar_->add(*service); !status.ok()) return status;
  }
  for (const auto& [selector, name] : description_.settings()) {
    const auto* message = pool_.FindMessageTypeByName(name);
    if (message) grammar_->add_settings(selector, *message);
  }
  return {};
}

std::string comment(const google::protobuf::MethodDescriptor& method) { return comment_of(method); }
std::string comment(const google::protobuf::FieldDescriptor& field) { return comment_of(field); }
std::string comment(const google::protobuf::ServiceDescriptor& service) { return comment_of(service); }

std::string first_sentence(std::string_view comment) {
  for (std::size_t i = 0; i < comment.size(); ++i) {
    const bool ends = comment[i] == '.' && (i + 1 == comment.size() || comment[i + 1] == ' ');
    if (ends || comment[i] == ';') return std::string(comment.substr(0, i));
  }
  return std::string(comment);
}

}  // namespace sluice::control
