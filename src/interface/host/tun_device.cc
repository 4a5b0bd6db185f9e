// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "interface/gro.h"
#include "interface/host/tun_queue.h"
#include "sluice/registry.h"
#include "sluice/tun.h"

namespace sluice {

namespace {

// Closing the last descriptor removes a device.
void close_all(const std::vector<int>& descriptors) {
  constexpr std::size_t kThreads = 16;
  std::atomic<std::size_t> next = 0;
  const auto close_some = [&] {
    for (std::size_t i = 0; (i = next++) < descriptors.size();) close(descriptors[i]);
  };
  std::vector<std::jthread> threads;
  try {
    while (threads.size() + 1 < std::min(kThreads, descriptors.size())) threads.emplace_back(close_some);
  } catch (const std::system_error&) {
    // With fewer threads, or alone, it takes longer.
  }
  close_some();
}

}  // namespace

struct TunDriver::State {
  std::string name;
  LinkLayer link = LinkLayer::Ip;
  std::uint32_t message_kind = 0;
  std::uint32_t next_id = 1;
  std::map<std::uint32_t, Device*> devices;
  bool ending = false;
  std::vector<int> closing;  ///< descriptors, once the daemon ends

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { close_all(closing); }
};

namespace {

constexpr const char* kTunPath = "/dev/net/tun";
// In the kernel since 6.2; both or none.
constexpr unsigned kUso = 0x20 | 0x40;
constexpr std::uint16_t kQueuesMax = 256;
constexpr rlim_t kFilesLeft = 32;
// Packets that wait for the worker, in each of the kernel's queues. Its own 500 are full after some milliseconds, which
// a worker that shares its core with others may well have to wait for it.
constexpr unsigned kQueueLength = 4096;

std::string where(const TunOptions& options) {
  return fmt::format("interface {} in {}", options.host_name, host::describe_namespace(options.namespace_path));
}

Status tun_missing(int error) {
  if (error == ENOENT || error == ENODEV || error == ENXIO)
    return not_found(
        "{}: the kernel's TUN driver is not there; load it (modprobe tun), or give the container this "
        "device",
        kTunPath);
  if (error == EACCES || error == EPERM)
    return not_permitted("{}: not allowed to open it; run as root or give the container this device", kTunPath);
  return unavailable("{}: {}", kTunPath, std::strerror(error));
}

Status attach_error(const TunOptions& options, int error) {
  switch (error) {
    case EPERM: return not_permitted("{}: creating it needs the capability CAP_NET_ADMIN; run as root", where(options));
    case EBUSY:
      return exists("{}: another interface here, or another process, uses it; end that one, or choose another name",
                    where(options));
    case EINVAL:
      return exists("{}: it exists and is another kind of interface; delete it, or choose another name",
                    where(options));
    case E2BIG: return exhausted("{}: the kernel takes no more queues of this TUN", where(options));
    default: return unavailable("{}: {}", where(options), std::strerror(error));
  }
}

// The descriptors of one device, one a queue. Closing the last one removes a device that is not persistent.
class Descriptors {
 public:
  Descriptors() = default;
  Descriptors(Descriptors&& other) noexcept : fds_(std::exchange(other.fds_, {})) {}
  Descriptors& operator=(Descriptors&&) = delete;
  ~Descriptors() {
    for (const int fd : fds_) close(fd);
  }
  void add(int fd) { fds_.push_back(fd); }
  std::vector<int> release() { return std::exchange(fds_, {}); }
  const std::vector<int>& get() const { return fds_; }

