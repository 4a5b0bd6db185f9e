// SPDX-License-Identifier: Apache-2.0
#include "control/drops_service.h"

#include <algorithm>

#include "control/selection.h"
#include "control/time_text.h"
#include "sluice/clock.h"

namespace sluice::drops {

void DropsService::offer(Api& api) { api.service("sluice.drops.Drops").stream("ShowDrops", this, &DropsService::show); }

std::vector<DropsService::Sample> DropsService::samples() const {
  std::vector<Sample> all;
  for (const auto& thread : dataplane_.workers()) {
    for (const DropSample& drop : thread->worker().drops().read()) all.push_back({drop, thread->worker().index()});
  }
  std::stable_sort(all.begin(), all.end(), [](const Sample& a, const Sample& b) { return a.drop.when < b.drop.when; });
  return all;
}

Dropped DropsService::message(const Sample& sample) const {
  const DropSample& drop = sample.drop;
  const NodeDescription& node = dataplane_.graph().node(drop.node).description;
  Dropped m;
  m.set_time(control::time_of_day(tsc_to_wall_ns(drop.when)));
  m.set_interface(drop.rx_interface.valid() ? interfaces_.name(drop.rx_interface) : "-");
  m.set_node(node.name);
  m.set_reason(node.drops[drop.reason]);
  m.set_sentence(node.drop_sentences[drop.reason]);
  if (drop.has_flow) m.set_flow(drop.flow.to_string());
  m.set_length(drop.length);
  m.set_worker(sample.worker);
  return m;
}

Stream<Dropped> DropsService::show(const DropQuery& query) {
  std::vector<Dropped> chosen;
  for (const Sample& sample : samples()) {
    Dropped m = message(sample);
    if (!query.interface().empty() && !control::is_like(query.interface(), m.interface())) continue;
    if (!query.reason().empty() && !control::is_like(query.reason(), m.reason())) continue;
    chosen.push_back(std::move(m));
  }
  const std::size_t skip = chosen.size() > query.last() ? chosen.size() - query.last() : 0;
  for (std::size_t i = skip; i < chosen.size(); ++i) co_yield std::move(chosen[i]);
}

}  // namespace sluice::drops
