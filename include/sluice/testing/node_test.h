// SPDX-License-Identifier: Apache-2.0
// NodeTest<K> runs each input alone, then in mixed vectors of 2 to 256 on different interfaces, untraced, traced and,
// where the kernel can be fused, in chains (fused_run.h), and requires the same fate for each packet every time: a
// packet's fate does not depend on its neighbours.
#pragma once
#include <sluice/node_check.h>
#include <sluice/testing/fused_run.h>
#include <sluice/testing/test_world.h>

#include <algorithm>
#include <functional>
#include <iomanip>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace sluice::testing {

/// One packet that a kernel emitted.
struct Emitted {
  std::uint16_t code;
  Bytes bytes;
  bool operator==(const Emitted&) const = default;
};

/// What became of one packet.
struct Outcome {
  std::uint16_t code = 0;
  std::string verdict;  ///< in words
  Bytes bytes;
  InterfaceIndex tx_interface;
  std::uint32_t flags = 0;
  std::vector<Emitted> emitted;
  bool operator==(const Outcome& o) const {
    return code == o.code && bytes == o.bytes && tx_interface == o.tx_interface && emitted == o.emitted &&
           flags == o.flags;
  }
  friend void PrintTo(const Outcome& o, std::ostream* os) {
    *os << o.verdict << ", tx " << o.tx_interface.value << ", " << o.bytes.size() << " bytes:" << std::hex
        << std::setfill('0');
    for (const std::uint8_t b : o.bytes) *os << ' ' << std::setw(2) << int{b};
    *os << std::dec << ", " << o.emitted.size() << " emitted";
  }
};

/// An expected outcome: a verdict, and what else the test cares for.
struct Expected {
  std::uint16_t code;
  std::optional<Bytes> bytes;
  std::optional<InterfaceIndex> tx_interface;
  template <class B>
  Expected with(const B& b) const {
    Expected e = *this;
    if constexpr (requires { b.bytes(); }) {
      e.bytes = b.bytes();
    } else {
      e.bytes = b;
    }
    return e;
  }
  Expected on(InterfaceIndex i) const {
    Expected e = *this;
    e.tx_interface = i;
    return e;
  }
  friend bool operator==(const Outcome& o, const Expected& e) {
    return o.code == e.code && (!e.bytes || *e.bytes == o.bytes) &&
           (!e.tx_interface || *e.tx_interface == o.tx_interface);
  }
  friend void PrintTo(const Expected& e, std::ostream* os) {
    *os << "verdict code " << e.code << (e.code & kVerdictDropBit ? " (drop)" : "");
    if (e.bytes) {
      *os << std::hex << std::setfill('0');
      for (const std::uint8_t b : *e.bytes) *os << ' ' << std::setw(2) << int{b};
      *os << std::dec;
    }
  }
};

namespace detail {
// Of an enumerator's type, by its last name: kernels call them Next and Drop.
template <class E>
consteval bool is_drop() {
  std::string_view s = __PRETTY_FUNCTION__;
  s = s.substr(s.find("E = ") + 4);
  s = s.substr(0, s.find_first_of(";]"));
  return s.ends_with("::Drop");
}
}  // namespace detail

/// verdict(K::Next::X), verdict(K::Drop::Y).
template <class E>
Expected verdict(E value) {
  const auto code = static_cast<std::uint16_t>(value);
  return {static_cast<std::uint16_t>(detail::is_drop<E>() ? code | kVerdictDropBit : code), {}, {}};
}
inline Expected held() { return {kVerdictHold, {}, {}}; }

template <class K>
class NodeTest {
  static_assert(check_node<K>(), "K is no node: the first error says what it lacks");
  Arrivals came_;  // before the world, whose nodes write to it

