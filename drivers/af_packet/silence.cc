// SPDX-License-Identifier: Apache-2.0
#include "silence.h"

#include <sluice/log.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <utility>

namespace sluice::af_packet {
namespace {

struct Setting {
  const char* name;
  const char* value;
};
// All sources are reached elsewhere, so the reverse path is filtered: a host tap has this node's addresses too.
constexpr std::array<Setting, 4> kSettings{
    {{"ipv6 disable_ipv6", "1"}, {"ipv4 forwarding", "0"}, {"ipv4 arp_ignore", "8"}, {"ipv4 rp_filter", "1"}}};

}  // namespace

Silence::Silence(std::string namespace_path, const host::NamespaceId& id, const host::Link& link,
                 std::filesystem::path file)
    : namespace_path_(std::move(namespace_path)), id_(id), link_(link), file_(std::move(file)) {
  auto left = left_by_a_crash();
  for (const Setting& setting : kSettings) {
    const auto now = host::read_sysctl(namespace_path_, path_of(setting.name));
    if (!now.ok()) continue;
    // Where our value stands, who set it was we, before a crash, when we have left a note.
    const auto note = left.find(setting.name);
    const std::string before = *now == setting.value && note != left.end() ? note->second : *now;
    if (before != setting.value) saved_.push_back({setting.name, setting.value, before});
  }
  keep();
  for (const Saved& saved : saved_) (void)host::write_sysctl(namespace_path_, path_of(saved.setting), saved.ours);
}

Silence::~Silence() {
  // Another interface may have the name by now, or another namespace the path.
  if (is_still_there()) {
    for (const Saved& saved : saved_) {
      const auto now = host::read_sysctl(namespace_path_, path_of(saved.setting));
      if (now.ok() && *now == saved.ours)
        (void)host::write_sysctl(namespace_path_, path_of(saved.setting), saved.before);
    }
  }
  std::error_code ignored;
  if (!file_.empty()) std::filesystem::remove(file_, ignored);
}

std::string Silence::path_of(const std::string& setting) const {
  const std::size_t space = setting.find(' ');
  return fmt::format("{}/conf/{}/{}", setting.substr(0, space), link_.name, setting.substr(space + 1));
}

bool Silence::is_still_there() const {
  const auto id = host::namespace_id(namespace_path_);
  if (!id.ok() || *id != id_) return false;
  const auto netlink = host::Netlink::open(namespace_path_);
  const auto link = netlink.ok() ? netlink->link(link_.name) : netlink.status();
  return link.ok() && link->index == link_.index;
}

// Numbers of namespaces and interfaces are used again; the MAC address tells that it is the same one.
std::map<std::string, std::string> Silence::left_by_a_crash() const {
  std::map<std::string, std::string> left;
  std::ifstream file(file_);
  std::string family, name, value;
  if (file_.empty() || !(file >> name >> value) || value != link_.mac.to_string()) return left;
  while (file >> family >> name >> value) left[family + " " + name] = value;
  return left;
}

// Before anything is changed.
void Silence::keep() const {
  if (file_.empty() || saved_.empty()) return;
  const std::filesystem::path half = file_.string() + ".new";
  std::ofstream file(half, std::ios::trunc);
  file << "mac " << link_.mac.to_string() << '\n';
  for (const Saved& saved : saved_) file << saved.setting << ' ' << saved.before << '\n';
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(half, file_, error);
  if (file && !error) return;
  log(LogLevel::Warning, "settings would not be given back after a crash", field("interface", link_.name),
      field("cannot-write", file_.string()));
}

std::shared_ptr<Silence> Silences::hold(const std::string& namespace_path, const host::Link& link) {
  const auto id = host::namespace_id(namespace_path);
  if (!id.ok()) return nullptr;
  std::erase_if(held_, [](const auto& item) { return item.second.expired(); });
  auto& held = held_[{id->device, id->inode, link.index}];
  if (auto present = held.lock()) return present;
  auto made = std::make_shared<Silence>(namespace_path, *id, link, file_of(*id, link));
  held = made;
  return made;
}

void Silences::end(const std::string& namespace_path, const host::Link& link) {
  const auto id = host::namespace_id(namespace_path);
  if (id.ok() && std::filesystem::exists(file_of(*id, link))) (void)hold(namespace_path, link);
}

std::filesystem::path Silences::file_of(const host::NamespaceId& id, const host::Link& link) const {
  if (folder_.empty()) return {};
  return folder_ / fmt::format("af-packet-{}-{}-{}", id.device, id.inode, link.index);
}

}  // namespace sluice::af_packet
