// SPDX-License-Identifier: Apache-2.0
// What a plugin adds, said explicitly: nodes, features, arcs, drivers, local protocols, services. A test makes a
// Registry with only what it tests.
#pragma once
#include <sluice/chain.h>
#include <sluice/graph.h>
#include <sluice/node.h>
#include <sluice/node_check.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace sluice {

class Context;

namespace detail {

template <class K>
class KernelHolder final : public KernelBase {
 public:
  template <class... A>
  explicit KernelHolder(A&... args) : kernel_{args...} {}
  void* get() override { return &kernel_; }

 private:
  K kernel_;
};

template <class E>
std::vector<std::string> names_as_strings() {
  std::vector<std::string> names;
  if constexpr (enum_count<E>() > 0) {
    for (const std::string_view name : names_of<E>()) names.emplace_back(name);
  }
  return names;
}

template <Kernel K>
std::string_view form_name() {
  if constexpr (PerPacket<K>) return "per packet";
  if constexpr (Staged<K>) return "staged";
  return "batch";
}

template <Node K>
void describe_trace(const std::byte* bytes, FieldSink& sink) {
  typename K::Trace trace;
  std::memcpy(&trace, bytes, sizeof trace);
  if constexpr (requires { trace.describe(sink); }) trace.describe(sink);
}

template <Node K>
std::vector<std::string> sentences() {
  std::vector<std::string> sentences;
  for (std::size_t i = 0; i < enum_count<typename K::Drop>(); ++i) {
    sentences.emplace_back(K::why(static_cast<typename K::Drop>(i)));
  }
  return sentences;
}

}  // namespace detail

class SLUICE_API Registry {
 public:
  /// Adds a node. state is what the kernel's members are made from; it must outlive the graph. Each worker gets a
  /// kernel of its own.
  template <class K, class... State>
  NodeDescription& node(State&... state) {
    static_assert(check_node<K>(), "K is no node: the first error says what it lacks");
    NodeDescription d;
    // When K is no node, one error is enough.
    if constexpr (Kernel<K>) describe<K>(d, state...);
    nodes_.push_back(std::move(d));
    return nodes_.back();
  }

  /// Adds a node that sits on an arc (K::kFeature).
  template <class K, class... State>
  NodeDescription& feature(State&... state) {
    NodeDescription& d = node<K>(state...);
    d.feature = K::kFeature;
    return d;
  }

  /// Fuses the kernels of a common way (sluice/chain.h). Each is a node that is registered as well.
  template <class... K>
  void chain() {
    using Fused = Chain<K...>;
    chains_.push_back(
        {{Fused::kNames.begin(), Fused::kNames.end()}, {Fused::kCodes.begin(), Fused::kCodes.end()}, &Fused::run});
  }

  void arc(ArcInfo info) { arcs_.push_back(std::move(info)); }
  /// Adds the nodes NAME-input and NAME-output for a driver.
  void driver(std::string_view name);
  /// A kind of message from workers; handler runs on the control thread.
  std::uint32_t control_message(std::function<void(const ControlMessage&)> handler) {
    message_handlers_.push_back(std::move(handler));
    return static_cast<std::uint32_t>(message_handlers_.size() - 1);
  }
  /// Runs on the control thread when all is built and before the workers start.
  void on_start(std::function<Status()> function) { start_.push_back(std::move(function)); }
  /// Runs on the control thread after the workers have stopped.
  void on_stop(std::function<void()> function) { stop_.push_back(std::move(function)); }
  /// Keeps a plugin's state alive as long as the graph.
  template <class T, class... A>
  T& own(A&&... args) {
    auto object = std::make_shared<T>(std::forward<A>(args)...);
    owned_.push_back(object);
    return *object;
  }

  /// What the daemon offers plugins (context.h); null in tests that need none.
  Context* context = nullptr;

  // What the framework reads.
  void set_plugin(std::string name) { plugin_ = std::move(name); }
  std::deque<NodeDescription>& nodes() { return nodes_; }
  const std::vector<ArcInfo>& arcs() const { return arcs_; }
  const std::vector<ChainDescription>& chains() const { return chains_; }
  const std::vector<std::function<void(const ControlMessage&)>>& message_handlers() const { return message_handlers_; }
  const std::vector<std::function<Status()>>& starts() const { return start_; }
  const std::vector<std::function<void()>>& stops() const { return stop_; }

 private:
  template <Kernel K, class... State>
  void describe(NodeDescription& d, State&... state) const {
    d.name = K::kInfo.name;
    d.summary = K::kInfo.summary;
    d.plugin = plugin_;
    d.entry = K::kInfo.entry;
    d.form = detail::form_name<K>();
    d.nexts = detail::names_as_strings<typename K::Next>();
    d.drops = detail::names_as_strings<typename K::Drop>();
    if constexpr (enum_count<typename K::Drop>() > 0) d.drop_sentences = detail::sentences<K>();
    if constexpr (requires { typename K::Count; }) d.events = detail::names_as_strings<typename K::Count>();
    d.describe = &detail::describe_trace<K>;
    d.make = [states = std::tuple<State&...>(state...)]() -> std::unique_ptr<KernelBase> {
      return std::apply([](State&... s) { return std::make_unique<detail::KernelHolder<K>>(s...); }, states);
    };
    d.run = &run_node<K>;
    if constexpr (!PerPacketOut<K>) d.judge = &judge_node<K>;
    if constexpr (Holds<K>) {
      d.held = [](const NodeRuntime& n) noexcept { return static_cast<const K*>(n.kernel)->held(); };
      d.release = [](NodeRuntime& n, Worker& w) noexcept {
        Out<K> out(n, w);
        static_cast<K*>(n.kernel)->release(w, out);
      };
      d.flush = [](NodeRuntime& n, Worker& w) noexcept { static_cast<K*>(n.kernel)->flush(w); };
    }
  }

  std::string plugin_ = "core";
  std::vector<std::shared_ptr<void>> owned_;
  std::deque<NodeDescription> nodes_;
  std::vector<ArcInfo> arcs_;
  std::vector<ChainDescription> chains_;
  std::vector<std::function<void(const ControlMessage&)>> message_handlers_;
  std::vector<std::function<Status()>> start_;
  std::vector<std::function<void()>> stop_;
};

}  // namespace sluice
