// SPDX-License-Identifier: Apache-2.0
// What the operator has asked for, one entry a thing: the latest change of each (CliOptions.object), and for each
// interface the change that made it. An entry goes with the thing, or with an interface that it is about or that it
// names. In the order in which the changes came, the entries make the same state again on a fresh daemon.
//
// Control thread only.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/dispatcher.h"
#include "control/journal.pb.h"
#include "sluice/interfaces.h"

namespace sluice::control {

class SLUICE_API Ledger {
 public:
  /// Told what has changed, as records; a journal writes them. An error is the client's.
  using Writer = std::function<Status(const std::vector<JournalRecord>&)>;

  explicit Ledger(const Api& api) : api_(api) {}

  /// Follows interfaces that come and go; detach() before a stop.
  void watch(Interfaces& interfaces);
  void write_to(Writer writer) { writer_ = std::move(writer); }
  /// From here on nothing is noted: a stop takes interfaces away that a restart brings back.
  void detach();

  /// An accepted change; see Dispatcher::on_change.
  Status changed(const Api::Method& method, const google::protobuf::Message& request, CallContext& context);

  /// What there is, in the order of the changes.
  std::vector<JournalRecord> records() const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    const Api::Method* method = nullptr;
    std::string request;  // serialized: there may be a million
    bool masks = false;
    std::uint64_t order = 0;
    std::unique_ptr<google::protobuf::Message> message() const;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;  // by object
  static JournalRecord record_of(const Entries::value_type& entry);
  void note(const Api::Method& method, const google::protobuf::Message& request, CallContext::Origin origin);
  void put(std::string object, const Api::Method& method, const google::protobuf::Message& request, bool masks);
  /// What is set on subinterfaces may be allowed only behind what was set on the interface below them.
  void keep_subinterfaces_behind(const std::string& object, const google::protobuf::Message& request);
  void erase(Entries::iterator it);
  void erase_below(const std::string& object);
  void forget_interface(const std::string& name);
  Status flush();

  const Api& api_;
  Writer writer_;
  bool detached_ = false;
  const std::shared_ptr<int> alive_ = std::make_shared<int>();  // interfaces may outlive this
  Entries entries_;
  std::map<std::string, std::set<std::string>, std::less<>> naming_;  // interface → objects whose requests name it
  std::set<std::string, std::less<>> startup_;                        // what startup: makes
  std::uint64_t next_ = 0;
  // Since the last change: what interfaces did, and what the journal has not yet heard of.
  std::vector<std::string> created_, deleted_;
  std::vector<JournalRecord> pending_;
};

/// The thing that a request is about: the method's `object` with its fields filled in, addresses and prefixes in one
/// spelling. Empty without one.
SLUICE_API std::string object_of(const Api::Method& method, const google::protobuf::Message& request);

}  // namespace sluice::control
