// SPDX-License-Identifier: Apache-2.0
#include "filter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

#include "filter_object.h"

namespace sluice::af_xdp {
namespace {

constexpr const char* kProgram = "sluice_filter";
constexpr std::uint32_t kHasFrags = 1u << 5;  // BPF_F_XDP_HAS_FRAGS

// libbpf prints what the kernel's verifier says; the last line that is no warning of its own is the reason.
thread_local std::string last_words;

int listen(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 512> line;
  vsnprintf(line.data(), line.size(), format, arguments);
  last_words = line.data();
  while (!last_words.empty() && last_words.back() == '\n') last_words.pop_back();
  return 0;
}

bpf_object* open_object(std::uint32_t queues, const DenyMaps& shared, bool frags) {
  bpf_object* object = bpf_object__open_mem(kFilterObject, kFilterObjectSize, nullptr);
  if (!object) return nullptr;
  int failed = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "sockets"), queues);
  for (const auto& [name, fd] : {std::pair{"deny_sizes", shared.sizes},
                                 {"deny4", shared.prefixes4},
                                 {"deny6", shared.prefixes6},
                                 {"deny_packets", shared.packets}}) {
    if (fd >= 0 && failed == 0) failed = bpf_map__reuse_fd(bpf_object__find_map_by_name(object, name), fd);
  }
  bpf_program* program = bpf_object__find_program_by_name(object, kProgram);
  if (frags && failed == 0) failed = bpf_program__set_flags(program, bpf_program__flags(program) | kHasFrags);
  if (failed == 0) failed = bpf_object__load(object);
  if (failed == 0) return object;
  bpf_object__close(object);
  errno = -failed;
  return nullptr;
}

}  // namespace

StatusOr<std::unique_ptr<Filter>> Filter::load(std::uint32_t queues, const DenyMaps& shared) {
  libbpf_set_print(listen);
  last_words.clear();
  std::unique_ptr<Filter> filter(new Filter);
  filter->object_ = open_object(queues, shared, true);
  filter->frags_ = filter->object_ != nullptr;
  if (!filter->object_ && errno != EPERM) filter->object_ = open_object(queues, shared, false);
  if (!filter->object_) {
    if (errno == EPERM)
      return not_permitted("XDP program: loading it needs the capabilities CAP_BPF and CAP_NET_ADMIN; run as root");
    return unavailable("XDP program: the kernel refuses it: {}{}{}", std::strerror(errno),
                       last_words.empty() ? "" : "; ", last_words);
  }
  filter->program_ = bpf_program__fd(bpf_object__find_program_by_name(filter->object_, kProgram));
  filter->sockets_ = filter->map("sockets");
  return filter;
}

Filter::~Filter() {
  detach();
  if (object_) bpf_object__close(object_);
}

int Filter::attach(int interface_index, Hook hook) {
  detach();
  LIBBPF_OPTS(bpf_link_create_opts, options);
  options.flags = hook == Hook::Native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
  const int link = bpf_link_create(program_, interface_index, BPF_XDP, &options);
  if (link < 0) return -link;
  link_ = link;
  return 0;
}

void Filter::detach() {
  if (link_ >= 0) close(link_);
  link_ = -1;
}

int Filter::serve(std::uint32_t queue, int socket) {
  return bpf_map_update_elem(sockets_, &queue, &socket, BPF_ANY) == 0 ? 0 : errno;
}

DenyMaps Filter::deny_maps() const {
  return {
      .sizes = map("deny_sizes"), .prefixes4 = map("deny4"), .prefixes6 = map("deny6"), .packets = map("deny_packets")};
}

int Filter::map(const char* name) const { return bpf_map__fd(bpf_object__find_map_by_name(object_, name)); }

std::string program_on(int interface_index) {
  std::uint32_t id = 0;
  if (bpf_xdp_query_id(interface_index, 0, &id) != 0 || id == 0) return {};
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  const int program = bpf_prog_get_fd_by_id(id);
  const bool known = program >= 0 && bpf_obj_get_info_by_fd(program, &info, &size) == 0;
  if (program >= 0) close(program);
  return known && info.name[0] ? fmt::format("id {}, {}", id, info.name) : fmt::format("id {}", id);
}

}  // namespace sluice::af_xdp
