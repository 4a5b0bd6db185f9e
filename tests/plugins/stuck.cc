// SPDX-License-Identifier: Apache-2.0
// Nodes that never come back from a packet which holds their name: for the tests of the watchdogs.
#include <sluice/context.h>
#include <sluice/feature.h>
#include <sluice/node.h>
#include <sluice/plugin.h>
#include <time.h>
#include <unistd.h>

#include <string_view>

namespace sluice::stuck {

enum class Way { Spin, Block, Control };

template <Way kWay>
struct Stuck {
  static constexpr NodeInfo kInfo{kWay == Way::Spin    ? "stuck-spin"
                                  : kWay == Way::Block ? "stuck-block"
                                                       : "stuck-control",
                                  "never comes back from a packet that holds its name"};
  static constexpr FeatureInfo kFeature{.arc = "ip4-unicast"};
  enum class Next : std::uint8_t { Continue };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};

  const std::uint32_t& message;

  Verdict operator()(Packet& packet, Worker& worker, Trace*) const noexcept {
    const std::string_view bytes(reinterpret_cast<const char*>(packet.data), packet.length);
    if (bytes.find(kInfo.name) == bytes.npos) return Next::Continue;
    if constexpr (kWay == Way::Control) {
      (void)worker.report(ControlMessage::of(message, 0));
      return Next::Continue;
    }
    volatile bool for_ever = true;
    while (for_ever) {
      const timespec hour{3600, 0};
      if (kWay == Way::Block) nanosleep(&hour, nullptr);
    }
    return Next::Continue;
  }
};

}  // namespace sluice::stuck

SLUICE_PLUGIN(stuck, "nodes that are stuck by a packet; for tests") {
  using namespace sluice::stuck;
  auto& message = registry.own<std::uint32_t>(registry.control_message([](const sluice::ControlMessage&) {
    for (;;) pause();
  }));
  registry.feature<Stuck<Way::Spin>>(message);
  registry.feature<Stuck<Way::Block>>(message);
  registry.feature<Stuck<Way::Control>>(message);
}
