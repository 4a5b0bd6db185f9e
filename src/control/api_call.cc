// SPDX-License-Identifier: Apache-2.0
#include "control/api_call.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <asio/post.hpp>

#include "control/api_server.h"
#include "control/selected_stream.h"
#include "sluice/log.h"

namespace sluice::control {
namespace {

constexpr auto kSlice = std::chrono::milliseconds(1);
constexpr std::size_t kQueueMax = 256 * 1024;  // bytes that wait for the client before its handler pauses

grpc::Status to_grpc(const Status& status) { return {static_cast<grpc::StatusCode>(status.raw_code()), text(status)}; }

}  // namespace

Call::Call(std::shared_ptr<CallShared> shared, grpc::GenericCallbackServerContext& grpc, const Api::Method& method,
           CallContext::Origin origin, bool dry_run, std::string verbs)
    : shared_(std::move(shared)),
      grpc_(grpc),
      method_(method),
      context_(origin, dry_run),
      request_(method.request->New()),
      verbs_(std::move(verbs)) {}

bool Call::start() {
  {
    const std::lock_guard lock(shared_->mutex);
    const std::size_t others = shared_->calls.size() - shared_->read_only_calls;
    const bool full =
        is_read_only() ? shared_->read_only_calls >= shared_->limits.open_read_only : others >= shared_->limits.open;
    if (full) return false;
    shared_->read_only_calls += is_read_only();
    shared_->calls.insert(shared_from_this());
  }
  StartRead(&request_bytes_);
  return true;
}

void Call::drop() {
  timer_.reset();
  stream_.reset();
}

void Call::OnReadDone(bool ok) {
  const bool batches = method_.batches;
  if (!ok) return finish(batches ? Status() : refused("the call brought no request"));
  const bool first = !request_read_;
  {
    const std::lock_guard lock(mutex_);  // what the control thread did with the last batch has happened before
    if (finished_ || ended_) return;
  }
  grpc::ProtoBufferReader reader(&request_bytes_);
  if (!request_->ParseFromZeroCopyStream(&reader)) {
    return finish(refused("the {} is not a {}", batches ? "batch" : "request", request_->GetTypeName()));
  }
  // Who has been let in with a batch waits with the next one for nothing but its turn.
  if (first && shared_->waiting.fetch_add(1) >= ApiServer::kWaitingMax) {
    shared_->waiting.fetch_sub(1);
    grpc_.AddTrailingMetadata(kBusyKey, "1");
    return finish(exhausted("{} calls wait already; try again", ApiServer::kWaitingMax));
  }
  request_read_ = true;
  asio::post(shared_->loop, [self = shared_from_this(), first] {
    if (first) self->shared_->waiting.fetch_sub(1);
    self->run();
  });
}

void Call::run() {
  if (context_.cancelled()) return;
  if (method_.batches) return run_batch();
  if (method_.streaming) {
    Status status;
    stream_ = shared_->dispatcher.open(method_, *request_, context_, status);
    if (stream_ && !verbs_.empty()) status = select();
    if (!status.ok()) stream_.reset();
    return stream_ ? pump() : finish(status);
  }
  std::unique_ptr<google::protobuf::Message> reply(method_.reply->New());
  const auto status = shared_->dispatcher.call(method_, *request_, *reply, context_);
  if (status.ok()) send(*reply);
  finish(status);
}

void Call::run_batch() {
  const std::unique_ptr<google::protobuf::Message> reply(method_.reply->New());
  const auto status = shared_->dispatcher.call(method_, *request_, *reply, context_);
  if (!status.ok()) return finish(status);
  send(*reply);
  read_next();
}

/// Not before the client has read what it was answered: it is held back as it holds us back.
void Call::read_next() {
  if (is_stalled()) return stall();
  const std::lock_guard lock(mutex_);
  if (!finished_ && !ended_) StartRead(&request_bytes_);
}

/// Before the handler's first row.
Status Call::select() {
  ListVerbs verbs;
  if (!verbs.ParseFromString(verbs_)) return refused("{}: no {}", kListVerbsKey, verbs.GetTypeName());
  auto selection = Selection::make(*method_.descriptor->output_type(), verbs);
  if (!selection.ok()) return selection.status();
  stream_ = std::make_unique<SelectedStream>(std::move(stream_), *std::move(selection));
  return {};
}

bool Call::is_stalled() {
  const std::lock_guard lock(mutex_);
  return stalled_ = queued_bytes_ >= kQueueMax;
}

void Call::pump() {
  if (method_.batches) return read_next();
  const auto begin = std::chrono::steady_clock::now();
  while (stream_ && !context_.cancelled()) {
    if (is_stalled()) return stall();
    switch (stream_->next()) {
      case AnyStream::Step::Value: send(stream_->value()); break;
      case AnyStream::Step::Pause: return later(std::chrono::milliseconds(0));
      case AnyStream::Step::Wait: return later(stream_->wait());
      case AnyStream::Step::End: {
        const auto status = stream_->status();
        stream_.reset();
        return finish(status);
      }
    }
    if (std::chrono::steady_clock::now() - begin >= kSlice) return later(std::chrono::milliseconds(0));
  }
  stream_.reset();
}

void Call::later(std::chrono::milliseconds time) {
  if (time.count() <= 0) return asio::post(shared_->loop, [self = shared_from_this()] { self->pump(); });
  timer_ = std::make_unique<asio::steady_timer>(shared_->loop, time);
  timer_->async_wait([weak = weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (self && !error) self->pump();
  });
}

/// A client that never reads is cut off: what it holds is for others.
void Call::stall() {
  timer_ = std::make_unique<asio::steady_timer>(shared_->loop, shared_->limits.stall);
  timer_->async_wait([weak = weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (!self || error) return;
    {
      const std::lock_guard lock(self->mutex_);
      if (!self->stalled_ || self->finished_) return;
    }
    log(sluice::LogLevel::Warning, "a client does not read its stream and is cut off",
        field("method", self->method_.descriptor->full_name()));
    self->grpc_.TryCancel();  // OnCancel does the rest
  });
}

void Call::send(const google::protobuf::Message& message) {
  grpc::ByteBuffer bytes;
  bool own = false;
  const auto status = grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::Message>(message, &bytes, &own);
  if (!status.ok()) return;
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  queued_bytes_ += bytes.Length();
  queue_.push_back(bytes);
  if (!writing_) write_next();
}

void Call::write_next() {
  in_flight_ = queue_.front();
  queue_.pop_front();
  queued_bytes_ -= in_flight_.Length();
  writing_ = true;
  grpc::WriteOptions options;
  if (!queue_.empty()) options.set_buffer_hint();
  StartWrite(&in_flight_, options);
}

void Call::OnWriteDone(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  if (!ok || finished_) return;  // the client has gone; OnCancel follows
  if (!queue_.empty()) {
    write_next();
  } else if (ended_) {
    finished_ = true;
    Finish(end_);
  }
  if (stalled_ && queued_bytes_ < kQueueMax / 2) {
    stalled_ = false;
    asio::post(shared_->loop, [self = shared_from_this()] { self->pump(); });
  }
}

void Call::finish(const Status& status) {
  const std::lock_guard lock(mutex_);
  if (finished_ || ended_) return;
  ended_ = true;
  end_ = to_grpc(status);
  if (writing_) return;
  finished_ = true;
  Finish(end_);
}

void Call::OnCancel() {
  context_.cancel();
  {
    const std::lock_guard lock(mutex_);
    if (!finished_) {
      finished_ = true;
      Finish(grpc::Status::CANCELLED);
    }
  }
  // The handler's state lives on the control thread and ends there, also when it waits for a timer or for the client.
  asio::post(shared_->loop, [self = shared_from_this()] { self->drop(); });
}

void Call::OnDone() {
  const auto self = shared_from_this();  // may be the last but one: a posted lambda may hold another
  const std::lock_guard lock(shared_->mutex);
  shared_->calls.erase(self);
  shared_->read_only_calls -= is_read_only();
}

}  // namespace sluice::control
