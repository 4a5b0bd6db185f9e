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
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "control/api_server.h"
#include "control/selected_stream.h"
#include "local.h"

namespace sluice::ctl {

using google::protobuf::Message;

namespace {

/// How long an interrupt may go unnoticed.
constexpr std::chrono::milliseconds kLook{50};
/// How long a daemon may take that has its socket already.
constexpr std::chrono::seconds kConnect{5};
/// How long a daemon may be too busy to take a call, and how often it is asked meanwhile.
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kAgain{10};
/// Messages of an exchange that are not answered yet.
constexpr std::uint64_t kUnderWay = 4;

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

/// `answer` is what gRPC says where the socket itself is as it should be.
Status unreachable(const std::string& path, int error, const std::string& answer = {}) {
  std::string why;
  switch (error) {
    case 0: why = answer; break;
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

std::string path_of(const google::protobuf::MethodDescriptor& method) {
  return "/" + method.service()->full_name() + "/" + method.name();
}

/// Whether a call failed because there is no daemon any more. Handlers say Unavailable too, with the daemon's mark.
bool is_lost(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.error_code() == grpc::StatusCode::CANCELLED) return true;
  const bool answered = context.GetServerTrailingMetadata().contains(control::kAnsweredKey);
  return status.error_code() == grpc::StatusCode::UNAVAILABLE && !answered;
}

}  // namespace

struct Client::Channel {
  std::shared_ptr<grpc::Channel> channel;
  grpc::GenericStub stub;

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
  // A daemon that comes back is found at once.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  auto channel = grpc::CreateCustomChannel("unix:" + chosen, grpc::InsecureChannelCredentials(), arguments);
  return std::unique_ptr<Client>(new Client(chosen, std::make_unique<Channel>(std::move(channel))));
}

Status Client::connected() {
  auto& channel = *channel_->channel;
  if (channel.GetState(true) == GRPC_CHANNEL_READY) {
    lost_ = false;
    return {};
  }
  const int error = try_connect(path_);
  lost_ = error || !channel.WaitForConnected(std::chrono::system_clock::now() + kConnect);
  return lost_ ? unreachable(path_, error, "it does not speak: the daemon hangs, or it is the socket of something else")
               : Status();
}

Status Client::call(const google::protobuf::MethodDescriptor& method, const Message& request,
                    google::protobuf::MessageFactory& factory, const CallOptions& options,
                    const std::function<bool(const Message&)>& reply) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    bool busy = false;
    auto status = attempt(method, request, factory, options, reply, busy);
    if (!busy || is_interrupted() || std::chrono::steady_clock::now() >= end) return status;
    std::this_thread::sleep_for(kAgain);
  }
}

Status Client::attempt(const google::protobuf::MethodDescriptor& method, const Message& request,
                       google::protobuf::MessageFactory& factory, const CallOptions& options,
                       const std::function<bool(const Message&)>& reply, bool& busy) {
  if (auto status = connected(); !status.ok()) return status;
  grpc::ClientContext context;
  if (options.dry_run) context.AddMetadata("sluice-dry-run", "1");
  const auto verbs = options.verbs ? options.verbs->SerializeAsString() : std::string();
  if (!verbs.empty() && verbs.size() <= control::kListVerbsMax) context.AddMetadata(control::kListVerbsKey, verbs);
  grpc::CompletionQueue queue;
  const auto wait = [&] {
    void* tag = nullptr;
    bool ok = false;
    while (queue.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + kLook) == grpc::CompletionQueue::TIMEOUT) {
      if (is_interrupted()) context.TryCancel();
      if (waiting_) waiting_();
      std::fflush(stdout);  // a stream that pauses has shown all that came
    }
    return ok;
  };
  const auto stream = channel_->stub.PrepareCall(&context, path_of(method), &queue);
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
    if (stopped || !message->ParseFromZeroCopyStream(&reader)) continue;
    if (!is_interrupted() && reply(*message)) continue;
    stopped = true;
    context.TryCancel();
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  wait();
  if (stopped && !is_interrupted()) return {};
  busy = context.GetServerTrailingMetadata().contains(control::kBusyKey);
  return outcome(status, context);
}

Status Client::outcome(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return {};
  if (is_interrupted()) return make_status(absl::StatusCode::kCancelled, "interrupted");
  lost_ = is_lost(status, context);
  if (lost_) return unreachable(path_, try_connect(path_), "it has not answered: " + status.error_message());
  return make_status(static_cast<absl::StatusCode>(status.error_code()), "{}", status.error_message());
}

Status Client::exchange(const google::protobuf::MethodDescriptor& method, google::protobuf::MessageFactory& factory,
                        const CallOptions& options, const std::function<const std::string*()>& next,
                        const std::function<void(const Message&)>& reply) {
  if (auto status = connected(); !status.ok()) return status;
  grpc::ClientContext context;
  if (options.dry_run) context.AddMetadata("sluice-dry-run", "1");
  grpc::CompletionQueue queue;
  const auto stream = channel_->stub.PrepareCall(&context, path_of(method), &queue);
  const std::unique_ptr<Message> message(factory.GetPrototype(method.output_type())->New());
  grpc::ByteBuffer answer;
  grpc::Status status;
  char write{}, read{}, finish{};  // tags
  bool writing = true, all_sent = false, ended = false, finished = false;
  std::uint64_t under_way = 0;
  stream->StartCall(&write);
  stream->Read(&answer, &read);
  while (!finished || writing) {
    if (!writing && !all_sent && !ended && under_way < kUnderWay) {
      writing = true;
      if (const std::string* bytes = next()) {
        ++under_way;
        const grpc::Slice slice(*bytes);
        stream->Write(grpc::ByteBuffer(&slice, 1), &write);
      } else {
        all_sent = true;
        stream->WritesDone(&write);
      }
    }
    void* tag = nullptr;
    bool ok = false;
    if (queue.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + kLook) == grpc::CompletionQueue::TIMEOUT) {
      if (is_interrupted()) context.TryCancel();
      if (waiting_) waiting_();
    } else if (tag == &write) {
      writing = false;
      all_sent = all_sent || !ok;  // the call has ended, as reading will say
    } else if (tag == &finish) {
      finished = true;
    } else if (!ok) {
      ended = true;
      stream->Finish(&status, &finish);
    } else {
      --under_way;
      grpc::ProtoBufferReader reader(&answer);
      if (message->ParseFromZeroCopyStream(&reader)) reply(*message);
      stream->Read(&answer, &read);
    }
  }
  return outcome(status, context);
}

Status Client::ask(const char* method, const Message& request, Message& reply) {
  const auto* meta = control::Description::descriptor()->file()->FindServiceByName("Meta");
  return call(*meta->FindMethodByName(method), request, *google::protobuf::MessageFactory::generated_factory(), {},
              [&](const Message& message) {
                reply.CopyFrom(message);
                return true;
              });
}

StatusOr<std::unique_ptr<control::Schema>> Client::describe() {
  control::Description description;
  if (auto status = ask("Describe", Nothing(), description); !status.ok()) return status;
  add_local(description);
  return control::Schema::make(description);
}

StatusOr<control::Version> Client::version() {
  control::Version version;
  if (auto status = ask("ShowVersion", Nothing(), version); !status.ok()) return status;
  return version;
}

control::CompleteReply Client::complete(const control::CompleteRequest& request) {
  control::CompleteReply reply;
  return ask("Complete", request, reply).ok() ? reply : control::CompleteReply();
}

}  // namespace sluice::ctl
