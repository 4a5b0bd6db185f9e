// SPDX-License-Identifier: Apache-2.0
// Interfaces: owns devices and queues, publishes the tables that the data path reads.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/dataplane.h"
#include "sluice/interfaces.h"

namespace sluice {

class InterfaceManager final : public Interfaces {
 public:
  explicit InterfaceManager(Dataplane& dataplane) : dataplane_(dataplane) {}
  ~InterfaceManager() override;

  StatusOr<InterfaceIndex> create(std::string name, std::unique_ptr<Device> device,
                                  std::string_view owner = {}) override;
  Status would_create(std::string_view name, std::string_view owner = {}) const override;
  StatusOr<InterfaceIndex> create_vlan(std::string name, InterfaceIndex parent, std::uint16_t outer,
                                       std::uint16_t inner) override;
  Status would_create_vlan(std::string_view name, InterfaceIndex parent, std::uint16_t outer,
                           std::uint16_t inner) const override;
  StatusOr<bool> would_set_mtu(InterfaceIndex index, std::uint32_t mtu) const override;
  StatusOr<bool> would_set_rx_mode(InterfaceIndex index, RxMode mode) const override;
  StatusOr<bool> set_rx_placement(InterfaceIndex index, std::optional<std::uint16_t> queue,
                                  std::uint32_t worker) override;
  StatusOr<bool> would_set_rx_placement(InterfaceIndex index, std::optional<std::uint16_t> queue,
                                        std::uint32_t worker) const override;
  InterfaceQueues queues(InterfaceIndex index) const override;
  Status remove(InterfaceIndex index, std::function<void()> done) override;
  const InterfaceEntry* find(InterfaceIndex index) const override;
  const InterfaceEntry* find(std::string_view name) const override;
  std::string name(InterfaceIndex index) const override;
  std::vector<const InterfaceEntry*> list() const override;
  StatusOr<bool> set_state(InterfaceIndex index, bool up) override;
  StatusOr<bool> set_mtu(InterfaceIndex index, std::uint32_t mtu) override;
  StatusOr<bool> set_table(InterfaceIndex index, std::uint32_t table, TableIndex slot4, TableIndex slot6) override;
  StatusOr<bool> set_rx_mode(InterfaceIndex index, RxMode mode) override;
  StatusOr<bool> add_address(InterfaceIndex index, const InterfaceAddress& address) override;
  StatusOr<bool> remove_address(InterfaceIndex index, const InterfaceAddress& address) override;
  void listen(Listener listener) override { listeners_.push_back(std::move(listener)); }
  std::uint64_t counter(InterfaceIndex index, InterfaceCounter counter) const override;

  /// Asks devices whether they are still there, and for their carrier; called each second.
  void check_devices();
  /// The start has failed: kernel interfaces that were there before it are to stay (Device::leave_as_found).
  void leave_as_found();
  /// Counters of the queues (no buffers, errors), summed.
  std::uint64_t rx_no_buffer(InterfaceIndex index) const;
  std::uint64_t rx_errors(InterfaceIndex index) const;
  std::uint64_t tx_errors(InterfaceIndex index) const;

 private:
  /// What dies with an interface, after a grace period.
  struct Slot {
    InterfaceEntry entry;
    std::uint32_t wanted_mtu = ~0u;  ///< of a subinterface, at most; its parent may not have it
    TableIndex table4{0}, table6{0};
    NodeIndex output;
    std::unique_ptr<Device> device;
    std::shared_ptr<std::atomic<bool>> may_begin = std::make_shared<std::atomic<bool>>(false);  ///< still up
    std::vector<std::unique_ptr<RxQueue>> rx;
    std::vector<std::unique_ptr<TxQueue>> tx;
  };

  StatusOr<std::uint32_t> free_slot() const;
  Status check_name(std::string_view name, std::string_view owner = {}) const;
  void begin_later(const Slot& up);
  Slot* slot(InterfaceIndex index);
  const Slot* slot(InterfaceIndex index) const;
  Status no_such(InterfaceIndex index) const;
  InterfaceIndex install(std::uint32_t number, std::unique_ptr<Slot> made);
  Status attach(Slot& made);
  void place_rx(Slot& made);
  Status serve(const Slot& s, const RxPlacement& placement);
  void finish_move(InterfaceIndex index, std::uint16_t queue);
  void bind_tx(const Slot& made);
  void unbind(const Slot& gone);
  void publish_state();
  /// What its device takes at most; of a subinterface, what fits its parent.
  std::uint32_t mtu_limit(const InterfaceEntry& entry) const;
  void tell_state(const Slot& changed);
  void lose(InterfaceIndex index, const Status& why);
  void tell(Event event, const InterfaceEntry& entry, const InterfaceAddress* address = nullptr);

  Dataplane& dataplane_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::uint8_t> generations_;
  std::map<std::string, InterfaceIndex, std::less<>> by_name_;
  std::vector<Listener> listeners_;
  std::uint32_t next_worker_ = 0;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for what is deferred
  std::map<std::uint32_t, InterfaceCounters> baselines_;
};

}  // namespace sluice
