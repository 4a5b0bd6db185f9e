// SPDX-License-Identifier: Apache-2.0
// One capture: takes packets from the workers' rings and writes them into its file.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/pcapng.h"
#include "sluice/capture.h"
#include "sluice/graph.h"
#include "sluice/interfaces.h"

namespace sluice::capture {

class SLUICE_API CaptureRun {
 public:
  struct Limits {
    std::uint64_t packets = 0;  ///< 0: any number
    std::uint64_t bytes = 0;    ///< of the file
    std::uint32_t snap = 0;
  };
  CaptureRun(const Graph& graph, const Interfaces& interfaces, std::vector<std::shared_ptr<CaptureRing>> rings,
             PcapngFile file, const Limits& limits);

  /// Writes what the workers have left so far, the oldest first.
  void drain();
  /// The interface is deleted, and its slot may be another's soon.
  void forget(InterfaceIndex index);
  /// Writes what is left and closes the file. A reason why it has ended before stays.
  void end(std::string reason);
  /// Why it has ended; empty while it goes on.
  const std::string& ended() const { return ended_; }
  std::uint64_t packets() const { return packets_; }
  std::uint64_t lost() const;
  std::uint64_t bytes() const { return bytes_; }

 private:
  void write(const CaptureRing::Entry& entry);
  void flush();
  void close();
  std::uint32_t number_of(const CaptureRecord& record);
  const std::string& comment_of(const CaptureRecord& record);

  const Graph& graph_;
  const Interfaces& interfaces_;
  std::vector<std::shared_ptr<CaptureRing>> rings_;
  std::unique_ptr<PcapngFile> file_;
  const Limits limits_;
  std::string ended_;
  std::uint64_t packets_ = 0, unwritten_ = 0, lost_ = 0, bytes_ = 0;
  // A packet that is dropped behind its link-layer header is of its interface, but of another link layer.
  std::map<std::pair<InterfaceIndex, LinkLayer>, std::uint32_t> numbers_;
  std::map<std::pair<std::uint64_t, CaptureEvent>, std::string> comments_;
};

}  // namespace sluice::capture
