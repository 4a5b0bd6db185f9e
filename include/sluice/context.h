// SPDX-License-Identifier: Apache-2.0
// What the daemon offers a plugin: registry.context. Everything here belongs to the control thread.
#pragma once
#include <sluice/interfaces.h>
#include <sluice/packet.h>
#include <sluice/pool.h>
#include <sluice/published.h>
#include <sluice/status.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace asio {
class io_context;
}

namespace sluice {

class Api;
class Graph;
class LocalDelivery;
class Routes;

/// A timer on the control loop; destroying it cancels it.
class SLUICE_API Timer {
 public:
  virtual ~Timer() = default;
};

class SLUICE_API Context {
 public:
  virtual ~Context() = default;
  virtual asio::io_context& loop() = 0;
  virtual Rcu& rcu() = 0;
  virtual BufferPool& pool() = 0;
  virtual Interfaces& interfaces() = 0;
  virtual Features& features() = 0;
  /// Route tables and adjacencies (routes.h); null when the IP stack is not loaded (tests).
  virtual Routes* routes() = 0;
  /// Who takes what is addressed to this node (local.h); null without the IP stack.
  virtual LocalDelivery* local() = 0;
  /// Where services register (api.h).
  virtual Api& api() = 0;
  /// Good from on_start() on.
  virtual const Graph& graph() const = 0;
  virtual unsigned workers() const = 0;
  /// No privileges, hugepages or kernel devices: pcap, null and pg only.
  virtual bool unprivileged() const = 0;
  /// Where files lie that outlive a crash but not a reboot: beside the sockets. Empty: nowhere (tests).
  virtual std::string run_folder() const = 0;

  /// Calls function each period until the timer is destroyed.
  virtual std::unique_ptr<Timer> every(std::chrono::milliseconds period, std::function<void()> function) = 0;
  /// A packet of the control thread's, or null. Give it to inject() or free_packet().
  virtual Packet* alloc_packet() = 0;
  virtual void free_packet(Packet* packet) = 0;
  /// Gives a packet to a node of worker 0 (or the given one). False when the ring is full; the packet is freed then.
  virtual bool inject(NodeIndex node, Packet* packet, unsigned worker = 0) = 0;
  /// Has a worker serve a receive queue that is not a device's (a packet generator's): its packets begin at node. They
  /// count as received by interface, or by none when that is not valid. The queue stays the caller's, who takes it away
  /// before destroying it. Errors: no such worker; it has no place for another queue.
  virtual Status add_rx_queue(RxQueue& queue, InterfaceIndex interface, NodeIndex node, RxMode mode,
                              unsigned worker = 0) = 0;
  /// Takes the queue away from its worker; done is called when the worker has let go of it.
  virtual void remove_rx_queue(RxQueue& queue, std::function<void()> done) = 0;
  /// Has kernels that hold packets look again soon (a neighbour was resolved).
  virtual void release_held() = 0;
};

}  // namespace sluice
