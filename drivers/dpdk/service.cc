// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include <dlfcn.h>
#include <sluice/differences.h>

#include <filesystem>

namespace sluice::dpdk {

void Service::offer(Api& api) { api.service("sluice.dpdk.Dpdk").unary("Create", this, &Service::create); }

/// libsluice_dpdk.so lies beside this plugin. It stays loaded: DPDK's threads and drivers cannot be taken out again.
StatusOr<OpenFunction*> Service::load() {
  if (open_) return open_;
  Dl_info self{};
  static const char here = 0;
  if (dladdr(&here, &self) == 0 || !self.dli_fname) return unavailable("driver dpdk: its own file is not to be found");
  const auto path = std::filesystem::path(self.dli_fname).parent_path() / "libsluice_dpdk.so";
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!module)
    return failed_precondition(
        "driver dpdk needs DPDK 22.11, which is not on this machine ({}); apt install librte-meta-net librte-meta-bus "
        "librte-meta-mempool",
        dlerror());
  open_ = reinterpret_cast<OpenFunction*>(dlsym(module, kOpenFunction));
  if (!open_)
    return failed_precondition("{}: it is of another build ({}); install all of one", path.c_str(), dlerror());
  return open_;
}

Status Service::create(const Interface& request, Done& done, CallContext& call) {
  Options options;
  options.vdev = request.vdev();
  options.pci = request.pci();
  options.bind = request.bind();
  options.queues = static_cast<std::uint16_t>(request.queues());
  options.ring = static_cast<std::uint16_t>(request.ring());
  options.mtu = request.mtu();
  options.promiscuous = !request.no_promiscuous();
  if (Status status = check(options); !status.ok()) return status;
  const auto there = is_there<DpdkDevice>(context_.interfaces(), request.name(), "dpdk", options);
  if (!there.ok()) return there.status();
  if (*there) {
    done.set_unchanged(true);
    return {};
  }
  if (context_.unprivileged())
    return failed_precondition("driver dpdk needs a privileged daemon; start sluiced as root, without --unprivileged");
  if (Status status = context_.interfaces().would_create(request.name()); !status.ok()) return status;
  if (call.dry_run()) return {};
  const auto open = load();
  if (!open.ok()) return open.status();
  StatusOr<std::unique_ptr<DpdkDevice>> device;
  (**open)({context_.pool(), context_.workers(), context_.run_folder()}, options, device);
  if (!device.ok()) return device.status();
  return context_.interfaces().create(request.name(), std::move(*device)).status();
}

}  // namespace sluice::dpdk
