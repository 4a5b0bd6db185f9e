// SPDX-License-Identifier: Apache-2.0
#include "control/metrics_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "control/exports_fixture.h"
#include "sluice/testing/wait_for.h"

namespace sluice::metrics {
namespace {

using namespace std::chrono_literals;
using testing::wait_for;

class Client {
 public:
  explicit Client(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) { (void)!::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  /// Takes what has come; true when the server has ended the connection.
  bool ended() {
    char buffer[65536];
    for (;;) {
      const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) return n == 0 || errno != EAGAIN;
      got.append(buffer, static_cast<std::size_t>(n));
    }
  }
  std::string got;

 private:
  int fd_;
};

struct MetricsServerTest : testing::ExportsTest {
  void start(HttpLimits limits = {}) {
    server = std::make_unique<MetricsServer>(daemon->loop(), sources(), http, limits);
    const Status listening = server->listen(*control::ListenAddress::parse(path), "");
    ASSERT_TRUE(listening.ok()) << text(listening);
  }
  /// Runs the loop until done() is true.
  void run_until(const std::function<bool()>& done) {
    wait_for([&] {
      daemon->loop().restart();
      daemon->loop().poll();
      return done();
    });
  }
  std::string answer(std::string_view request) {
    Client client(path);
    client.send(request);
    run_until([&] { return client.ended(); });
    return client.got;
  }
  int status(std::string_view request) {
    const std::string got = answer(request);
    return got.starts_with("HTTP/1.1 ") ? std::stoi(got.substr(9)) : -1;
  }

  static constexpr std::string_view kGet = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string path = folder.file("metrics.sock");
  std::unique_ptr<MetricsServer> server;
};

TEST_F(MetricsServerTest, AnswersWithAllMetricsAndTheirLength) {
  start();
  const std::string got = answer(kGet);
  const std::size_t body = got.find("\r\n\r\n") + 4;
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_NE(got.find(fmt::format("\r\nContent-Length: {}\r\n", got.size() - body)), got.npos);
  for (const Family& family : families()) {
    const bool has = got.find(fmt::format("# TYPE {} ", family.name)) != got.npos;
    EXPECT_NE(has, family.name.starts_with("sluice_interface_")) << family.name;
  }
  EXPECT_EQ(http.requests, 1u);
}

TEST_F(MetricsServerTest, TheSocketIsTheGroupsToo) {
  start();
  struct stat found{};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777u, 0660u);
}

TEST_F(MetricsServerTest, HeadHasNoBody) {
  start();
  const std::string got = answer("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(got.ends_with("\r\n\r\n"));
}

TEST_F(MetricsServerTest, TakesARequestByteByByte) {
  start();
  Client client(path);
  for (const char byte : kGet) {
    EXPECT_FALSE(client.ended());
    client.send({&byte, 1});
    daemon->loop().restart();
    daemon->loop().poll();
  }
  run_until([&] { return client.ended(); });
  EXPECT_TRUE(client.got.starts_with("HTTP/1.1 200"));
}

TEST_F(MetricsServerTest, RefusesWhatIsHostileAndServesOn) {
  start();
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
  EXPECT_EQ(status("DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), 405);
  EXPECT_EQ(status("\x16\x03\x01\n"), 400);
  EXPECT_EQ(status(std::string(100'000, 'x')), 431);
  EXPECT_EQ(status(std::string(kGet) + std::string(100'000, 'x')), 200) << "what comes behind a request is not read";
  EXPECT_EQ(status(std::string(kGet) + std::string(kGet)), 200);
  EXPECT_EQ(http.refused, 4u);
  {
    Client leaves_at_once(path);
  }
  {
    Client leaves_half_way(path);
    leaves_half_way.send("GET /met");
  }
  EXPECT_EQ(status(kGet), 200);
}

TEST_F(MetricsServerTest, ServesFewAtOnce) {
  start({.clients = 2});
  Client first(path), second(path), third(path);
  run_until([&] { return third.ended(); });
  EXPECT_TRUE(third.got.starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(http.too_many, 1u);
  first.send(kGet);
  second.send(kGet);
  run_until([&] { return first.ended() && second.ended(); });
  EXPECT_TRUE(first.got.starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(second.got.starts_with("HTTP/1.1 200 "));
}

TEST_F(MetricsServerTest, CutsOffWhoSaysNothing) {
  start({.request = 30ms});
  Client silent(path), slow(path);
  slow.send("GET /metrics HTTP/1.1\r\nX: ");
  run_until([&] { return silent.ended() && slow.ended(); });
  EXPECT_EQ(silent.got + slow.got, "");
  EXPECT_EQ(http.timed_out, 2u);
}

TEST_F(MetricsServerTest, AnotherOnTheSamePathIsRefused) {
  start();
  const Sources sources{daemon->dataplane(), daemon->context().interfaces(), daemon->ip().routes(),
                        daemon->ip().neighbors(), http};
  MetricsServer again(daemon->loop(), sources, http);
  EXPECT_NE(text(again.listen(*control::ListenAddress::parse(path), "")).find(path), std::string::npos);
}

TEST(ListenAddress, IsAddressAndPortOrAPath) {
  using control::ListenAddress;
  EXPECT_EQ(ListenAddress::parse("127.0.0.1:9464")->port, 9464);
  EXPECT_EQ(ListenAddress::parse("[::]:80")->address.to_string(), "::");
  EXPECT_EQ(ListenAddress::parse("/run/x.sock")->path, "/run/x.sock");
  for (const std::string wrong : {"", "9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                                  "127.0.0.1:80x", "::1:80", "[127.0.0.1]:80", "[::1]", "localhost:80", "run/x.sock"}) {
    EXPECT_FALSE(ListenAddress::parse(wrong).ok()) << wrong;
  }
  EXPECT_FALSE(ListenAddress::parse("/" + std::string(107, 'x')).ok());
}

}  // namespace
}  // namespace sluice::metrics
