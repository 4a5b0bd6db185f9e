// SPDX-License-Identifier: Apache-2.0
// Fused chains: the kernels of a common way through the graph, composed at compile time. `registry.chain<A, B, C>()`
// says that packets often go from A to B to C; a vector that comes to A, or to a later one of them, then runs through
// the rest in one loop for each stretch between staged kernels. Survivors stay in order. A packet that gets another
// verdict than the one that leads along the chain leaves there, into the ordinary graph. Kernels, counters and meaning
// are those of the nodes.
//
// A vector takes the nodes one by one when one of its packets is traced, so that the trace shows every step, and while
// packets wait at a later node of the chain, so that none is overtaken. Features on an arc of the chain are run where
// the arc is: a stretch ends there.
#pragma once
#include <sluice/graph.h>
#include <sluice/known.h>
#include <sluice/names.h>
#include <sluice/node.h>
#include <sluice/worker.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>

namespace sluice {

/// The code of K's verdict that leads to a node: the enumerator of K::Next that is its name.
template <class K>
constexpr std::uint16_t code_to(std::string_view node) {
  const auto names = names_of<typename K::Next>();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == node) return static_cast<std::uint16_t>(i);
  }
  return kVerdictHold;
}

/// The vector on its way through a chain; what of it does not depend on the kernels.
struct ChainPass {
  ChainRuntime& chain;
  Worker& worker;
  Packet** packets;
  std::size_t count;
  std::uint32_t hooks = 0;  ///< bit i: there are features on the edge from node i
  std::size_t entered = 0;  ///< packets that came into the stretch
  std::size_t left = 0;     ///< how many have left in this stretch
  std::size_t stayed = 0;   ///< how many went on from the first node
  bool began = false;
  std::array<std::uint16_t, ChainRuntime::kMaxNodes> left_at{};
  std::array<Packet*, kVectorMax> left_packets;
  std::array<std::uint16_t, kVectorMax> left_codes;
  std::array<std::uint8_t, kVectorMax> left_nodes;

  // Those arrays are written before they are read.
  SLUICE_API ChainPass(ChainRuntime& c, Worker& w, Packet** p, std::size_t n) noexcept;
  ChainPass(const ChainPass&) = delete;
  ChainPass& operator=(const ChainPass&) = delete;

  void leave(Packet& packet, std::size_t at, std::uint16_t code) noexcept {
    left_packets[left] = &packet;
    left_codes[left] = code;
    left_nodes[left++] = static_cast<std::uint8_t>(at);
    ++left_at[at];
  }
  /// After the stretch from node first to node last: counts, sends on those who left, and runs the features behind it.
  SLUICE_API void end_stretch(std::size_t first, std::size_t last) noexcept;

 private:
  void send_away(std::size_t first, std::size_t last) noexcept;
};

template <class K>
concept CountsEvents = requires { typename K::Count; };

namespace detail {

/// What a kernel says of a packet, none of them traced; key is for staged kernels only.
template <class K, class... Key>
[[gnu::always_inline]] inline std::uint16_t judge_known(K& kernel, Packet& packet, Worker& worker, Known& known,
                                                        Key&... key) noexcept {
  typename K::Trace* const trace = nullptr;
  if constexpr (sizeof...(Key) > 0) {
    if constexpr (requires { kernel.finish(packet, key..., worker, trace, known); }) {
      return kernel.finish(packet, key..., worker, trace, known).code();
    } else {
      known = {};
      return kernel.finish(packet, key..., worker, trace).code();
    }
  } else if constexpr (requires { kernel(packet, worker, trace, known); }) {
    return kernel(packet, worker, trace, known).code();
  } else {
    known = {};
    return kernel(packet, worker, trace).code();
  }
}

}  // namespace detail

template <class... K>
class Chain {
 public:
  static constexpr std::size_t kSize = sizeof...(K);
  static_assert(kSize >= 2 && kSize <= ChainRuntime::kMaxNodes);
  static_assert(((PerPacketPlain<K> || Staged<K>) && ...), "only per-packet and staged kernels can be fused");
  static_assert(!(CountsEvents<K> || ...), "a fused kernel is not the worker's current one: no events");

  static constexpr std::array<std::string_view, kSize> kNames{K::kInfo.name...};
  /// Of each node's verdict that leads to the next; the last one's leads to the device.
  static constexpr std::array<std::uint16_t, kSize> kCodes = [] {
    std::array<std::uint16_t, kSize> codes{};
    std::size_t i = 0;
    ((codes[i] = code_to<K>(i + 1 < kSize ? kNames[i + 1] : std::string_view("device")), ++i), ...);
    return codes;
  }();
  static_assert(std::find(kCodes.begin(), kCodes.end(), kVerdictHold) == kCodes.end(),
                "a node of the chain has no Next that is the one behind it");

  /// Runs a vector from node `at` on. The packets that come through are left in frame, in order. Returns how many of
  /// them went on from the first node.
  static std::size_t run(ChainRuntime& chain, std::size_t at, Worker& worker, Frame& frame) noexcept {
    const Kernels kernels = kernels_of(chain, std::make_index_sequence<kSize>{});
    begin(kernels, worker, at, std::make_index_sequence<kSize>{});
    Pass pass(chain, worker, frame.packets.data(), frame.count);
    pass.kernels = kernels;
    while (at < kSize && pass.count > 0) at = kStretches[at](pass);
    frame.count = static_cast<std::uint16_t>(pass.count);
    return pass.stayed;
  }

 private:
  template <std::size_t I>
  using Kernel = std::tuple_element_t<I, std::tuple<K...>>;

