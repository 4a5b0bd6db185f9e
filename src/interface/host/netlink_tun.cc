// SPDX-License-Identifier: Apache-2.0
// What is particular to a TUN or tap.
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>

#include <array>

#include "sluice/host.h"

namespace sluice::host {
namespace {

struct PutLink {
  void operator()(rtnl_link* link) const { rtnl_link_put(link); }
};
struct PutQdisc {
  void operator()(rtnl_qdisc* qdisc) const { rtnl_qdisc_put(qdisc); }
};
using LinkPtr = std::unique_ptr<rtnl_link, PutLink>;
using QdiscPtr = std::unique_ptr<rtnl_qdisc, PutQdisc>;

struct Queues {
  bool told = false;
  unsigned count = 0;
};

// Queues that are switched off have a descriptor too.
int read_queues(nl_msg* message, void* result) {
  auto& queues = *static_cast<Queues*>(result);
  std::array<nlattr*, IFLA_MAX + 1> link{};
  std::array<nlattr*, IFLA_INFO_MAX + 1> info{};
  std::array<nlattr*, IFLA_TUN_MAX + 1> tun{};
  if (nlmsg_parse(nlmsg_hdr(message), sizeof(ifinfomsg), link.data(), IFLA_MAX, nullptr) < 0 || !link[IFLA_LINKINFO] ||
      nla_parse_nested(info.data(), IFLA_INFO_MAX, link[IFLA_LINKINFO], nullptr) < 0 || !info[IFLA_INFO_DATA] ||
      nla_parse_nested(tun.data(), IFLA_TUN_MAX, info[IFLA_INFO_DATA], nullptr) < 0)
    return NL_OK;
  for (const int attribute : {IFLA_TUN_NUM_QUEUES, IFLA_TUN_NUM_DISABLED_QUEUES}) {
    const nlattr* number = tun[static_cast<std::size_t>(attribute)];
    if (!number || nla_len(number) < static_cast<int>(sizeof(std::uint32_t))) continue;
    queues.told = true;
    queues.count += nla_get_u32(number);
  }
  return NL_OK;
}

}  // namespace

// A TUN may have 256 queues, and the kernel's discipline keeps three rings of the queue's length for each, empty for
// ever since a TUN never asks it to wait: 25 MB of a device with 4,096. When the device is up, the kernel waits for a
// grace period of all its CPUs with each of the two changes.
Status Netlink::set_queue(const std::string& name, std::uint32_t packets) const {
  const auto index = index_of(name);
  if (!index.ok()) return index.status();
  const QdiscPtr none(rtnl_qdisc_alloc());
  rtnl_tc_set_ifindex(TC_CAST(none.get()), *index);
  rtnl_tc_set_parent(TC_CAST(none.get()), TC_H_ROOT);
  rtnl_tc_set_kind(TC_CAST(none.get()), "noqueue");
  int error = rtnl_qdisc_add(socket_, none.get(), NLM_F_CREATE | NLM_F_REPLACE);
  if (error < 0) return fail(error, fmt::format("taking the queueing discipline of interface {} away", name));
  const LinkPtr old(rtnl_link_alloc()), change(rtnl_link_alloc());
  rtnl_link_set_ifindex(old.get(), *index);
  rtnl_link_set_ifindex(change.get(), *index);
  rtnl_link_set_txqlen(change.get(), packets);
  error = rtnl_link_change(socket_, old.get(), change.get(), 0);
  return error < 0 ? fail(error, fmt::format("setting the queue of interface {} to {} packets", name, packets))
                   : Status();
}

StatusOr<unsigned> Netlink::tun_queues(const std::string& name) const {
  const auto present = link(name);
  if (!present.ok()) return present.status();
  Queues queues;
  nl_msg* request = nullptr;
  int error = rtnl_link_build_get_request(present->index, nullptr, &request);
  nl_cb* callbacks = nl_cb_alloc(NL_CB_DEFAULT);
  nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, read_queues, &queues);
  if (error == 0) error = nl_send_auto(socket_, request);
  if (error >= 0) error = nl_recvmsgs(socket_, callbacks);
  if (error >= 0) error = nl_wait_for_ack(socket_);
  nl_cb_put(callbacks);
  nlmsg_free(request);
  if (error < 0) return fail(error, fmt::format("reading the queues of interface {}", name));
  if (queues.told) return queues.count;
  return present->carrier ? 1u : 0u;
}

}  // namespace sluice::host
