# SPDX-License-Identifier: Apache-2.0
"""Two routers with a tunnel between them, and a host behind each.

    left 10.1.0.2 2001:db8:1::2 -- l0 [one] u0 192.0.2.1 2001:db8:99::1 -- u0 192.0.2.2 2001:db8:99::2 [two] r0 -- right 10.2.0.2 2001:db8:2::2
"""
from lib.net import wait_until
from lib.packets import Port
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

LEFT4, LEFT6, RIGHT4, RIGHT6 = "10.1.0.2", "2001:db8:1::2", "10.2.0.2", "2001:db8:2::2"
ONE4, TWO4, ONE6, TWO6 = "192.0.2.1", "192.0.2.2", "2001:db8:99::1", "2001:db8:99::2"
OUTER = [(ONE4, TWO4), (ONE6, TWO6)]  # (local, remote) of one, by the outer family


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


def inner(family, *, tos=0, ttl=33, flags=0, body=b"inside", to=None, sport=1000):
    payload = UDP(sport=sport, dport=2000) / body
    if family == 4:
        return IP(src=LEFT4, dst=to or RIGHT4, ttl=ttl, tos=tos, flags=flags, id=77) / payload
    return IPv6(src=LEFT6, dst=to or RIGHT6, hlim=ttl, tc=tos) / payload


def hop_less(packet):
    again = type(packet)(bytes(packet))
    if IP in again:
        again.ttl -= 1
        del again.chksum
    else:
        again.hlim -= 1
    return bytes(again)


def from_left(world, packet):
    world.at_left.send(Ether(src=world.mac["left"], dst=world.mac["l0"]) / packet)


def from_far(world, packet):
    world.at_far.send(Ether(src=world.mac["far"], dst=world.mac["u0"]) / packet)


def back(family, tos=0, body=b"back"):
    payload = UDP(sport=2000, dport=1000) / body
    if family == 4:
        return IP(src=RIGHT4, dst=LEFT4, ttl=20, tos=tos) / payload
    return IPv6(src=RIGHT6, dst=LEFT6, hlim=20, tc=tos) / payload


def ipip(local, remote, *more):
    return [f"create interface ipip ipip0 local {local} remote {remote}{''.join(' ' + word for word in more)}",
            "set interface state ipip0 up"]


def through(prefixes, via=""):
    return [f"add route {prefix} {via}interface ipip0" for prefix in prefixes]


def at_far(world, wanted, what="an outer packet"):
    return world.at_far.expect(lambda frame: frame.src == world.mac["u0"] and wanted(frame), what=what)


def outer_at_far(world, family):
    layer = IP if family == 4 else IPv6
    return at_far(world, lambda f: layer in f and f.payload.name == layer(b"\x45" + bytes(39)).name and (
        f[layer].proto if family == 4 else f[layer].nh) in (4, 41)).payload


def in_ip(outer, packet, tos=0, **fields):
    protocol = 4 if IP in packet else 41
    if outer == 4:
        return IP(src=TWO4, dst=ONE4, tos=tos, proto=protocol, **fields) / packet
    return IPv6(src=TWO6, dst=ONE6, tc=tos, nh=protocol, **fields) / packet