  struct NoKeys {};
  template <class T>
  struct KeysOf {
    using Type = NoKeys;
  };
  template <Staged T>
  struct KeysOf<T> {
    using Type = detail::Keys<T>;
  };
  using Kernels = std::tuple<K*...>;
  struct Pass : ChainPass {
    using ChainPass::ChainPass;
    Kernels kernels;
    std::tuple<typename KeysOf<K>::Type...> keys;
    bool prepared = false;  // the keys of the staged kernel that comes next are there
  };

  template <std::size_t... I>
  static Kernels kernels_of(const ChainRuntime& chain, std::index_sequence<I...>) noexcept {
    return {static_cast<K*>(chain.nodes[I]->kernel)...};
  }
  template <std::size_t... I>
  static void begin(const Kernels& kernels, Worker& worker, std::size_t from, std::index_sequence<I...>) noexcept {
    const auto one = [&]<std::size_t N>() {
      if constexpr (requires(Kernel<N>& k, Worker& w) { k.begin(w); }) {
        if (N >= from) std::get<N>(kernels)->begin(worker);
      }
    };
    (one.template operator()<I>(), ...);
  }

  /// Where the stretch that begins at I ends if nothing hooks in: at the last node, or before a staged one.
  template <std::size_t I>
  static consteval std::size_t last_of() {
    if constexpr (I + 1 == kSize) {
      return I;
    } else if constexpr (Staged<Kernel<I + 1>>) {
      return I;
    } else {
      return last_of<I + 1>();
    }
  }

  // A packet has got its verdict at I: on to the next node, or out. False: it has left.
  template <std::size_t I, bool kHooked>
  [[gnu::always_inline]] static bool go_on(Pass& pass, const Kernels& kernels, Worker& worker, std::uint32_t hooks,
                                           Packet& packet, std::size_t place, Known& known,
                                           std::uint16_t code) noexcept {
    if (code != kCodes[I]) [[unlikely]] {
      pass.leave(packet, I, code);
      return false;
    }
    if constexpr (I + 1 == kSize) {
      return true;
    } else {
      if constexpr (kHooked) {
        if (hooks >> I & 1) return true;
      }
      if constexpr (Staged<Kernel<I + 1>>) {
        std::get<I + 1>(pass.keys)[place] = std::get<I + 1>(kernels)->prepare(packet, worker);
        return true;
      } else {
        code = detail::judge_known(*std::get<I + 1>(kernels), packet, worker, known);
        return go_on<I + 1, kHooked>(pass, kernels, worker, hooks, packet, place, known, code);
      }
    }
  }

  template <std::size_t B>
  [[gnu::flatten]] static void stages(Pass& pass) noexcept {
    auto& keys = std::get<B>(pass.keys);
    auto& staged = *std::get<B>(pass.kernels);
    if (!pass.prepared) {
      for (std::size_t i = 0; i < pass.count; ++i) keys[i] = staged.prepare(*pass.packets[i], pass.worker);
    }
    pass.prepared = false;
    if constexpr (requires { staged.step(*pass.packets[0], keys[0], pass.worker); }) {
      for (std::size_t s = steps_of(staged); s > 0; --s) {
        for (std::size_t i = 0; i < pass.count; ++i) staged.step(*pass.packets[i], keys[i], pass.worker);
      }
    }
    if constexpr (Settles<Kernel<B>>) {
      for (std::size_t i = 0; i < pass.count; ++i) staged.settle(*pass.packets[i], keys[i], pass.worker);
    }
  }

  /// The packets' way from B to the end of its stretch, or to a node that hooks names. Returns how many stay. Without
  /// kFetch for a later stretch: it finds the packets in caches.
  template <std::size_t B, bool kHooked, bool kFetch>
  [[gnu::flatten]] static std::size_t walk(Pass& pass) noexcept {
    constexpr std::size_t kAhead = prefetch_distance<Kernel<B>>();
    Worker& worker = pass.worker;
    const std::uint32_t hooks = pass.hooks;
    Packet** const packets = pass.packets;
    const std::size_t count = pass.count;
    const std::size_t ahead = pass.began || count < kAhead ? 0 : count - kAhead;
    const Kernels kernels = pass.kernels;  // a copy: no store to a packet can be thought to change it
    auto& first = *std::get<B>(kernels);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; ++i) {
      Packet& packet = *packets[i];
      if constexpr (kFetch) {
        if (i < ahead) prefetch(packets[i + kAhead]);
      }
      Known known;
      std::uint16_t code;
      if constexpr (Staged<Kernel<B>>) {
        code = detail::judge_known(first, packet, worker, known, std::get<B>(pass.keys)[i]);
      } else {
        code = detail::judge_known(first, packet, worker, known);
      }
      if (go_on<B, kHooked>(pass, kernels, worker, hooks, packet, kept, known, code)) packets[kept++] = &packet;
    }
    return kept;
  }

  /// The stretch that begins at B. Returns the node behind it.
  template <std::size_t B>
  static std::size_t stretch(Pass& pass) noexcept {
    const std::uint32_t hooks = pass.hooks;
    pass.entered = pass.count;
    if constexpr (Staged<Kernel<B>>) stages<B>(pass);
    if (hooks != 0) {
      pass.count = walk<B, true, true>(pass);
    } else {
      pass.count = B > 0 && pass.began ? walk < B, false, B == 0 > (pass) : walk<B, false, true>(pass);
    }
    std::size_t last = B;
    while (last < last_of<B>() && !(hooks >> last & 1)) ++last;
    if (last + 1 < kSize) pass.prepared = last == last_of<B>() && !(hooks >> last & 1);
    pass.end_stretch(B, last);
    return last + 1;
  }

  using Stretch = std::size_t (*)(Pass&) noexcept;
  static constexpr std::array<Stretch, kSize> kStretches = []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<Stretch, kSize>{&stretch<I>...};
  }(std::make_index_sequence<kSize>{});
};

}  // namespace sluice
