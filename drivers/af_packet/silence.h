// SPDX-License-Identifier: Apache-2.0
// Two stacks behind one MAC address would both answer: while a device uses an interface, the kernel's own IP stack is
// silent on it. What the settings were is given back when the last device of the interface goes, or after a crash by
// the next daemon that has used it. Control thread only.
#pragma once
#include <sluice/host.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace sluice::af_packet {

/// The kernel's settings of one interface, changed until this is destroyed.
class Silence {
 public:
  Silence(std::string namespace_path, const host::NamespaceId& id, const host::Link& link, std::filesystem::path file);
  ~Silence();
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  struct Saved {
    std::string setting, ours, before;
  };
  std::map<std::string, std::string> left_by_a_crash() const;
  void keep() const;
  std::string path_of(const std::string& setting) const;
  bool is_still_there() const;

  const std::string namespace_path_;
  const host::NamespaceId id_;
  const host::Link link_;
  const std::filesystem::path file_;  ///< empty: nothing outlives this process
  std::vector<Saved> saved_;
};

/// Which interfaces are silenced, by this process.
class Silences {
 public:
  /// folder: where what was found is kept for the next daemon; empty: nowhere.
  explicit Silences(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// The same for all who hold it at a time. Null when the namespace cannot be told.
  std::shared_ptr<Silence> hold(const std::string& namespace_path, const host::Link& link);
  /// Gives back what a crash has left, where nobody holds it.
  void end(const std::string& namespace_path, const host::Link& link);

 private:
  std::filesystem::path file_of(const host::NamespaceId& id, const host::Link& link) const;
  const std::filesystem::path folder_;
  std::map<std::tuple<std::uint64_t, std::uint64_t, int>, std::weak_ptr<Silence>> held_;
};

}  // namespace sluice::af_packet
