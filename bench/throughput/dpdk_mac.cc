// SPDX-License-Identifier: Apache-2.0
// The peer of the entries device/dpdk_null and device/dpdk_ring: forwards between two of DPDK's virtual devices as
// dpdk-testpmd's mac mode does, which rewrites both MAC addresses and nothing else, with testpmd's bursts and pool. It
// is a program of its own because testpmd has no way to stamp the packets; without the stamp both reach the same.
//
// Prints packets of both ways, by the time that the thread has had of its core.
//
// usage: dpdk_mac CPU SECONDS null|ring stamp|plain
#include "dpdk_stamp.h"
// (DPDK's first header, rte_config.h, is in there)
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace {

constexpr std::uint16_t kBurst = 32, kRing = 512, kSeed = 64;
constexpr unsigned kBuffers = 16384, kCache = 250;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "dpdk_mac: %s\n", what);
  std::exit(1);
}

struct Port {
  std::uint16_t id;
  rte_ether_addr mac;
};

Port open_port(const std::string& name, rte_mempool* pool) {
  Port port{};
  rte_eth_conf conf{};
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port.id) != 0 || rte_eth_dev_configure(port.id, 1, 1, &conf) != 0 ||
      rte_eth_rx_queue_setup(port.id, 0, kRing, 0, nullptr, pool) != 0 ||
      rte_eth_tx_queue_setup(port.id, 0, kRing, 0, nullptr) != 0 || rte_eth_dev_start(port.id) != 0)
    fail(name.c_str());
  rte_eth_macaddr_get(port.id, &port.mac);
  return port;
}

/// What this thread has had of its core: others may run there too.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// As app/test-pmd/macfwd.c has it.
std::uint64_t forward(const Port& from, const Port& to, const rte_ether_addr& peer) {
  rte_mbuf* burst[kBurst];
  const std::uint16_t n = rte_eth_rx_burst(from.id, 0, burst, kBurst);
  if (n == 0) return 0;
  for (std::uint16_t i = 0; i < n; ++i) {
    if (i + 1 < n) rte_prefetch0(rte_pktmbuf_mtod(burst[i + 1], void*));
    rte_mbuf* mbuf = burst[i];
    auto* ethernet = rte_pktmbuf_mtod(mbuf, rte_ether_hdr*);
    rte_ether_addr_copy(&peer, &ethernet->dst_addr);
    rte_ether_addr_copy(&to.mac, &ethernet->src_addr);
    mbuf->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
    mbuf->l2_len = sizeof(rte_ether_hdr);
    mbuf->l3_len = 20;
    mbuf->vlan_tci = 0;
    mbuf->vlan_tci_outer = 0;
  }
  const std::uint16_t sent = rte_eth_tx_burst(to.id, 0, burst, n);
  for (std::uint16_t i = sent; i < n; ++i) rte_pktmbuf_free(burst[i]);
  return sent;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) fail("usage: dpdk_mac CPU SECONDS null|ring stamp|plain");
  const std::string kind = argv[3], first = "net_" + kind + "0", second = "net_" + kind + "1";
  const std::string lcores = std::string("0@") + argv[1], prefix = "dpdk_mac" + std::to_string(getpid());
  std::vector<std::string> words{
      "dpdk_mac", "--lcores", lcores, "--no-pci",          "--in-memory",   "-m",  "128", "--no-telemetry", "--vdev",
      first,      "--vdev",   second, "--log-level=error", "--file-prefix", prefix};
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0) fail("DPDK does not start");
  rte_mempool* pool = rte_pktmbuf_pool_create("mbufs", kBuffers, kCache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
  if (!pool) fail("no memory for buffers");
  const Port a = open_port(first, pool), b = open_port(second, pool);
  const auto stamp_a = sluice::bench::make_stamp(a.mac.addr_bytes, 1);
  const auto stamp_b = sluice::bench::make_stamp(b.mac.addr_bytes, 0);
  if (std::string(argv[4]) == "stamp" &&
      (!sluice::bench::stamp_port(a.id, stamp_a) || !sluice::bench::stamp_port(b.id, stamp_b)))
    fail("no callback");
  if (kind == "ring") {
    for (const Port& port : {a, b}) {
      rte_mbuf* seed[kSeed];
      if (rte_pktmbuf_alloc_bulk(pool, seed, kSeed) != 0) fail("no buffers");
      for (rte_mbuf* mbuf : seed) mbuf->data_len = 64, mbuf->pkt_len = 64;
      if (rte_eth_tx_burst(port.id, 0, seed, kSeed) != kSeed) fail("the ring takes no packets");
    }
  }
  const rte_ether_addr peer_a{{2, 0, 0, 0, 0, 1}}, peer_b{{2, 0, 0, 0, 0, 2}};
  const double seconds = std::atof(argv[2]);
  const std::uint64_t hz = rte_get_tsc_hz(), warm = rte_rdtsc() + hz / 10;
  while (rte_rdtsc() < warm) forward(a, b, peer_b), forward(b, a, peer_a);
  const std::uint64_t end = rte_rdtsc() + static_cast<std::uint64_t>(seconds * static_cast<double>(hz));
  const double began = cpu_seconds();
  std::uint64_t sent = 0;
  while (rte_rdtsc() < end) {
    for (int i = 0; i < 100; ++i) sent += forward(a, b, peer_b) + forward(b, a, peer_a);
  }
  std::printf("Mpps %.3f\n", static_cast<double>(sent) / (cpu_seconds() - began) / 1e6);
  std::fflush(stdout);
  rte_eth_dev_stop(a.id);
  rte_eth_dev_stop(b.id);
  return 0;
}