 public:
  /// args: what the kernel's members are made from.
  template <class... A>
  explicit NodeTest(A&... args) : world([this](Registry& r) { add_sinks(r); }), kernel{args...} {
    node_.index = NodeIndex{0};
    if constexpr (requires { typename K::Count; })
      node_.event_counts = std::vector<Counter>(enum_count<typename K::Count>());
    first_ = world.add_interface();
    for (int i = 0; i < 7; ++i) world.add_interface();
  }
  ~NodeTest() {
    if constexpr (Holds<K>) kernel.flush(world.worker());
  }

  /// Sets metadata of each packet before it runs (offsets, flags, table …).
  std::function<void(Packet&)> prepare;
  /// Nodes whose kernels remember packets (policers, holders) say so here: only the run of each packet alone is made.
  bool neighbours_matter = false;

  template <class Input>
  std::vector<Outcome> run(const std::vector<Input>& inputs) {
    std::vector<Bytes> bytes;
    for (const Input& input : inputs) {
      if constexpr (requires { input.bytes(); }) {
        bytes.push_back(input.bytes());
      } else {
        bytes.push_back(input);
      }
    }
    return run_bytes(bytes);
  }
  template <class Input>
  std::vector<Outcome> run(std::initializer_list<Input> inputs) {
    return run(std::vector<Input>(inputs));
  }

  std::uint64_t events(auto event) const { return node_.event_counts[static_cast<std::size_t>(event)].get(); }
  /// The interface on which input i arrives.
  InterfaceIndex interface_of(std::size_t i) const {
    return InterfaceIndex(first_.slot() + static_cast<std::uint32_t>(i % 8), 1);
  }

  TestWorld world;
  K kernel;

 private:
  std::vector<Outcome> run_bytes(const std::vector<Bytes>& inputs) {
    std::vector<Outcome> alone;
    for (std::size_t i = 0; i < inputs.size(); ++i) alone.push_back(vector({inputs[i]}, {i}, false)[0]);
    if (neighbours_matter || inputs.empty()) return alone;
    for (const std::size_t size : {2u, 3u, 4u, 5u, 64u, 255u, 256u}) {
      for (const bool traced : {false, true}) {
        std::vector<Bytes> bytes;
        std::vector<std::size_t> which;
        for (std::size_t i = 0; i < size; ++i) {
          bytes.push_back(inputs[i % inputs.size()]);
          which.push_back(i % inputs.size());
        }
        const auto together = vector(bytes, which, traced);
        for (std::size_t i = 0; i < size; ++i) {
          EXPECT_EQ(together[i], alone[which[i]])
              << "packet " << i << " of a vector of " << size << (traced ? ", traced" : "");
        }
      }
    }
    if constexpr (Fusible<K>) run_fused(inputs, alone);
    return alone;
  }

  void add_sinks(Registry& registry) {
    if constexpr (Fusible<K>) FusedRun<K>::add_sinks(registry, came_);
  }

  // The same in each chain that there can be: by every verdict, entered before the kernel and at it. Every third packet
  // is taken out before, where there is a before.
  void run_fused(const std::vector<Bytes>& inputs, const std::vector<Outcome>& alone)
    requires Fusible<K>
  {
    FusedRun<K> run(kernel, world.graph(), came_);
    for (std::size_t along = 0; along < FusedRun<K>::kVerdicts; ++along) {
      for (const std::size_t size : {1u, 3u, 5u, 64u, 256u}) {
        for (const std::size_t at : {0u, 1u}) {
          const auto packets = make(inputs, size);
          std::vector<Packet*> strangers;
          for (std::size_t i = 1; at == 0 && i < size; i += 3) strangers.push_back(packets[i]);
          run.run(along, at, world.worker(), packets, strangers);
          check_fused(alone, packets, strangers, run.drops());
        }
      }
    }
  }

  std::vector<Packet*> make(const std::vector<Bytes>& inputs, std::size_t size) {
    world.worker().begin_pass();
    std::vector<Packet*> packets;
    for (std::size_t i = 0; i < size; ++i) packets.push_back(make(inputs[i % inputs.size()], i % inputs.size()));
    return packets;
  }
  Packet* make(const Bytes& bytes, std::size_t which) {
    Packet* packet = world.make(bytes);
    packet->rx_interface = interface_of(which);
    packet->l2_offset = packet->l3_offset = packet->offset();
    if (prepare) prepare(*packet);
    return packet;
  }

