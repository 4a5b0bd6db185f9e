// SPDX-License-Identifier: Apache-2.0
#include "binding.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sluice/files.h>
#include <sluice/log.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace sluice::dpdk {
namespace {

namespace fs = std::filesystem;
constexpr const char* kVfio = "vfio-pci";

/// What the kernel says to a write into sysfs; a stream would swallow it.
Status write_to(const fs::path& file, const std::string& text) {
  const int fd = open(file.c_str(), O_WRONLY | O_CLOEXEC);
  const ssize_t written = fd < 0 ? -1 : write(fd, text.data(), text.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (written == static_cast<ssize_t>(text.size())) return {};
  return unavailable("{}: {}", file.string(), std::strerror(error));
}

/// Empty: none.
std::string driver_of(const fs::path& device) {
  std::error_code error;
  const fs::path target = fs::read_symlink(device / "driver", error);
  return error ? std::string() : target.filename().string();
}

/// Link-local addresses of IPv6 come by themselves with an interface that is up.
bool is_given(const sockaddr* address) {
  if (!address) return false;
  if (address->sa_family == AF_INET) return true;
  return address->sa_family == AF_INET6 &&
         !IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

/// What the host has built on an interface (a bridge, a bond, VLANs), of its folder in sysfs; empty: nothing.
std::string built_on(const fs::path& interface) {
  std::error_code error;
  if (const fs::path master = fs::read_symlink(interface / "master", error); !error) return master.filename();
  constexpr std::string_view kUpper = "upper_";
  for (const auto& entry : fs::directory_iterator(interface, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(kUpper)) return name.substr(kUpper.size());
  }
  return {};
}

/// How the host uses an interface of this card, and what to do about it; empty: it uses none.
std::string use_of(const fs::path& device) {
  std::error_code error;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return {};
  std::string use;
  for (const auto& entry : fs::directory_iterator(device / "net", error)) {
    const std::string name = entry.path().filename();
    if (const std::string upper = built_on(entry.path()); !upper.empty())
      use = fmt::format("{}, which is part of {}; take it out of that first", name, upper);
    for (const ifaddrs* each = all; each; each = each->ifa_next) {
      if (is_given(each->ifa_addr) && name == each->ifa_name)
        use = fmt::format("{}, which has an address; take that away first", name);
    }
  }
  freeifaddrs(all);
  return use;
}

}  // namespace

StatusOr<std::unique_ptr<Binding>> Binding::bind(const fs::path& sysfs_root, const fs::path& run_folder,
                                                 const std::string& address) {
  const fs::path device = sysfs_root / "bus/pci/devices" / address, drivers = sysfs_root / "bus/pci/drivers";
  std::error_code error;
  if (!fs::exists(device, error)) return not_found("pci {}: no such card; lspci -D lists them", address);
  if (!fs::exists(drivers / kVfio, error))
    return failed_precondition("pci {}: the kernel has no driver {}; modprobe {}", address, kVfio, kVfio);
  if (!fs::exists(device / "iommu_group", error))
    return failed_precondition(
        "pci {}: it is behind no IOMMU; switch that on in the firmware and on the kernel's command line "
        "(intel_iommu=on)",
        address);
  if (const std::string use = use_of(device); !use.empty())
    return failed_precondition("pci {}: the host uses it as {}", address, use);
  std::unique_ptr<Binding> binding(new Binding(device, drivers, address));
  if (!run_folder.empty()) binding->note_ = run_folder / ("dpdk-" + address);
  if (Status status = binding->take(); !status.ok()) return status;
  return binding;
}

Status Binding::take() {
  const std::string present = driver_of(device_);
  original_ = present;
  if (present == kVfio) {
    // Left there by a crash, when it was the kernel's before; else the operator bound it, and it stays.
    std::ifstream note(note_);
    if (!note_.empty() && std::getline(note, original_)) return {};
    original_ = kVfio;
    return {};
  }
  if (!note_.empty()) {
    const auto file = open_private(note_, true);
    if (!file.ok()) return file.status();
    std::fputs((present + "\n").c_str(), file->get());
  }
  Status status = write_to(device_ / "driver_override", kVfio);
  if (status.ok() && !present.empty()) status = write_to(device_ / "driver/unbind", address_);
  if (status.ok()) status = write_to(drivers_ / kVfio / "bind", address_);
  if (status.ok()) return {};
  return unavailable("pci {}: not bound to {}, and given back to {}: {}", address_, kVfio,
                     present.empty() ? "no driver" : present, text(status));
}

void Binding::give_back() const {
  Status status = write_to(device_ / "driver_override", "\n");
  if (driver_of(device_) == kVfio && status.ok()) status = write_to(device_ / "driver/unbind", address_);
  if (status.ok() && !original_.empty()) status = write_to(drivers_ / original_ / "bind", address_);
  std::error_code error;
  if (!note_.empty() && status.ok()) fs::remove(note_, error);
  if (!status.ok())
    log(LogLevel::Error, "card not given back", field("pci", address_), field("driver", original_),
        field("reason", text(status)));
}

Binding::~Binding() {
  if (original_ != kVfio && !kept_) give_back();
}

}  // namespace sluice::dpdk
