// SPDX-License-Identifier: Apache-2.0
// The streams and their commands.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "pg/pg.pb.h"
#include "sluice/api.h"
#include "sluice/context.h"
#include "sluice/registry.h"
#include "stream_queue.h"

namespace sluice::pg {

class Service {
 public:
  /// Each that runs is a queue of a worker, of which that serves some thousands beside the devices'.
  static constexpr std::size_t kMostStreams = 1024;

  explicit Service(Registry& registry);
  void offer(Api& api);

  Status create(const Stream& request, Done& done, CallContext& call);
  Status remove(const StreamName& request, Done& done, CallContext& call);
  Status start(const StreamSelection& request, Done& done, CallContext& call);
  Status stop(const StreamSelection& request, Done& done, CallContext& call);
  sluice::Stream<StreamState> show(const StreamSelection& query);

 private:
  enum class State { Stopped, Running, Done };
  struct Entry {
    Stream spec;
    std::shared_ptr<const Packets> packets;
    std::shared_ptr<StreamQueue> queue;  ///< of the latest start
    State state = State::Stopped;
    std::uint32_t run = 0;  ///< number of the latest start
    InterfaceIndex interface;
  };
  /// Where packets enter.
  struct Target {
    NodeIndex node;
    InterfaceIndex receives, sends;
  };
  struct Finished {
    std::uint32_t run;
  };

  StatusOr<Target> target_of(const Stream& spec, const Packets& packets) const;
  StatusOr<std::shared_ptr<const Packets>> packets_of(const Stream& spec) const;
  StatusOr<std::vector<Entry*>> select(const std::string& name);
  /// Gives a queue of its own to the worker.
  Status begin(Entry& entry);
  void halt(Entry& entry, State state);
  void finished(std::uint32_t run);
  void interface_deleted(InterfaceIndex index);
  static StreamState message(const Entry& entry);

  Context* const context_;
  std::uint32_t finished_kind_ = 0;
  std::uint32_t runs_ = 0;
  std::map<std::string, Entry> streams_;
};

}  // namespace sluice::pg