  void check_fused(const std::vector<Outcome>& alone, const std::vector<Packet*>& packets,
                   const std::vector<Packet*>& strangers, const std::vector<std::uint64_t>& drops) {
    std::vector<std::uint64_t> expected(drops.size());
    for (std::size_t i = 0; i < packets.size(); ++i) {
      if (std::find(strangers.begin(), strangers.end(), packets[i]) != strangers.end()) continue;
      const Outcome& wanted = alone[i % alone.size()];
      const auto came = std::find_if(came_.begin(), came_.end(), [&](const auto& c) { return c.first == packets[i]; });
      if (wanted.code & kVerdictDropBit) ++expected[wanted.code & 0x7fff];
      Outcome outcome = wanted;  // what was dropped is not there any more
      if (came != came_.end()) outcome = outcome_of(*came->first, came->second);
      EXPECT_EQ(outcome, wanted) << "packet " << i << " of a fused vector of " << packets.size();
      EXPECT_EQ(came == came_.end(), (wanted.code & kVerdictDropBit) != 0)
          << wanted.verdict << ": packet " << i << " of a fused vector of " << packets.size();
    }
    EXPECT_EQ(drops, expected) << "drops by reason, of a fused vector of " << packets.size();
    for (const auto& [packet, code] : came_) world.worker().buffers().free(packet);
  }

  std::vector<Outcome> vector(const std::vector<Bytes>& bytes, const std::vector<std::size_t>& which, bool traced) {
    Worker& worker = world.worker();
    worker.begin_pass();
    worker.set_current(&node_);
    std::vector<Packet*> in;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      in.push_back(make(bytes[i], which[i]));
    }
    std::vector<std::uint16_t> codes(in.size(), 0x7ffe);
    std::vector<Outcome> outcomes(in.size());
    if constexpr (PerPacketOut<K>) {
      // One packet at a time, to know which one made which.
      for (std::size_t i = 0; i < in.size(); ++i) {
        Out<K> out(node_, worker);
        run_vector<K>(kernel, std::span<Packet* const>(&in[i], 1), &codes[i], worker, node_.index, traced, &out);
        out.take([&](Packet& packet, std::uint16_t code) {
          outcomes[i].emitted.push_back({code, TestWorld::bytes_of(packet)});
          worker.buffers().free(&packet);
        });
      }
    } else {
      run_vector<K>(kernel, in, codes.data(), worker, node_.index, traced, nullptr);
    }
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (codes[i] == kVerdictHold) {
        outcomes[i].code = codes[i];
        outcomes[i].verdict = words(codes[i]);
        continue;
      }
      auto emitted = std::move(outcomes[i].emitted);
      outcomes[i] = outcome_of(*in[i], codes[i]);
      outcomes[i].emitted = std::move(emitted);
      worker.buffers().free(in[i]);
    }
    return outcomes;
  }
  static Outcome outcome_of(const Packet& packet, std::uint16_t code) {
    Outcome outcome;
    outcome.code = code;
    outcome.verdict = words(code);
    outcome.bytes = TestWorld::bytes_of(packet);
    outcome.tx_interface = packet.tx_interface;
    outcome.flags = packet.flags & ~(kTraced | kTraceCandidate);
    return outcome;
  }

  static std::string words(std::uint16_t code) {
    if (code == kVerdictHold) return "hold";
    const bool drop = code & kVerdictDropBit;
    const auto names = drop ? sluice::detail::names_as_strings<typename K::Drop>()
                            : sluice::detail::names_as_strings<typename K::Next>();
    const std::size_t i = code & 0x7fff;
    return (drop ? "drop " : "") + (i < names.size() ? names[i] : std::string("?"));
  }

  NodeRuntime node_;
  InterfaceIndex first_;
};

}  // namespace sluice::testing