 private:
  std::vector<int> fds_;
};

// A daemon that has used up its open files could not be asked any more.
Status no_more_files(const TunOptions& options) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  return exhausted("{}: of {} open files, {} must be left for other things; raise LimitNOFILE= of the unit (ulimit -n)",
                   where(options), files.rlim_cur, kFilesLeft);
}

bool leaves_enough_files(int fd) {
  rlimit files{};
  return getrlimit(RLIMIT_NOFILE, &files) != 0 || static_cast<rlim_t>(fd) + kFilesLeft < files.rlim_cur;
}

StatusOr<int> open_queue(const TunOptions& options, LinkLayer link) {
  const int fd = open(kTunPath, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return errno == EMFILE ? no_more_files(options) : tun_missing(errno);
  if (!leaves_enough_files(fd)) {
    close(fd);
    return no_more_files(options);
  }
  ifreq request{};
  const int kind = link == LinkLayer::Ip ? IFF_TUN : IFF_TAP;
  request.ifr_flags = static_cast<short>(kind | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE);
  std::memcpy(request.ifr_name, options.host_name.data(), options.host_name.size());
  const int header = sizeof(VnetHeader);
  if (ioctl(fd, TUNSETIFF, &request) != 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) != 0) {
    const Status status = attach_error(options, errno);
    close(fd);
    return status;
  }
  return fd;
}

// Asks for all that the kernel can leave to us; older kernels lack UDP segmentation.
Offloads ask_offloads(int fd) {
  constexpr unsigned kBasic = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  Offloads offloads;
  if (ioctl(fd, TUNSETOFFLOAD, kBasic | kUso) == 0) {
    offloads = {true, true, true, true};
  } else if (ioctl(fd, TUNSETOFFLOAD, kBasic) == 0) {
    offloads = {true, true, true, false};
  }
  return offloads;
}

// The device as its descriptor knows it. The path may lead to another namespace by now, where somebody else's interface
// has the same name, and the far side may have moved or renamed this one.
StatusOr<host::Netlink> netlink_of(const TunOptions& options, int fd) {
  const int inside = ioctl(fd, TUNGETDEVNETNS);
  if (inside < 0) return unavailable("{}: cannot find its namespace: {}", where(options), std::strerror(errno));
  auto netlink = host::Netlink::open(inside, options.namespace_path);
  close(inside);
  return netlink;
}

StatusOr<std::string> present_name(const TunOptions& options, int fd) {
  ifreq request{};
  if (ioctl(fd, TUNGETIFF, &request) != 0) return not_found("{}: the kernel has removed it", where(options));
  return std::string(request.ifr_name);
}

Status check_names(const TunOptions& options) {
  if (options.host_name.empty() || options.host_name.size() >= IFNAMSIZ ||
      options.host_name.find_first_of("/ :%\t\n") != std::string::npos || options.host_name == "." ||
      options.host_name == "..")
    return refused("interface {}: the kernel takes names of 1 to {} characters without space, '/', ':' or '%'",
                   options.host_name, IFNAMSIZ - 1);
  if (options.queues == 0 || options.queues > kQueuesMax)
    return refused("{}: {} queues; 1 to {} are possible", where(options), options.queues, kQueuesMax);
  return {};
}

class Tun final : public TunDevice {
 public:
  Tun(std::shared_ptr<TunDriver::State> state, const TunOptions& options, const host::NamespaceId& namespace_id,
      Descriptors descriptors, bool attached)
      : state_(std::move(state)),
        options_(options),
        namespace_id_(namespace_id),
        descriptors_(std::move(descriptors)),
        attached_(attached) {
    id_ = state_->next_id++;
    state_->devices[id_] = this;
    info_.link = state_->link;
    info_.mac = options.mac;
    info_.mtu = options.mtu;
    info_.mtu_max = state_->link == LinkLayer::Ip ? 65535 : 65521;
    info_.rx_queues = info_.tx_queues = options.queues;
    info_.detail = where(options);
    info_.offloads = ask_offloads(fd());
    // The kernel's flow table: an answer comes to the queue that has written what it answers.
    info_.spreads_flows = options.queues > 1;
    // A stack is given super-packets, if it takes them; what leaves the node for others keeps its sizes.
    if (info_.offloads.tx_checksum) info_.features.emplace_back(Gro::kInfo.name);
  }
  ~Tun() override {
    state_->devices.erase(id_);
    if (!keep_) ioctl(fd(), TUNSETPERSIST, 0);
    if (!state_->ending) return;
    for (const int fd : descriptors_.release()) state_->closing.push_back(fd);
  }
  std::string_view driver() const override { return state_->name; }
  const DeviceInfo& info() const override { return info_; }
  const TunOptions& options() const override { return options_; }
  bool attached() const override { return attached_; }
  void keep(bool keep) override { keep_ = keep; }
  void leave_as_found() override { keep_ |= attached_; }

  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override {
    std::vector<std::unique_ptr<RxQueue>> queues;
    const TunLink link{state_->message_kind, id_, state_->link};
    for (const int fd : descriptors_.get()) queues.push_back(std::make_unique<TunRxQueue>(fd, link));
    return queues;
  }
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override {
    std::vector<std::unique_ptr<TxQueue>> queues;
    for (const int fd : descriptors_.get()) queues.push_back(std::make_unique<TunTxQueue>(fd));
    return queues;
  }
  DeviceDetails details() const override {
    const QueueDetails queue{.ring = 0, .mode = "system calls", .reason = "", .counters = {}};
    return {.rx = std::vector(info_.rx_queues, queue),
            .tx = std::vector(info_.tx_queues, queue),
            .offloads = {},
            .numa_node = -1};
  }
  Status set_admin_state(bool up) override {
    const int carrier = up ? 1 : 0;
    if (ioctl(fd(), TUNSETCARRIER, &carrier) == 0) return {};
    // A device that is gone reports itself; that must not keep an operator from setting it down.
    if (errno == EBADFD) return {};
    return unavailable("{}: cannot set its carrier: {}", where(options_), std::strerror(errno));
  }
  Status set_mtu(std::uint32_t mtu) override {
    const auto netlink = netlink_of(options_, fd());
    if (!netlink.ok()) return netlink.status();
    const auto name = present_name(options_, fd());
    if (!name.ok()) return name.status();
    if (Status status = netlink->set_mtu(*name, mtu); !status.ok()) return status;
    info_.mtu = options_.mtu = mtu;
    return {};
  }
  Status set_mac(const MacAddress& mac) override {
    if (info_.link == LinkLayer::Ip) return Device::set_mac(mac);
    info_.mac = options_.mac = mac;
    return {};
  }
  bool carrier() const override { return present_name(options_, fd()).ok(); }
  // Our descriptors keep a namespace alive after its path and its processes are gone, so the path is what tells.
  Status check() const override {
    return options_.namespace_path.empty() ? Status() : host::still_there(options_.namespace_path, namespace_id_);
  }
  Status withdraw() override {
    if (keep_) return {};
    const auto name = present_name(options_, fd());
    if (!name.ok()) return {};
    // Should the rest fail, it goes with the descriptors.
    ioctl(fd(), TUNSETPERSIST, 0);
    if (state_->ending) return {};
    const auto netlink = netlink_of(options_, fd());
    if (!netlink.ok()) return netlink.status();
    const Status status = netlink->delete_link(*name);
    return absl::IsNotFound(status) ? Status() : status;
  }

