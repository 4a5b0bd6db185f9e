// SPDX-License-Identifier: Apache-2.0
// The XDP program of af_xdp, compiled for this machine: any frame is read within its bounds, and another reader of the
// same bytes decides the same. The first byte of the input says which families have prefixes.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

// In place of what the kernel offers the program.
#define __BPF_HELPERS__
#define SEC(name)
#define __uint(name, value) int(*name)[value]
#define __type(name, value) __typeof__(value)* name
void* bpf_map_lookup_elem(const void* map, const void* key);
long bpf_redirect_map(const void* map, std::uint64_t key, std::uint64_t flags);
#include "../../drivers/af_xdp/filter.bpf.c"

namespace {

std::uint32_t sizes[2];
std::uint32_t place = 7;
std::uint64_t counted = 0;

// What counts as denied here.
bool denied4(const std::uint8_t* address) { return address[0] % 2 == 0; }
bool denied6(const std::uint8_t* address) { return address[0] < 0x40 || address[15] == 1; }

// Reads from the front, byte by byte.
bool is_denied(const std::uint8_t* frame, std::size_t size) {
  std::size_t at = 12;
  const auto type = [&] { return at + 2 <= size ? frame[at] * 256 + frame[at + 1] : 0; };
  for (int tags = 0; tags < 2 && (type() == 0x8100 || type() == 0x88a8); ++tags) at += 4;
  if (type() == 0x0800) return sizes[0] > 0 && at + 22 <= size && denied4(frame + at + 14);
  if (type() == 0x86dd) return sizes[1] > 0 && at + 42 <= size && denied6(frame + at + 10);
  return false;
}

// A page below 4 GiB, as an xdp_md names memory by 32 bits, with nothing behind it.
std::uint8_t* page_end() {
  static std::uint8_t* const end = [] {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* memory = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    auto* bytes = static_cast<std::uint8_t*>(memory);
    if (mprotect(bytes + page, page, PROT_NONE) != 0) std::abort();
    return bytes + page;
  }();
  return end;
}

}  // namespace

void* bpf_map_lookup_elem(const void* map, const void* key) {
  if (map == &deny_sizes) return &sizes[*static_cast<const std::uint32_t*>(key)];
  if (map == &deny_packets) return *static_cast<const std::uint32_t*>(key) == place ? &counted : nullptr;
  if (map == &deny4) return denied4(static_cast<const deny_prefix4*>(key)->address) ? &place : nullptr;
  if (map == &deny6) return denied6(static_cast<const deny_prefix6*>(key)->address) ? &place : nullptr;
  std::abort();
}

long bpf_redirect_map(const void* map, std::uint64_t key, std::uint64_t flags) {
  if (map != &sockets || key != 3) std::abort();
  return static_cast<long>(flags);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 4096) return 0;
  sizes[0] = data[0] & 1;
  sizes[1] = data[0] >> 1 & 1;
  std::uint8_t* frame = page_end() - (size - 1);
  std::memcpy(frame, data + 1, size - 1);
  xdp_md context{};
  context.data = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(frame));
  context.data_end = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(page_end()));
  context.rx_queue_index = 3;
  const std::uint64_t before = counted;
  const bool denied = is_denied(frame, size - 1);
  if (sluice_filter(&context) != (denied ? XDP_DROP : XDP_PASS)) std::abort();
  if (counted - before != denied) std::abort();
  return 0;
}
