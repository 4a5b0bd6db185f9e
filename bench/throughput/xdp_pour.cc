// SPDX-License-Identifier: Apache-2.0
// The fastest way to make packets come out of a veth: the kernel runs an XDP program over frames of its own and sends
// them out of an interface (BPF_PROG_TEST_RUN with live frames, Linux 5.18), without any socket buffer. 64-byte UDP in
// IPv4 from random ports.
//
// usage: xdp_pour INTERFACE SOURCE-MAC MAC SOURCE-ADDRESS ADDRESS    until SIGTERM
// In the namespace where it is started. Says "ready" when it begins.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t kFrame = 60;  // and 4 of checksum on a wire
constexpr std::size_t kHeaders = 42, kSourcePort = 34;
constexpr std::uint32_t kLiveFrames = 1u << 1;  // BPF_F_TEST_XDP_LIVE_FRAMES
constexpr std::uint32_t kBatch = 64, kRepeat = 1u << 18;

volatile std::sig_atomic_t ended = 0;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "xdp_pour: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

using Frame = std::array<std::uint8_t, kFrame>;
using Program = std::vector<bpf_insn>;

bpf_insn instruction(int code, int destination, int source, int offset, std::uint32_t immediate) {
  bpf_insn made{};
  made.code = static_cast<std::uint8_t>(code);
  made.dst_reg = static_cast<std::uint8_t>(destination & 15);
  made.src_reg = static_cast<std::uint8_t>(source & 15);
  made.off = static_cast<std::int16_t>(offset);
  made.imm = static_cast<std::int32_t>(immediate);
  return made;
}

void parse_mac(const char* text, std::uint8_t* to) {
  if (std::sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", to, to + 1, to + 2, to + 3, to + 4, to + 5) != 6) {
    errno = EINVAL;
    fail(text);
  }
}

Frame frame_of(char** words) {
  Frame frame{};
  parse_mac(words[3], frame.data());
  parse_mac(words[2], frame.data() + 6);
  constexpr std::array<std::uint8_t, 12> ip{8, 0, 0x45, 0, 0, kFrame - 14, 0, 0, 0x40, 0, 64, IPPROTO_UDP};
  std::memcpy(frame.data() + 12, ip.data(), ip.size());
  for (const auto& [word, at] : {std::pair{words[4], 26}, {words[5], 30}}) {
    if (inet_pton(AF_INET, word, frame.data() + at) != 1) fail(word);
  }
  std::uint32_t sum = 0;
  for (std::size_t i = 14; i < 34; i += 2) sum += static_cast<std::uint32_t>(frame[i] << 8 | frame[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  const std::uint16_t checksum = htons(static_cast<std::uint16_t>(~((sum & 0xffff) + (sum >> 16))));
  std::memcpy(frame.data() + 24, &checksum, sizeof checksum);
  frame[37] = 9;
  frame[39] = kFrame - 34;  // UDP without a checksum
  return frame;
}

/// Frames are used again after a receiver has changed them, so each one's headers are written anew.
Program sender(const Frame& frame) {
  Program program;
  const auto add = [&](int code, int destination, int source, int offset, std::uint32_t immediate) {
    program.push_back(instruction(code, destination, source, offset, immediate));
  };
  add(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0);
  add(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32);
  add(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(xdp_md, data), 0);
  add(BPF_LDX | BPF_MEM | BPF_W, 3, 6, offsetof(xdp_md, data_end), 0);
  add(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0);
  add(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, kFrame);
  const std::size_t jump = program.size();
  add(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 0, 0);
  for (std::size_t at = 0; at < kHeaders; at += 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, frame.data() + at, sizeof bytes);
    add(BPF_LD | BPF_IMM | BPF_DW, 1, 0, 0, static_cast<std::uint32_t>(bytes));
    add(0, 0, 0, 0, static_cast<std::uint32_t>(bytes >> 32));
    add(BPF_STX | BPF_MEM | BPF_DW, 2, 1, static_cast<int>(at), 0);
  }
  add(BPF_STX | BPF_MEM | BPF_H, 2, 0, kSourcePort, 0);
  program[jump].off = static_cast<std::int16_t>(program.size() - jump - 1);
  add(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_TX);
  add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  return program;
}

int load(const Program& program) {
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  const int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "xdp_pour", "Apache-2.0", program.data(), program.size(), &options);
  if (fd < 0) fail("loading the program");
  return fd;
}

void send(int program, int interface, const Frame& frame) {
  xdp_md context{};
  context.data_end = kFrame;
  context.ingress_ifindex = static_cast<std::uint32_t>(interface);
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = kFrame;
  options.ctx_in = &context;
  options.ctx_size_in = sizeof context;
  options.repeat = kRepeat;
  options.flags = kLiveFrames;
  options.batch_size = kBatch;
  std::puts("ready");
  std::fflush(stdout);
  while (!ended) {
    if (bpf_prog_test_run_opts(program, &options) != 0 && errno != EINTR) fail("sending");
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 6) {
    std::fprintf(stderr, "usage: xdp_pour INTERFACE SOURCE-MAC MAC SOURCE-ADDRESS ADDRESS\n");
    return 2;
  }
  struct sigaction action{};
  action.sa_handler = [](int) { ended = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  const int interface = static_cast<int>(if_nametoindex(words[1]));
  if (interface == 0) fail(words[1]);
  const Frame frame = frame_of(words);
  send(load(sender(frame)), interface, frame);
  return 0;
}
