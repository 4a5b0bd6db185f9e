# SPDX-License-Identifier: Apache-2.0
"""Two routers with a tunnel between them, and a host behind each.

    left 10.1.0.2 2001:db8:1::2 -- l0 [one] u0 192.0.2.1 2001:db8:99::1 -- u0 192.0.2.2 2001:db8:99::2 [two] r0 -- right 10.2.0.2 2001:db8:2::2
"""
from lib.net import wait_until
from lib.packets import Port

LEFT4, LEFT6, RIGHT4, RIGHT6 = "10.1.0.2", "2001:db8:1::2", "10.2.0.2", "2001:db8:2::2"
ONE4, TWO4, ONE6, TWO6 = "192.0.2.1", "192.0.2.2", "2001:db8:99::1", "2001:db8:99::2"


def gateway(address):
    return address[:-1] + "1"


class Side:
    """A router's startup commands without the tunnel."""

    def __init__(self, host_side, host4, host6, own4, own6, underlay_mtu=None):
        self.startup = [
            f"create interface af-packet {host_side}", "create interface af-packet u0",
            f"set interface address {host_side} {gateway(host4)}/24", f"set interface address {host_side} {gateway(host6)}/64",
            *([f"set interface mtu u0 {underlay_mtu}"] if underlay_mtu else []),
            f"set interface address u0 {own4}/24", f"set interface address u0 {own6}/64",
            f"set interface state {host_side} up", "set interface state u0 up"]


class Pair:
    def __init__(self, network, daemon, one, two, offloads=False, underlay_mtu=None):
        """one, two: commands that make the tunnel and route the far host through it."""
        self.left, self.right = network.namespace("left"), network.namespace("right")
        self.ns_one, self.ns_two = network.namespace("one"), network.namespace("two")
        network.veth(self.ns_one, "l0", self.left, "eth0", offloads=offloads)
        network.veth(self.ns_two, "r0", self.right, "eth0", offloads=offloads)
        network.veth(self.ns_one, "u0", self.ns_two, "u0", offloads=False)
        for host, address4, address6 in ((self.left, LEFT4, LEFT6), (self.right, RIGHT4, RIGHT6)):
            host.address("eth0", f"{address4}/24", f"{address6}/64")
            host.route("default", gateway(address4))
            host.route("default", gateway(address6))
        self.one = daemon(Side("l0", LEFT4, LEFT6, ONE4, ONE6, underlay_mtu).startup + one, namespace=self.ns_one)
        self.two = daemon(Side("r0", RIGHT4, RIGHT6, TWO4, TWO6, underlay_mtu).startup + two, namespace=self.ns_two)

    def underlay(self):
        """What crosses between the two, seen at two's end."""
        return Port(self.ns_two, "u0")

    def reach(self):
        """Both hosts reach each other by both families; neighbours are known from then on."""
        for address in (RIGHT4, RIGHT6):
            wait_until(lambda: self.left.ping(address, count=1, check=False), f"{address} to answer", seconds=15)


class Solo:
    """One router with a tunnel, whose other end is Scapy at the far end of the underlay."""

    def __init__(self, network, daemon, tunnel, underlay_mtu=None, own_mac_known=True):
        self.left, self.far = network.namespace("left"), network.namespace("far")
        self.node = network.namespace("node")
        network.veth(self.node, "l0", self.left, "eth0", offloads=False)
        network.veth(self.node, "u0", self.far, "eth0", offloads=False)
        self.left.address("eth0", f"{LEFT4}/24", f"{LEFT6}/64")
        self.left.route("default", gateway(LEFT4))
        self.left.route("default", gateway(LEFT6))
        self.far.address("eth0", f"{TWO4}/24", f"{TWO6}/64")
        self.sluice = daemon(Side("l0", LEFT4, LEFT6, ONE4, ONE6, underlay_mtu).startup + tunnel)
        self.mac = {name: namespace.ip_json(f"link show {interface}")[0]["address"] for name, namespace, interface in
                    (("l0", self.node, "l0"), ("u0", self.node, "u0"), ("left", self.left, "eth0"), ("far", self.far, "eth0"))}
        for host, address in ((self.left, gateway(LEFT4)), (self.left, gateway(LEFT6)), (self.far, ONE4), (self.far, ONE6)):
            wait_until(lambda: host.ping(address, count=1, check=False), f"{address} to answer", seconds=15)
        self.at_left, self.at_far = Port(self.left, "eth0"), Port(self.far, "eth0")

    def close(self):
        self.at_left.close()
        self.at_far.close()

    def drops(self):
        return {(row["node"], row["reason"]): int(row["packets"]) for row in self.sluice.json("show errors")}