 private:
  int fd() const { return descriptors_.get().front(); }

  const std::shared_ptr<TunDriver::State> state_;
  TunOptions options_;
  const host::NamespaceId namespace_id_;
  Descriptors descriptors_;
  const bool attached_;
  bool keep_ = false;
  std::uint32_t id_ = 0;
  DeviceInfo info_;
};

// Whether a device of that name is there already, free to be attached to.
StatusOr<bool> already_there(const host::Netlink& netlink, const TunOptions& options) {
  const auto link = netlink.link(options.host_name);
  if (absl::IsNotFound(link.status())) return false;
  if (!link.ok()) return link.status();
  if (link->kind != "tun") return attach_error(options, EINVAL);
  // The carrier would not tell: `set interface state … down` takes it away.
  const auto queues = netlink.tun_queues(options.host_name);
  if (!queues.ok()) return queues.status();
  if (*queues > 0) return attach_error(options, EBUSY);
  return true;
}

Status set_up_far_side(const host::Netlink& netlink, const TunOptions& options) {
  const std::string& name = options.host_name;
  if (!options.host_mac.is_zero()) {
    if (Status status = netlink.set_mac(name, options.host_mac); !status.ok()) return status;
  }
  if (Status status = netlink.set_mtu(name, options.mtu); !status.ok()) return status;
  if (!options.host_addresses.empty()) {
    const bool ip6 = std::any_of(options.host_addresses.begin(), options.host_addresses.end(),
                                 [](const std::string& a) { return a.find(':') != std::string::npos; });
    // Container runtimes like to disable IPv6 for all interfaces to come.
    if (ip6) (void)host::write_sysctl(options.namespace_path, fmt::format("ipv6/conf/{}/disable_ipv6", name), "0");
    if (Status status = netlink.set_addresses(name, options.host_addresses); !status.ok()) return status;
  }
  return options.host_up ? netlink.set_up(name, true) : Status();
}

}  // namespace

