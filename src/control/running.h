// SPDX-License-Identifier: Apache-2.0
// The running configuration: keeps the ledger of what was asked for, writes it to the journal, brings it back after a
// restart, and shows it as commands.
#pragma once
#include <memory>
#include <string>

#include "control/grammar.h"
#include "control/journal.h"
#include "control/ledger.h"
#include "sluice/context.h"

namespace sluice::control {

class SLUICE_API Running {
 public:
  /// Notes every change from now on. path: the journal's file; empty: none is kept.
  Running(Dispatcher& dispatcher, Context& context, std::string path);
  ~Running();
  void offer(Api& api);

  /// Behind startup:, makes again what the journal holds, then writes what has come of it. What cannot be made again is
  /// logged with its reason and forgotten. Errors: the journal cannot be read or written.
  Status restore();
  /// Before a stop: what goes from here on comes back at the next start.
  void close();

 private:
  Status write(const std::vector<JournalRecord>& records);
  Status compact();
  void restore_one(const JournalRecord& record);
  Stream<ConfigurationLine> show(const ConfigurationQuery&);
  const Grammar& grammar();

  Dispatcher& dispatcher_;
  Context& context_;
  Ledger ledger_;
  std::unique_ptr<Journal> journal_;
  bool writing_ = false;         // the journal has been read and may be replaced
  bool behind_ = false;          // the last write failed
  std::uint64_t compacted_ = 0;  // the journal's bytes when it was written anew
  std::size_t records_ = 0;      // and how many records are in it now
  std::unique_ptr<Timer> retry_;
  std::unique_ptr<Grammar> grammar_;
  std::size_t restored_ = 0, refused_ = 0;
};

}  // namespace sluice::control
