// SPDX-License-Identifier: Apache-2.0
// The XDP program of one interface (filter.bpf.c): loaded and attached here, gone with this object, and with the
// process when that is killed, because the kernel holds a link for it and not the interface.
#pragma once
#include <sluice/status.h>

#include <cstdint>
#include <memory>
#include <string>

struct bpf_object;

namespace sluice::af_xdp {

/// Descriptors of the maps that all interfaces' programs share; -1: the program makes its own.
struct DenyMaps {
  int sizes = -1, prefixes4 = -1, prefixes6 = -1, packets = -1;
};

class Filter {
 public:
  /// Native: in the driver, on its own buffers. Generic: in the kernel's stack, on any interface.
  enum class Hook : std::uint8_t { Native, Generic };

  /// Loads it for an interface of so many queues. Frames of several buffers reach it where the kernel knows such
  /// programs (Linux 5.18). Errors: the privilege is missing (CAP_BPF, CAP_NET_ADMIN); the kernel refuses the program.
  static StatusOr<std::unique_ptr<Filter>> load(std::uint32_t queues, const DenyMaps& shared);
  ~Filter();
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  /// Puts it on an interface in the namespace of the calling thread; 0 or an errno. EBUSY: another program is there.
  int attach(int interface_index, Hook hook);
  void detach();
  /// Frames of this queue go to the socket from now on; 0 or an errno.
  int serve(std::uint32_t queue, int socket);

  DenyMaps deny_maps() const;
  /// The program's descriptor.
  int program() const { return program_; }
  /// Frames of several buffers can be taken.
  bool frags() const { return frags_; }

 private:
  Filter() = default;
  int map(const char* name) const;
  bpf_object* object_ = nullptr;
  int program_ = -1, sockets_ = -1, link_ = -1;
  bool frags_ = false;
};

/// The number and name of the XDP program on an interface in the namespace of the calling thread: "id 7, xdp_pass";
/// empty when there is none.
std::string program_on(int interface_index);

}  // namespace sluice::af_xdp
