// SPDX-License-Identifier: Apache-2.0
// Which worker serves which receive queue, and how.
#include <algorithm>

#include "interface/interface_manager.h"
#include "sluice/log.h"

namespace sluice {

void InterfaceManager::place_rx(Slot& made) {
  // Queue q of a device with many goes to worker q, which transmits on queue q: a TUN brings a flow to the queue that
  // last wrote it. Devices with one queue are spread.
  const std::uint32_t first = made.rx.size() == 1 ? next_worker_++ : 0;
  for (std::uint16_t q = 0; q < made.rx.size(); ++q) {
    const RxPlacement placement{q, (first + q) % dataplane_.worker_count()};
    if (serve(made, placement).ok()) made.entry.placement.push_back(placement);
  }
}

Status InterfaceManager::serve(const Slot& s, const RxPlacement& placement) {
  const NodeIndex input = dataplane_.graph().find(s.entry.driver + "-input");
  return dataplane_.workers()[placement.worker]->add(
      {s.rx[placement.queue].get(), s.entry.index, input, s.entry.rx_mode});
}

StatusOr<bool> InterfaceManager::would_set_rx_mode(InterfaceIndex index, RxMode mode) const {
  const Slot* s = slot(index);
  if (!s) return no_such(index);
  if (s->rx.empty()) return failed_precondition("interface {} has no receive queues of its own", s->entry.name);
  return s->entry.rx_mode != mode;
}

StatusOr<bool> InterfaceManager::set_rx_mode(InterfaceIndex index, RxMode mode) {
  if (const auto would = would_set_rx_mode(index, mode); !would.ok() || !*would) return would;
  Slot* s = slot(index);
  s->entry.rx_mode = mode;
  for (const RxPlacement& p : s->entry.placement) dataplane_.workers()[p.worker]->set_mode(s->rx[p.queue].get(), mode);
  return true;
}

StatusOr<bool> InterfaceManager::would_set_rx_placement(InterfaceIndex index, std::optional<std::uint16_t> queue,
                                                        std::uint32_t worker) const {
  const Slot* s = slot(index);
  if (!s) return no_such(index);
  if (s->rx.empty()) return failed_precondition("interface {} has no receive queues of its own", s->entry.name);
  if (queue && *queue >= s->rx.size()) {
    return refused("queue {}: {} has receive queue{}", *queue, s->entry.name,
                   s->rx.size() == 1 ? " 0 only" : fmt::format("s 0 to {}", s->rx.size() - 1));
  }
  if (worker >= dataplane_.worker_count()) {
    return refused("worker {}: there {}", worker,
                   dataplane_.worker_count() == 1 ? "is worker 0 only; raise workers.count in sluiced.yaml for more"
                                                  : fmt::format("are workers 0 to {}", dataplane_.worker_count() - 1));
  }
  return std::any_of(s->entry.placement.begin(), s->entry.placement.end(),
                     [&](const RxPlacement& p) { return (!queue || p.queue == *queue) && p.worker != worker; });
}

// Two workers must never ask a queue at once. So the one lets go of it first, and the other gets it after a grace
// period, when it looks at every queue of its set once: no packet waits for an event that the first one has seen.
StatusOr<bool> InterfaceManager::set_rx_placement(InterfaceIndex index, std::optional<std::uint16_t> queue,
                                                  std::uint32_t worker) {
  if (const auto would = would_set_rx_placement(index, queue, worker); !would.ok() || !*would) return would;
  Slot* s = slot(index);
  for (RxPlacement& p : s->entry.placement) {
    if ((queue && p.queue != *queue) || p.worker == worker) continue;
    const std::uint32_t before = std::exchange(p.worker, worker);
    if (p.moving) continue;  // nobody has it now; it goes to whoever stands there when the time has come
    p.moving = true;
    dataplane_.workers()[before]->remove(s->rx[p.queue].get());
    dataplane_.rcu().defer([this, alive = std::weak_ptr(alive_), index, q = p.queue] {
      if (!alive.expired()) finish_move(index, q);
    });
  }
  return true;
}

void InterfaceManager::finish_move(InterfaceIndex index, std::uint16_t queue) {
  Slot* s = slot(index);
  if (!s) return;  // deleted meanwhile
  auto& all = s->entry.placement;
  const auto p = std::find_if(all.begin(), all.end(), [&](const RxPlacement& each) { return each.queue == queue; });
  if (p == all.end()) return;
  p->moving = false;
  const std::uint32_t wanted = p->worker;
  for (std::uint32_t i = 0; i < dataplane_.worker_count(); ++i) {
    p->worker = (wanted + i) % dataplane_.worker_count();
    const Status served = serve(*s, *p);
    if (served.ok()) return;
    log(LogLevel::Warning, "a receive queue could not be moved", field("interface", s->entry.name),
        field("queue", queue), field("reason", text(served)));
  }
  all.erase(p);  // as full as can be: nobody has room for it
}

}  // namespace sluice
