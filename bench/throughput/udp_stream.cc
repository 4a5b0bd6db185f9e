// SPDX-License-Identifier: Apache-2.0
// A steady stream of numbered UDP datagrams, and who counts which of them came: for benchmarks that ask whether
// anything was lost. 18 bytes of payload, so frames of 60 bytes. Numbers are host order: both ends are on this machine.
//
// usage: udp_stream receive ADDRESS PORT         says "ready", counts until SIGTERM
//        udp_stream send ADDRESS PORT RATE [S]   datagrams a second, for S seconds or until SIGTERM
// Each prints its counts as JSON when it ends: sent and unsent (the socket took them not), received, repeated, overflow
// (lost in the receiver's own socket), and the numbers of the first and the last that was received.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kPayload = 18;
constexpr std::size_t kBatch = 64;
constexpr std::int64_t kTick = 500'000;    // ns between two bursts
constexpr int kSocketBytes = 64 << 20;     // a receiver that is not run for a while loses nothing
constexpr std::uint64_t kMost = 1u << 31;  // datagrams of one stream

volatile std::sig_atomic_t ended = 0;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "udp_stream: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

/// Datagrams to be sent or received at once.
struct Batch {
  std::array<std::array<std::byte, kPayload>, kBatch> payloads{};
  std::array<iovec, kBatch> parts{};
  std::array<mmsghdr, kBatch> messages{};
  std::array<std::byte, CMSG_SPACE(sizeof(std::uint32_t))> control{};

  Batch() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts[i] = {payloads[i].data(), kPayload};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
  std::uint64_t number(std::size_t i) const {
    std::uint64_t n;
    std::memcpy(&n, payloads[i].data(), sizeof n);
    return n;
  }
  void set_number(std::size_t i, std::uint64_t n) { std::memcpy(payloads[i].data(), &n, sizeof n); }
};

sockaddr_in address_of(char** words) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(words[3])));
  if (inet_pton(AF_INET, words[2], &address.sin_addr) != 1) fail(words[2]);
  return address;
}

int receive(int fd, const sockaddr_in& address) {
  const int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBytes, sizeof kSocketBytes) != 0) fail("SO_RCVBUFFORCE");
  if (setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on) != 0) fail("SO_RXQ_OVFL");
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
  std::puts("ready");
  std::fflush(stdout);
  Batch batch;
  std::vector<bool> seen;
  std::uint64_t received = 0, repeated = 0, first = ~std::uint64_t{0}, last = 0;
  std::uint32_t overflow = 0;
  while (!ended) {
    batch.messages[0].msg_hdr.msg_control = batch.control.data();
    batch.messages[0].msg_hdr.msg_controllen = batch.control.size();
    const int n = recvmmsg(fd, batch.messages.data(), kBatch, MSG_WAITFORONE, nullptr);
    if (n < 0 && errno != EINTR) fail("recvmmsg");
    if (n <= 0) continue;
    if (const auto* c = CMSG_FIRSTHDR(&batch.messages[0].msg_hdr))
      std::memcpy(&overflow, CMSG_DATA(c), sizeof overflow);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      const std::uint64_t number = batch.number(i);
      if (number >= kMost) continue;
      if (number >= seen.size()) seen.resize(std::max<std::size_t>(2 * seen.size(), number + 1));
      repeated += seen[number];
      received += !seen[number];
      seen[number] = true;
      first = std::min(first, number);
      last = std::max(last, number);
    }
  }
  std::printf("{\"received\": %llu, \"repeated\": %llu, \"overflow\": %u, \"first\": %lld, \"last\": %llu}\n",
              static_cast<unsigned long long>(received), static_cast<unsigned long long>(repeated), overflow,
              static_cast<long long>(first), static_cast<unsigned long long>(last));
  return 0;
}

std::int64_t now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}

void wait_until(std::int64_t time) {
  const timespec t{time / 1'000'000'000, time % 1'000'000'000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
}

/// In bursts every half millisecond. What could not be sent in time because the machine was busy comes later, but no
/// faster than twice the rate.
int send(int fd, const sockaddr_in& address, double rate, double seconds) {
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("connect");
  Batch batch;
  std::uint64_t sent = 0, unsent = 0;
  const auto most = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(2 * rate * kTick / 1e9) + 1);
  const std::int64_t begin = now();
  const auto wanted_at = [&](std::int64_t t) { return static_cast<std::uint64_t>(rate * double(t - begin) / 1e9); };
  for (std::int64_t tick = begin; !ended && double(now() - begin) < seconds * 1e9;
       tick = std::max(tick + kTick, now())) {
    wait_until(tick);
    const std::uint64_t due = std::min(wanted_at(now()) - std::min(wanted_at(now()), sent), most);
    for (std::uint64_t left = due; left > 0;) {
      const auto n = static_cast<unsigned>(std::min<std::uint64_t>(left, kBatch));
      for (unsigned i = 0; i < n; ++i) batch.set_number(i, sent + i);
      const int done = sendmmsg(fd, batch.messages.data(), n, 0);
      if (done < 0 && errno == EINTR) break;
      if (done < 0 && errno != ENOBUFS && errno != ECONNREFUSED) fail("sendmmsg");
      if (done < 0) ++unsent;
      const auto went = static_cast<unsigned>(std::max(done, 0));
      sent += went;
      left -= std::max(went, done < 0 ? n : went);
    }
  }
  std::printf("{\"sent\": %llu, \"unsent\": %llu, \"seconds\": %.3f}\n", static_cast<unsigned long long>(sent),
              static_cast<unsigned long long>(unsent), double(now() - begin) / 1e9);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const std::string_view what = count > 1 ? words[1] : "";
  if (!(what == "receive" && count == 4) && !(what == "send" && (count == 5 || count == 6))) {
    std::fprintf(stderr, "usage: udp_stream receive ADDRESS PORT | udp_stream send ADDRESS PORT RATE [SECONDS]\n");
    return 2;
  }
  struct sigaction action{};
  action.sa_handler = [](int) { ended = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const auto address = address_of(words);
  if (what == "receive") return receive(fd, address);
  return send(fd, address, std::atof(words[4]), count == 6 ? std::atof(words[5]) : 1e9);
}
