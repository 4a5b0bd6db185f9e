// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "control/api_server.h"
#include "local.h"

namespace sluice::ctl {

using google::protobuf::Message;

namespace {

/// 0 or the errno of connecting.
int try_connect(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int error = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  close(fd);
  return error;
}

std::string first_line_of(const char* command) {
  std::string line;
  FILE* pipe = popen(command, "r");
  if (!pipe) return line;
  char buffer[512];
  if (fgets(buffer, sizeof buffer, pipe)) line = buffer;
  pclose(pipe);
  line.erase(line.find_last_not_of("\n ") + 1);
  return line;
}

Status unreachable(const std::string& path, int error) {
  std::string_view why;
  switch (error) {
    case ENOENT: why = "there is no such socket: the daemon does not run, or uses another one (--socket)"; break;
    case ECONNREFUSED: why = "nobody listens on it: the daemon that made it has died"; break;
    case EACCES: why = "no permission: use sudo, or join the group of the read-only socket"; break;
    default: why = std::strerror(error);
  }
  auto unit = first_line_of("systemctl is-active sluice.service 2>/dev/null");
  auto log = first_line_of("journalctl -u sluice.service -n 1 -o cat --no-pager -q 2>/dev/null");
  return unavailable("no daemon at {}: {}; unit sluice.service: {}; last log line: {}", path, why,
                     unit.empty() ? "unknown" : unit, log.empty() ? "none" : log);
}

}  // namespace

struct Client::Channel {
  std::shared_ptr<grpc::Channel> channel;
  grpc::GenericStub stub;
  std::mutex mutex;
  grpc::ClientContext* running = nullptr;  // under the mutex

  explicit Channel(std::shared_ptr<grpc::Channel> c) : channel(c), stub(c) {}
};

Client::Client(std::string path, std::unique_ptr<Channel> channel)
    : path_(std::move(path)), channel_(std::move(channel)) {}
Client::~Client() = default;

StatusOr<std::unique_ptr<Client>> Client::connect(const std::string& path) {
  std::vector<std::string> candidates{path};
  if (path.empty()) {
    candidates = {kSocket, kReadOnlySocket};
    // Where a daemon without root listens.
    if (const char* own = std::getenv("XDG_RUNTIME_DIR")) candidates.push_back(std::string(own) + "/sluice/api.sock");
  }
  const auto found =
      std::find_if(candidates.begin(), candidates.end(), [](const std::string& c) { return try_connect(c) == 0; });
  if (found == candidates.end()) return unreachable(candidates.front(), try_connect(candidates.front()));
  const std::string& chosen = *found;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");  // else gRPC makes one of the path
  auto channel = grpc::CreateCustomChannel("unix:" + chosen, grpc::InsecureChannelCredentials(), arguments);
  return std::unique_ptr<Client>(new Client(chosen, std::make_unique<Channel>(std::move(channel))));
}

Status Client::call(const google::protobuf::MethodDescriptor& method, const Message& request,
                    google::protobuf::MessageFactory& factory, bool dry_run,
                    const std::function<bool(const Message&)>& reply) {
  grpc::ClientContext context;
  if (dry_run) context.AddMetadata("sluice-dry-run", "1");
  {
    const std::lock_guard lock(channel_->mutex);
    channel_->running = &context;
  }
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  const auto wait = [&] { return queue.Next(&tag, &ok) && ok; };
  const auto path = "/" + method.service()->full_name() + "/" + method.name();
  const auto stream = channel_->stub.PrepareCall(&context, path, &queue);
  stream->StartCall(nullptr);
  wait();
  grpc::ByteBuffer bytes;
  bool own = false;
  if (!grpc::GenericSerialize<grpc::ProtoBufferWriter, Message>(request, &bytes, &own).ok())
    return refused("the request is too large");
  stream->WriteLast(bytes, grpc::WriteOptions(), nullptr);
  wait();
  std::unique_ptr<Message> message(factory.GetPrototype(method.output_type())->New());
  bool stopped = false;
  while (true) {
    stream->Read(&bytes, nullptr);
    if (!wait()) break;
    grpc::ProtoBufferReader reader(&bytes);
    message->Clear();
    if (stopped || !message->ParseFromZeroCopyStream(&reader) || reply(*message)) continue;
    stopped = true;
    context.TryCancel();
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  wait();
  {
    const std::lock_guard lock(channel_->mutex);
    channel_->running = nullptr;
  }
  if (status.ok() || stopped) return {};
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      !context.GetServerTrailingMetadata().contains(control::kAnsweredKey)) {
    return unavailable("no answer at {}: {}; whether the command was carried out is not known", path_,
                       status.error_message());
  }
  return make_status(static_cast<absl::StatusCode>(status.error_code()), "{}", status.error_message());
}

void Client::cancel() {
  const std::lock_guard lock(channel_->mutex);
  if (channel_->running) channel_->running->TryCancel();
}

StatusOr<std::unique_ptr<control::Schema>> Client::describe() {
  const auto* meta = control::Description::descriptor()->file()->FindServiceByName("Meta");
  control::Description description;
  const auto status = call(*meta->FindMethodByName("Describe"), Nothing(),
                           *google::protobuf::MessageFactory::generated_factory(), false, [&](const Message& message) {
                             description = static_cast<const control::Description&>(message);
                             return true;
                           });
  if (!status.ok()) return unavailable("no answer at {}: {}", path_, text(status));
  add_local(description);
  return control::Schema::make(description);
}

control::CompleteReply Client::complete(const control::CompleteRequest& request) {
  const auto* meta = control::Description::descriptor()->file()->FindServiceByName("Meta");
  control::CompleteReply reply;
  const auto status = call(*meta->FindMethodByName("Complete"), request,
                           *google::protobuf::MessageFactory::generated_factory(), false, [&](const Message& message) {
                             reply = static_cast<const control::CompleteReply&>(message);
                             return true;
                           });
  return status.ok() ? reply : control::CompleteReply();
}

}  // namespace sluice::ctl
