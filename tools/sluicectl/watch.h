// SPDX-License-Identifier: Apache-2.0
// The same question again and again.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/rates.h"
#include "session.h"

namespace sluice::ctl {

/// "1", "0.5", "500ms" or "2m", from a tenth of a second to a day.
StatusOr<std::chrono::milliseconds> parse_interval(std::string_view text);
/// Cuts `--watch SECONDS` from the end of a line.
StatusOr<std::optional<std::chrono::milliseconds>> cut_watch(std::string_view& line);

struct Repetition {
  std::string title;  // above each look; empty: none
  std::chrono::milliseconds every{1000};
  std::size_t looks = 0;  // shown; 0: until it is ended
};

/// What is looked at.
class Repeated {
 public:
  virtual ~Repeated() = default;
  /// At first, and when another daemon answers: what the one before has said counts no more.
  virtual Status begin() = 0;
  /// What there is to see now. No text: nothing yet.
  virtual Status look(std::string& text) = 0;
};

/// The rows of the latest look, and how fast their counters rise.
class RatedRows {
 public:
  using Reply = std::function<bool(const google::protobuf::Message&)>;

  /// A look: `call` gives each row to its argument.
  Status take(const std::function<Status(const Reply&)>& call);
  void forget();
  const std::vector<std::unique_ptr<google::protobuf::Message>>& rows() const { return rows_; }
  const control::Rates& rates() const { return rates_; }

 private:
  std::vector<std::unique_ptr<google::protobuf::Message>> rows_;
  control::Rates rates_;
};

/// Looks until an interrupt, the key q or the last look. A daemon that goes is waited for. Fails when a look is
/// refused.
Status repeat(Session& session, const Repetition& repetition, Repeated& repeated);

/// Shows what a command shows, again and again, with rates.
Status watch(Session& session, std::string_view line, std::chrono::milliseconds every);

}  // namespace sluice::ctl
