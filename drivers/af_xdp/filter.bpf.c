// SPDX-License-Identifier: Apache-2.0
// What runs in the kernel for each frame of an interface: sources on the deny list are dropped and counted, the rest
// goes to the socket of the queue that it came in by. A queue without a socket leaves its frames to the kernel's own
// stack.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
//
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "filter_maps.h"

struct vlan_tag {
  __be16 tci, type;
} __attribute__((packed));  // a frame may begin anywhere

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, 1);  // the loader says how many queues there are
  __type(key, __u32);
  __type(value, __u32);
} sockets SEC(".maps");

// Shared by all interfaces.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);  // how many prefixes are denied: IPv4, IPv6
  __type(key, __u32);
  __type(value, __u32);
} deny_sizes SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, SLUICE_MOST_DENIED);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct deny_prefix4);
  __type(value, __u32);  // the place in deny_packets
} deny4 SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, SLUICE_MOST_DENIED);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct deny_prefix6);
  __type(value, __u32);
} deny6 SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, SLUICE_MOST_DENIED);
  __type(key, __u32);
  __type(value, __u64);
} deny_packets SEC(".maps");

static __always_inline int has_prefixes(__u32 family) {
  const __u32* size = (const __u32*)bpf_map_lookup_elem(&deny_sizes, &family);
  return size && *size;
}

static __always_inline int count(const __u32* place) {
  if (!place) return 0;
  __u64* packets = (__u64*)bpf_map_lookup_elem(&deny_packets, place);
  if (packets) ++*packets;
  return 1;
}

static __always_inline int is_denied(struct xdp_md* frame) {
  const int any4 = has_prefixes(0), any6 = has_prefixes(1);
  if (!any4 && !any6) return 0;
  void* end = (void*)(long)frame->data_end;
  struct ethhdr* ethernet = (struct ethhdr*)(long)frame->data;
  if ((void*)(ethernet + 1) > end) return 0;
  void* at = ethernet + 1;
  __be16 type = ethernet->h_proto;
  for (int tags = 0; tags < 2; ++tags) {
    if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD)) break;
    const struct vlan_tag* tag = (const struct vlan_tag*)at;
    if ((void*)(tag + 1) > end) return 0;
    type = tag->type;
    at = (void*)(tag + 1);
  }
  if (any4 && type == bpf_htons(ETH_P_IP)) {
    const char* ip = (const char*)at;
    if ((void*)(ip + sizeof(struct iphdr)) > end) return 0;
    struct deny_prefix4 key = {.length = 32, .address = {0}};
    __builtin_memcpy(key.address, ip + __builtin_offsetof(struct iphdr, saddr), sizeof key.address);
    return count((const __u32*)bpf_map_lookup_elem(&deny4, &key));
  }
  if (any6 && type == bpf_htons(ETH_P_IPV6)) {
    const char* ip = (const char*)at;
    if ((void*)(ip + sizeof(struct ipv6hdr)) > end) return 0;
    struct deny_prefix6 key = {.length = 128, .address = {0}};
    __builtin_memcpy(key.address, ip + __builtin_offsetof(struct ipv6hdr, saddr), sizeof key.address);
    return count((const __u32*)bpf_map_lookup_elem(&deny6, &key));
  }
  return 0;
}

SEC("xdp")
int sluice_filter(struct xdp_md* frame) {
  if (is_denied(frame)) return XDP_DROP;
  return bpf_redirect_map(&sockets, frame->rx_queue_index, XDP_PASS);
}

// None of the helpers above asks for the GPL.
char licence[] SEC("license") = "Apache-2.0";
