// SPDX-License-Identifier: Apache-2.0
// The operations of capture.proto.
#pragma once
#include <memory>
#include <string>

#include "control/capture.pb.h"
#include "control/capture_run.h"
#include "core/dataplane.h"
#include "sluice/api.h"
#include "sluice/context.h"

namespace sluice::capture {

class CaptureService {
 public:
  CaptureService(Dataplane& dataplane, Context& context);
  void offer(Api& api);
  /// Makes the file whole and closes it: the workers have stopped.
  void finish();

 private:
  Status start(const CaptureSpec& spec, Done& done, CallContext& call);
  Status stop(const Nothing&, Done& done, CallContext& call);
  Stream<CaptureStatus> show(const Nothing&);

  bool is_running() const { return run_ && run_->ended().empty(); }
  StatusOr<std::unique_ptr<CaptureState>> state_for(const CaptureSpec& spec) const;
  Status check_interface(const CaptureSpec& spec) const;
  void drain();
  void end(std::string reason);
  /// The run has ended: the workers need not go on.
  void let_go();
  void on_interface(Interfaces::Event event, const InterfaceEntry& entry);

  Dataplane& dataplane_;
  Context& context_;
  CaptureSpec spec_;  // of the run
  std::unique_ptr<CaptureRun> run_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace sluice::capture
