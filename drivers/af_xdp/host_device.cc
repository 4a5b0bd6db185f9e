// SPDX-License-Identifier: Apache-2.0
#include "host_device.h"

#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

namespace sluice::af_xdp {
namespace {

class Ethtool {
 public:
  explicit Ethtool(const std::string& interface) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    interface.copy(request_.ifr_name, IFNAMSIZ - 1);
  }
  ~Ethtool() {
    if (fd_ >= 0) close(fd_);
  }
  Ethtool(const Ethtool&) = delete;
  Ethtool& operator=(const Ethtool&) = delete;

  template <class T>
  bool get(std::uint32_t command, T& value) {
    value = {};
    value.cmd = command;
    request_.ifr_data = reinterpret_cast<char*>(&value);
    return fd_ >= 0 && ioctl(fd_, SIOCETHTOOL, &request_) == 0;
  }

 private:
  const int fd_;
  ifreq request_{};
};

// Of the kernel's netdev family, newer than Debian 12's headers.
constexpr std::uint8_t kDeviceGet = 1;
constexpr std::uint16_t kDeviceIndex = 1, kDeviceZeroCopySegments = 4;

/// The value of one of these attributes; empty when there is none.
std::string attribute_of(std::string_view attributes, std::uint16_t wanted) {
  while (attributes.size() >= NLA_HDRLEN) {
    nlattr attribute{};
    std::memcpy(&attribute, attributes.data(), sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > attributes.size()) break;
    if ((attribute.nla_type & NLA_TYPE_MASK) == wanted)
      return std::string(attributes.substr(NLA_HDRLEN, attribute.nla_len - static_cast<std::size_t>(NLA_HDRLEN)));
    attributes.remove_prefix(std::min<std::size_t>(NLA_ALIGN(attribute.nla_len), attributes.size()));
  }
  return {};
}

/// An attribute of the answer to a generic netlink request with one attribute; empty when there is none.
std::string ask(std::uint16_t family, std::uint8_t command, std::uint16_t key, std::string_view value,
                std::uint16_t wanted) {
  struct {
    nlmsghdr header;
    genlmsghdr generic;
    nlattr attribute;
    std::array<char, 16> value;
  } request{};
  if (value.size() > request.value.size()) return {};
  request.attribute = {.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + value.size()), .nla_type = key};
  request.header.nlmsg_len =
      static_cast<std::uint32_t>(NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(request.attribute.nla_len));
  request.header.nlmsg_type = family;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.generic = {.cmd = command, .version = 1, .reserved = 0};
  value.copy(request.value.data(), value.size());

  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
  if (fd < 0) return {};
  std::array<char, 8192> answer;
  ssize_t size = send(fd, &request, request.header.nlmsg_len, 0);
  if (size > 0) size = recv(fd, answer.data(), answer.size(), MSG_DONTWAIT);  // it is there when send() returns
  close(fd);
  nlmsghdr header{};
  if (size < static_cast<ssize_t>(NLMSG_LENGTH(GENL_HDRLEN))) return {};
  std::memcpy(&header, answer.data(), sizeof header);
  if (header.nlmsg_type != family) return {};
  const std::string_view all(answer.data(), std::min<std::size_t>(static_cast<std::size_t>(size), header.nlmsg_len));
  return attribute_of(all.substr(std::min<std::size_t>(all.size(), NLMSG_LENGTH(GENL_HDRLEN))), wanted);
}

/// Linux 6.6.
std::uint32_t read_zero_copy_segments(const std::string& interface) {
  static constexpr char kFamily[] = "netdev";  // and its end: a name on netlink has one
  std::uint16_t family = 0;
  const std::string id =
      ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, {kFamily, sizeof kFamily}, CTRL_ATTR_FAMILY_ID);
  if (id.size() != sizeof family) return 1;
  id.copy(reinterpret_cast<char*>(&family), sizeof family);
  const std::uint32_t index = if_nametoindex(interface.c_str());
  const std::string said = ask(family, kDeviceGet, kDeviceIndex, {reinterpret_cast<const char*>(&index), sizeof index},
                               kDeviceZeroCopySegments);
  std::uint32_t segments = 1;
  if (said.size() == sizeof segments) said.copy(reinterpret_cast<char*>(&segments), sizeof segments);
  return std::max<std::uint32_t>(1, segments);
}

}  // namespace

HostDevice HostDevice::read(const std::string& interface) {
  HostDevice device;
  Ethtool ethtool(interface);
  if (ethtool_drvinfo info{}; ethtool.get(ETHTOOL_GDRVINFO, info)) {
    device.driver.assign(info.driver, strnlen(info.driver, sizeof info.driver));
    const std::string bus(info.bus_info, strnlen(info.bus_info, sizeof info.bus_info));
    // The devices of a bus are in no namespace; one without a bus has a name that no folder has.
    if (bus.find('/') == std::string::npos)
      std::ifstream("/sys/bus/pci/devices/" + bus + "/numa_node") >> device.numa_node;
  }
  if (ethtool_channels channels{}; ethtool.get(ETHTOOL_GCHANNELS, channels)) {
    device.combined = channels.combined_count > 0;
    device.channels = std::max<std::uint32_t>(1, channels.combined_count + channels.rx_count);
    device.senders = std::max<std::uint32_t>(1, channels.combined_count + channels.tx_count);
  }
  if (ethtool_value flags{}; ethtool.get(ETHTOOL_GFLAGS, flags)) device.vlan_stripped = flags.data & ETH_FLAG_RXVLAN;
  device.zero_copy_segments = read_zero_copy_segments(interface);
  return device;
}

std::string in_namespace(const std::string& path, std::string command) {
  return path.empty() ? command : "nsenter --net=" + path + " " + command;
}

}  // namespace sluice::af_xdp