TunDriver::TunDriver(Registry& registry, std::string_view name, LinkLayer link) : state_(std::make_shared<State>()) {
  state_->name = name;
  state_->link = link;
  state_->message_kind = registry.control_message([state = state_](const ControlMessage& message) {
    const auto it = state->devices.find(message.as<std::uint32_t>());
    if (it == state->devices.end() || !it->second->on_lost) return;
    // The handler may destroy the device, and with it the function that it is called by.
    const auto on_lost = it->second->on_lost;
    on_lost(unavailable("{}: the kernel has removed it", it->second->info().detail));
  });
  registry.on_stop([state = state_] { state->ending = true; });
}
TunDriver::~TunDriver() = default;

void TunDriver::end() { state_->ending = true; }

bool TunDriver::is_ethernet() const { return state_->link == LinkLayer::Ethernet; }
std::string_view TunDriver::driver_name() const { return state_->name; }

Status TunDriver::check(const TunOptions& options) const {
  if (Status status = check_names(options); !status.ok()) return status;
  const auto netlink = host::Netlink::open(options.namespace_path);
  return netlink.ok() ? already_there(*netlink, options).status() : netlink.status();
}

StatusOr<std::unique_ptr<TunDevice>> TunDriver::open(const TunOptions& options) {
  if (Status status = check_names(options); !status.ok()) return status;
  const auto id = host::namespace_id(options.namespace_path);
  if (!id.ok()) return id.status();
  const auto netlink = host::Netlink::open(options.namespace_path);
  if (!netlink.ok()) return netlink.status();
  const auto attached = already_there(*netlink, options);
  if (!attached.ok()) return attached.status();
  Descriptors descriptors;
  const Status opened = host::run_in_namespace(options.namespace_path, [&]() -> Status {
    for (unsigned queue = 0; queue < options.queues; ++queue) {
      const auto fd = open_queue(options, state_->link);
      if (!fd.ok()) return fd.status();
      descriptors.add(*fd);
    }
    return {};
  });
  if (!opened.ok()) return opened;
  if (options.persistent && ioctl(descriptors.get().front(), TUNSETPERSIST, 1) != 0)
    return unavailable("{}: cannot make it persistent: {}", where(options), std::strerror(errno));
  auto device = std::make_unique<Tun>(state_, options, *id, std::move(descriptors), *attached);
  // Where the kernel refuses, its own 500 hold.
  if (!*attached) (void)netlink->set_queue(options.host_name, kQueueLength);
  if (Status status = set_up_far_side(*netlink, options); !status.ok()) {
    if (*attached) device->keep(true);
    return status;
  }
  return device;
}

}  // namespace sluice
