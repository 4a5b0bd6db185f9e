// SPDX-License-Identifier: Apache-2.0
#include "control/metrics_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <asio/generic/stream_protocol.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <cerrno>
#include <optional>
#include <set>

#include "control/http_request.h"
#include "control/process.h"
#include "control/socket_lock.h"

namespace sluice::metrics {
namespace {

using Socket = asio::generic::stream_protocol::socket;
constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::chrono::milliseconds kAcceptAgain{200};  // after an error that is not the client's: no descriptor left
constexpr std::chrono::milliseconds kLinger{1000};      // for the client to end the connection
constexpr int kAcceptMost = 16;                         // in one turn of the loop

}  // namespace

struct MetricsServer::State : std::enable_shared_from_this<State> {
  State(asio::io_context& l, const Sources& s, HttpCounters& c, const HttpLimits& m)
      : loop(l), sources(s), counters(c), limits(m), listener(l), again(l) {}

  void wait();
  void accept();
  void take(int fd);
  void stop();

  asio::io_context& loop;
  const Sources sources;
  HttpCounters& counters;
  const HttpLimits limits;
  std::optional<control::SocketLock> lock;
  asio::posix::stream_descriptor listener;
  asio::steady_timer again;
  int family = AF_UNIX;
  std::set<std::shared_ptr<Session>> sessions;
};

/// One client: a request, an answer, the end.
class MetricsServer::Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(State& state) : state_(&state), socket_(state.loop), timer_(state.loop) {}

  void start(int fd) {
    asio::error_code error;
    socket_.assign(asio::generic::stream_protocol(state_->family, 0), fd, error);
    if (error) {
      close(fd);
      return finish();
    }
    expire_after(state_->limits.request);
    read();
  }
  /// Lets go of everything; what is under way ends with an error.
  void stop() {
    state_ = nullptr;
    timer_.cancel();
    asio::error_code ignored;
    socket_.close(ignored);
  }

 private:
  void finish() {
    if (!state_) return;
    State& state = *state_;
    const auto self = shared_from_this();
    stop();
    state.sessions.erase(self);
  }
  void expire_after(std::chrono::milliseconds time) {
    timer_.expires_after(time);
    timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
      const bool set_anew = self->timer_.expiry() > std::chrono::steady_clock::now();
      if (error || set_anew || !self->state_) return;
      if (!self->answered_) ++self->state_->counters.timed_out;
      self->finish();
    });
  }
  void read() {
    socket_.async_read_some(asio::buffer(head_.data() + size_, head_.size() - size_),
                            [self = shared_from_this()](const asio::error_code& error, std::size_t n) {
                              if (!self->state_) return;
                              if (error) return self->finish();
                              self->size_ += n;
                              self->take_request();
                            });
  }
  void take_request() {
    request_ = http::read_request({head_.data(), size_});
    if (request_.status == 0) return read();
    if (request_.status == 200) return collect(0);
    ++state_->counters.refused;
    answer_ = http::error_response(request_);
    write();
  }
  /// One family in each turn of the loop, so that a node of thousands of interfaces holds nobody up.
  void collect(std::size_t family) {
    const auto all = families();
    if (family < all.size()) {
      append_text(all[family], state_->sources, answer_);
      asio::post(state_->loop, [self = shared_from_this(), family] {
        if (self->state_) self->collect(family + 1);
      });
      return;
    }
    ++state_->counters.requests;
    const std::string head = http::response_head(200, kContentType, answer_.size());
    answer_ = request_.head_only ? head : head + answer_;
    write();
  }
  void write() {
    expire_after(state_->limits.response);
    asio::async_write(socket_, asio::buffer(answer_), [self = shared_from_this()](const asio::error_code& error, auto) {
      if (!self->state_) return;
      if (error) return self->finish();
      // A connection that is closed while bytes lie unread is reset, and the answer may be lost with it.
      asio::error_code ignored;
      self->socket_.shutdown(Socket::shutdown_send, ignored);
      self->answered_ = true;
      self->expire_after(kLinger);
      self->wait_for_end();
    });
  }
  void wait_for_end() {
    socket_.async_read_some(asio::buffer(head_), [self = shared_from_this()](const asio::error_code& error, auto) {
      if (!self->state_) return;
      error ? self->finish() : self->wait_for_end();
    });
  }

  State* state_;  // null: it is over
  Socket socket_;
  asio::steady_timer timer_;
  std::array<char, http::kHeadMax> head_;
  std::size_t size_ = 0;
  http::Request request_;
  std::string answer_;
  bool answered_ = false;
};

void MetricsServer::State::wait() {
  listener.async_wait(asio::posix::stream_descriptor::wait_read,
                      [weak = weak_from_this()](const asio::error_code& error) {
                        if (const auto self = weak.lock(); self && !error) self->accept();
                      });
}

void MetricsServer::State::accept() {
  for (int i = 0; i < kAcceptMost; ++i) {
    const int fd = accept4(listener.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      take(fd);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      again.expires_after(kAcceptAgain);
      again.async_wait([weak = weak_from_this()](const asio::error_code& error) {
        if (const auto self = weak.lock(); self && !error) self->wait();
      });
      return;
    }
  }
  wait();
}

void MetricsServer::State::take(int fd) {
  if (sessions.size() < limits.clients) {
    const auto session = std::make_shared<Session>(*this);
    sessions.insert(session);
    return session->start(fd);
  }
  ++counters.too_many;
  const std::string answer = http::error_response({503});
  (void)!send(fd, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  close(fd);
}

void MetricsServer::State::stop() {
  asio::error_code ignored;
  listener.close(ignored);
  again.cancel();
  for (const auto& session : sessions) session->stop();
  sessions.clear();
}

MetricsServer::MetricsServer(asio::io_context& loop, const Sources& sources, HttpCounters& counters, HttpLimits limits)
    : state_(std::make_shared<State>(loop, sources, counters, limits)) {}

MetricsServer::~MetricsServer() { state_->stop(); }

Status MetricsServer::listen(const control::ListenAddress& where, const std::string& group) {
  if (!where.path.empty()) {
    auto lock = control::SocketLock::take(where.path);
    if (!lock.ok()) return lock.status();
    state_->lock.emplace(*std::move(lock));
  }
  const auto fd = control::listen_on(where);
  if (!fd.ok()) return fd.status();
  asio::error_code error;
  state_->listener.assign(*fd, error);
  if (error) {
    close(*fd);
    return unavailable("cannot wait for clients of the metrics: {}", error.message());
  }
  if (!where.path.empty() && !group.empty()) {
    if (auto status = process::give_to_group(where.path, group); !status.ok()) return status;
  }
  state_->family = !where.path.empty() ? AF_UNIX : where.address.is_ip4() ? AF_INET : AF_INET6;
  state_->wait();
  return {};
}

std::uint16_t MetricsServer::port() const {
  sockaddr_in6 address{};  // the port is at the same place in both families
  socklen_t size = sizeof address;
  getsockname(state_->listener.native_handle(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);
}

}  // namespace sluice::metrics
