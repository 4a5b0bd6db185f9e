// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include <sluice/differences.h>

#include <bit>

#include "device.h"

namespace sluice::af_xdp {
namespace {

std::optional<Mode> mode_of(Interface::Mode mode) {
  switch (mode) {
    case Interface::ZERO_COPY: return Mode::ZeroCopy;
    case Interface::COPY: return Mode::Copy;
    case Interface::GENERIC: return Mode::Generic;
    default: return std::nullopt;
  }
}

StatusOr<IpPrefix> prefix_of(const std::string& text) {
  if (text.find(':') != std::string::npos) {
    const auto prefix = Prefix6::parse(text);
    return prefix.ok() ? StatusOr<IpPrefix>(*prefix) : prefix.status();
  }
  const auto prefix = Prefix4::parse(text);
  return prefix.ok() ? StatusOr<IpPrefix>(*prefix) : prefix.status();
}

}  // namespace

void Service::offer(Api& api) {
  api.service("sluice.af_xdp.AfXdp")
      .unary("Create", this, &Service::create)
      .unary("Deny", this, &Service::deny)
      .unary("Allow", this, &Service::allow)
      .stream("ShowDenied", this, &Service::show);
}

Status Service::create(const Interface& request, Done& done, CallContext& call) {
  Options options;
  options.host_name = request.host_interface().empty() ? request.name() : request.host_interface();
  options.namespace_path = request.netns();
  options.queues = request.queues();
  options.ring = request.ring();
  options.busy_poll = request.busy_poll();
  options.mode = mode_of(request.mode());
  options.promiscuous = !request.no_promiscuous();
  if (options.ring != 0 && !std::has_single_bit(options.ring))
    return refused("ring {}: it must be a power of two, as {} or {}", options.ring, std::bit_floor(options.ring),
                   std::bit_ceil(options.ring));
  const auto there = is_there<XdpDevice>(context_.interfaces(), request.name(), "af-xdp", options);
  if (!there.ok()) return there.status();
  if (*there) {
    done.set_unchanged(true);
    return {};
  }
  if (context_.unprivileged())
    return failed_precondition(
        "driver af-xdp needs a privileged daemon; start sluiced as root, without --unprivileged");
  if (Status status = context_.interfaces().would_create(request.name()); !status.ok()) return status;
  if (call.dry_run()) return XdpDevice::would_open(options, context_.pool());
  auto device = XdpDevice::open(options, context_.pool(), denied_);
  if (!device.ok()) return device.status();
  return context_.interfaces().create(request.name(), std::move(*device)).status();
}

Status Service::deny(const Denied& request, Done& done, CallContext& call) {
  const auto prefix = prefix_of(request.prefix());
  if (!prefix.ok()) return prefix.status();
  if (denied_.has(*prefix)) {
    done.set_unchanged(true);
    return {};
  }
  return call.dry_run() ? denied_.would_add(*prefix) : denied_.add(*prefix);
}

Status Service::allow(const Denied& request, Done& done, CallContext& call) {
  const auto prefix = prefix_of(request.prefix());
  if (!prefix.ok()) return prefix.status();
  if (!denied_.has(*prefix)) {
    done.set_unchanged(true);
    return {};
  }
  return call.dry_run() ? Status() : denied_.remove(*prefix);
}

Stream<DeniedState> Service::show(const Nothing& /*request*/) {
  const auto entries = denied_.list();
  for (const DenyList::Entry& entry : entries) {
    DeniedState state;
    state.set_prefix(entry.prefix.to_string());
    state.set_packets(entry.packets);
    co_yield state;
  }
}

}  // namespace sluice::af_xdp
