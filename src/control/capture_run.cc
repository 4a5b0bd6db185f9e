// SPDX-License-Identifier: Apache-2.0
#include "control/capture_run.h"

#include <fmt/format.h>

#include "sluice/clock.h"

namespace sluice::capture {
namespace {

constexpr std::size_t kWriteAtOnce = 1u << 20;

PcapngFile::Direction direction_of(const CaptureRecord& record) {
  if (!record.interface.valid()) return PcapngFile::Direction::Unknown;
  return record.outbound ? PcapngFile::Direction::Outbound : PcapngFile::Direction::Inbound;
}

}  // namespace

CaptureRun::CaptureRun(const Graph& graph, const Interfaces& interfaces,
                       std::vector<std::shared_ptr<CaptureRing>> rings, PcapngFile file, const Limits& limits)
    : graph_(graph),
      interfaces_(interfaces),
      rings_(std::move(rings)),
      file_(std::make_unique<PcapngFile>(std::move(file))),
      limits_(limits),
      bytes_(file_->size()) {}

void CaptureRun::drain() {
  if (!ended_.empty()) return;
  // What comes while this goes on waits for the next time, so that others have their turn on the control thread.
  const std::size_t most = rings_.size() * CaptureRing::kBytes;
  for (std::size_t taken = 0; ended_.empty() && taken < most;) {
    CaptureRing* oldest = nullptr;
    CaptureRing::Entry entry;
    for (const auto& ring : rings_) {
      const auto front = ring->front();
      if (!front || (oldest && front->record.when >= entry.record.when)) continue;
      oldest = ring.get();
      entry = *front;
    }
    if (!oldest) break;
    write(entry);
    taken += sizeof entry.record + entry.record.kept;
    oldest->pop();
    if (file_->waiting() >= kWriteAtOnce) flush();
  }
  flush();
  if (!ended_.empty()) close();
}

void CaptureRun::write(const CaptureRing::Entry& entry) {
  const std::uint64_t before = file_->size();
  file_->add_packet({.interface = number_of(entry.record),
                     .wall_ns = tsc_to_wall_ns(entry.record.when),
                     .bytes = entry.bytes,
                     .length = entry.record.length,
                     .direction = direction_of(entry.record),
                     .comment = comment_of(entry.record)});
  if (file_->size() > limits_.bytes) {
    file_->cut(before);
    ended_ = "size reached";
    return;
  }
  ++packets_;
  ++unwritten_;
  if (packets_ == limits_.packets) ended_ = "count reached";
}

void CaptureRun::flush() {
  if (const Status status = file_->flush(); !status.ok()) {
    packets_ -= unwritten_;
    lost_ += unwritten_;
    ended_ = text(status);
  }
  unwritten_ = 0;
  bytes_ = file_->size();
}

void CaptureRun::end(std::string reason) {
  drain();
  if (!ended_.empty()) return;
  ended_ = std::move(reason);
  close();
}

void CaptureRun::close() {
  if (packets_ == 0) {
    // libpcap refuses a file without any interface.
    file_->add_interface({.name = "-", .link = LinkLayer::Ip, .snap = limits_.snap});
    flush();
  }
  file_.reset();
  lost_ = lost();
  rings_.clear();
}

std::uint64_t CaptureRun::lost() const {
  std::uint64_t lost = lost_;
  for (const auto& ring : rings_) lost += ring->lost();
  return lost;
}

void CaptureRun::forget(InterfaceIndex index) {
  numbers_.erase({index, LinkLayer::Ethernet});
  numbers_.erase({index, LinkLayer::Ip});
}

std::uint32_t CaptureRun::number_of(const CaptureRecord& record) {
  const auto [place, is_new] = numbers_.try_emplace({record.interface, record.link}, 0);
  if (is_new) {
    const std::string name = record.interface.valid() ? interfaces_.name(record.interface) : "-";
    place->second = file_->add_interface({.name = name, .link = record.link, .snap = limits_.snap});
  }
  return place->second;
}

const std::string& CaptureRun::comment_of(const CaptureRecord& record) {
  const std::uint64_t key = std::uint64_t{record.node.value} << 16 | record.reason;
  const auto [place, is_new] = comments_.try_emplace({key, record.event});
  if (!is_new) return place->second;
  const NodeDescription& node = graph_.node(record.node).description;
  switch (record.event) {
    case CaptureEvent::Received: place->second = "rx " + node.name; break;
    case CaptureEvent::Sent: place->second = "tx " + node.name; break;
    case CaptureEvent::Dropped:
      place->second =
          fmt::format("drop {} {}: {}", node.name, node.drops[record.reason], node.drop_sentences[record.reason]);
      break;
  }
  return place->second;
}

}  // namespace sluice::capture
