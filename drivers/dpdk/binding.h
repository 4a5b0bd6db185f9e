// SPDX-License-Identifier: Apache-2.0
// A card taken from the kernel's driver to vfio-pci, and given back when this object goes. What it was bound to is
// noted in the run folder, so that it is found again after a crash. Control thread only.
#pragma once
#include <sluice/status.h>

#include <filesystem>
#include <memory>
#include <string>

namespace sluice::dpdk {

class Binding {
 public:
  /// sysfs_root: /sys, or a test's. Errors: no such card; it has no IOMMU group; vfio-pci is not there; an
  /// interface of the card has an address (but a link-local one of IPv6), or is part of a bridge or bond, or has VLANs
  /// or the like on it: the operator would cut himself off.
  static StatusOr<std::unique_ptr<Binding>> bind(const std::filesystem::path& sysfs_root,
                                                 const std::filesystem::path& run_folder, const std::string& address);
  ~Binding();
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;

  /// It is not given back after all: somebody still has it. The note stays for the next start.
  void keep() { kept_ = true; }
  /// The kernel's driver that gets it back; empty: none had it.
  const std::string& original() const { return original_; }

 private:
  Binding(std::filesystem::path device, std::filesystem::path drivers, std::string address)
      : device_(std::move(device)), drivers_(std::move(drivers)), address_(std::move(address)) {}
  Status take();
  void give_back() const;

  const std::filesystem::path device_, drivers_;
  const std::string address_;
  std::filesystem::path note_;  // empty: there is no run folder
  std::string original_;
  bool kept_ = false;
};

}  // namespace sluice::dpdk
