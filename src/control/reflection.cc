// SPDX-License-Identifier: Apache-2.0
#include "control/reflection.h"

#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include "control/description.h"
#include "control/reflection.pb.h"

namespace sluice::control {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

namespace {

void add_file(const FileDescriptor* file, const std::string& name, ServerReflectionResponse& reply) {
  if (!file) {
    auto* error = reply.mutable_error_response();
    error->set_error_code(grpc::StatusCode::NOT_FOUND);
    error->set_error_message("no file declares " + name);
    return;
  }
  for (const auto& needed : files_of(*file)) {
    reply.mutable_file_descriptor_response()->add_file_descriptor_proto(needed.SerializeAsString());
  }
}

void add_extension(const std::string& type, int number, const std::string& name, ServerReflectionResponse& reply) {
  const auto* pool = DescriptorPool::generated_pool();
  const auto* message = pool->FindMessageTypeByName(type);
  const auto* field = message ? pool->FindExtensionByNumber(message, number) : nullptr;
  add_file(field ? field->file() : nullptr, name, reply);
}

void add_extension_numbers(const std::string& type, ServerReflectionResponse& reply) {
  const auto* pool = DescriptorPool::generated_pool();
  const auto* message = pool->FindMessageTypeByName(type);
  if (!message) return add_file(nullptr, type, reply);
  std::vector<const google::protobuf::FieldDescriptor*> found;
  pool->FindAllExtensions(message, &found);
  auto* numbers = reply.mutable_all_extension_numbers_response();
  numbers->set_base_type_name(type);
  for (const auto* field : found) numbers->add_extension_number(field->number());
}

void answer(const Api& api, const ServerReflectionRequest& request, ServerReflectionResponse& reply) {
  reply.set_valid_host(request.host());
  *reply.mutable_original_request() = request;
  const auto* pool = DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      return add_file(pool->FindFileByName(request.file_by_filename()), request.file_by_filename(), reply);
    case ServerReflectionRequest::kFileContainingSymbol:
      return add_file(pool->FindFileContainingSymbol(request.file_containing_symbol()),
                      request.file_containing_symbol(), reply);
    case ServerReflectionRequest::kFileContainingExtension: {
      const auto& wanted = request.file_containing_extension();
      return add_extension(wanted.containing_type(), wanted.extension_number(), wanted.containing_type(), reply);
    }
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      return add_extension_numbers(request.all_extension_numbers_of_type(), reply);
    case ServerReflectionRequest::kListServices:
      for (const auto& name : api.services()) reply.mutable_list_services_response()->add_service()->set_name(name);
      return;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET: {
      auto* error = reply.mutable_error_response();
      error->set_error_code(grpc::StatusCode::INVALID_ARGUMENT);
      error->set_error_message("the request asks nothing");
    }
  }
}

class Reflection final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Reflection(const Api& api) : api_(api) { StartRead(&question_); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    ServerReflectionRequest request;
    grpc::ProtoBufferReader reader(&question_);
    if (!request.ParseFromZeroCopyStream(&reader)) {
      return Finish({grpc::StatusCode::INVALID_ARGUMENT, "not a reflection request"});
    }
    ServerReflectionResponse reply;
    answer(api_, request, reply);
    bool own = false;
    answer_.Clear();
    const auto status =
        grpc::GenericSerialize<grpc::ProtoBufferWriter, ServerReflectionResponse>(reply, &answer_, &own);
    if (!status.ok()) return Finish(status);
    StartWrite(&answer_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    StartRead(&question_);
  }
  void OnDone() override { delete this; }

  const Api& api_;
  grpc::ByteBuffer question_;
  grpc::ByteBuffer answer_;
};

}  // namespace

bool is_reflection(std::string_view path) {
  return path == "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" ||
         path == "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
}

grpc::ServerGenericBidiReactor* make_reflection(const Api& api) { return new Reflection(api); }

}  // namespace sluice::control
