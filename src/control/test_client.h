// SPDX-License-Identifier: Apache-2.0
// Clients of a FruitDaemon, below what sluicectl does: a test sees each step of a call.
#pragma once
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace sluice::test {

inline grpc::ByteBuffer serialize(const google::protobuf::Message& message) {
  grpc::ByteBuffer bytes;
  bool own = false;
  EXPECT_TRUE((grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::Message>(message, &bytes, &own).ok()));
  return bytes;
}

/// A connection of its own. With a fixed window, 64 KiB of a stream that nobody reads are held; else gRPC lets it grow
/// with the connection's speed, to megabytes.
inline std::shared_ptr<grpc::Channel> connect(const std::string& path, bool fixed_window = false) {
  grpc::ChannelArguments arguments;
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (fixed_window) arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return grpc::CreateCustomChannel("unix:" + path, grpc::InsecureChannelCredentials(), arguments);
}

/// One call by a client of its own queue.
struct TestCall {
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;

  bool wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  }
  void start(grpc::GenericStub& stub, const std::string& path, const grpc::ByteBuffer& request) {
    stream = stub.PrepareCall(&context, path, &queue);
    stream->StartCall(nullptr);
    wait();
    stream->WriteLast(request, grpc::WriteOptions(), nullptr);
    wait();
  }
  /// For several requests.
  void open(grpc::GenericStub& stub, const std::string& path) {
    stream = stub.PrepareCall(&context, path, &queue);
    stream->StartCall(nullptr);
    wait();
  }
  bool write(const google::protobuf::Message& request) {
    stream->Write(serialize(request), nullptr);
    return wait();
  }
  void end_requests() {
    stream->WritesDone(nullptr);
    wait();
  }
  bool read(google::protobuf::Message& reply) {
    grpc::ByteBuffer bytes;
    stream->Read(&bytes, nullptr);
    if (!wait()) return false;
    grpc::ProtoBufferReader reader(&bytes);
    return reply.ParseFromZeroCopyStream(&reader);
  }
  grpc::Status finish() {
    grpc::Status status;
    stream->Finish(&status, nullptr);
    wait();
    return status;
  }
};

/// A whole call of the test service; the last reply counts.
inline grpc::Status unary(grpc::GenericStub& stub, const std::string& method, const google::protobuf::Message& request,
                          google::protobuf::Message& reply, bool dry_run = false) {
  TestCall call;
  if (dry_run) call.context.AddMetadata("sluice-dry-run", "1");
  call.start(stub, "/sluice.test.Fruit/" + method, serialize(request));
  while (call.read(reply)) {
  }
  return call.finish();
}

}  // namespace sluice::test
