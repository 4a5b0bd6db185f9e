# SPDX-License-Identifier: Apache-2.0
"""A router between two hosts, whose packets are sent and looked at one by one with Scapy.

    left  10.1.0.2  2001:db8:1::2 --- l0 10.1.0.1 2001:db8:1::1 [sluiced]
    right 10.2.0.2  2001:db8:2::2 --- r0 10.2.0.1 2001:db8:2::1 [sluiced]

Behind right lie 198.51.100.0/24 and 2001:db8:100::/48, where nobody answers: what the router sends there is seen once
and changes nothing. The hosts' kernels answer ARP and ND only for their own addresses. Where the MTU of the right side is
too small for IPv6, there is none on that side.
"""
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from lib.net import wait_until
from lib.packets import Port

LEFT4, LEFT6 = "10.1.0.2", "2001:db8:1::2"
RIGHT4, RIGHT6 = "10.2.0.2", "2001:db8:2::2"
LEFT_GATEWAY4, LEFT_GATEWAY6 = "10.1.0.1", "2001:db8:1::1"
RIGHT_GATEWAY4, RIGHT_GATEWAY6 = "10.2.0.1", "2001:db8:2::1"
IP6_LEAST_MTU = 1280
BEYOND4, BEYOND6 = "198.51.100.9", "2001:db8:100::9"


class Router:
    def __init__(self, network, daemon, right_mtu=None, startup=(), driver="af-packet", options="", queues=None, **setup):
        """driver and options: of `create interface` for both. queues: of the veths, to both sides. setup: of the daemon."""
        self.node = network.namespace("node")
        self.left, self.right = network.namespace("left"), network.namespace("right")
        network.veth(self.node, "l0", self.left, "eth0", offloads=False, queues=queues)
        network.veth(self.node, "r0", self.right, "eth0", offloads=False, queues=queues)
        gateways = {self.left: [LEFT_GATEWAY4, LEFT_GATEWAY6], self.right: [RIGHT_GATEWAY4, RIGHT_GATEWAY6]}
        routes = [f"add route 198.51.100.0/24 via {RIGHT4}", f"add route 2001:db8:100::/48 via {RIGHT6}"]
        self.left.address("eth0", f"{LEFT4}/24", f"{LEFT6}/64")
        self.right.address("eth0", f"{RIGHT4}/24", f"{RIGHT6}/64")
        if right_mtu and right_mtu < IP6_LEAST_MTU:
            del gateways[self.right][1], routes[1]
        for host, theirs in gateways.items():
            for gateway in theirs:
                host.route("default", gateway)
        self.daemon = daemon(startup=[
            f"create interface {driver} l0 {options}", f"create interface {driver} r0 {options}",
            *([f"set interface mtu r0 {right_mtu}"] if right_mtu else []),
            *(f"set interface address l0 {a}/{64 if ':' in a else 24}" for a in gateways[self.left]),
            *(f"set interface address r0 {a}/{64 if ':' in a else 24}" for a in gateways[self.right]),
            "set interface state l0 up", "set interface state r0 up", *routes, *startup], **setup)
        self.mac = {"l0": self._mac(self.node, "l0"), "r0": self._mac(self.node, "r0"),
                    "left": self._mac(self.left, "eth0"), "right": self._mac(self.right, "eth0")}
        # Both neighbours of the router are known, and its own addresses are past duplicate address detection.
        for host, theirs in gateways.items():
            for gateway in theirs:
                wait_until(lambda: host.ping(gateway, count=1, check=False), f"{gateway} to answer")
        self.at_left, self.at_right = Port(self.left, "eth0"), Port(self.right, "eth0")

    @staticmethod
    def _mac(namespace, interface):
        return namespace.ip_json(f"link show {interface}")[0]["address"]

    def close(self):
        self.at_left.close()
        self.at_right.close()

    def send(self, *packets):
        """From left to the router."""
        self.at_left.send(*(Ether(src=self.mac["left"], dst=self.mac["l0"]) / packet for packet in packets))

    def forwarded(self, packet):
        """The frame that right must get of a packet: one hop less, everything else as it was."""
        again = type(packet)(bytes(packet))
        if isinstance(again, IPv6):
            again.hlim -= 1
        else:
            again.ttl -= 1
            del again.chksum
        return Ether(src=self.mac["r0"], dst=self.mac["right"]) / again

    def expect_forwarded(self, packet):
        wanted = bytes(self.forwarded(packet))
        seen = []

        def same(frame):
            if frame.src != self.mac["r0"] or frame.dst != self.mac["right"]:
                return False
            seen.append(bytes(frame))
            return bytes(frame) == wanted

        try:
            self.at_right.expect(same, what=packet.summary())
        except AssertionError as failure:
            frames = "\n".join(frame.hex() for frame in seen)
            raise AssertionError(f"{failure}\nwanted\n{wanted.hex()}\nfrom the router came\n{frames}") from None

    def expect_answer(self, wanted, what="an answer"):
        """What the router sends to left."""
        return self.at_left.expect(lambda frame: frame.src == self.mac["l0"] and wanted(frame), what=what)

    def expect_silence(self, packet, seconds=0.5):
        """Neither forwards a packet nor answers it."""
        self.send(packet)
        protocol = IPv6 if isinstance(packet, IPv6) else IP

        def unwanted(frame):
            return protocol in frame and frame[protocol].dst in (packet.dst, packet.src)

        self.at_right.expect_none(unwanted, seconds)
        self.at_left.expect_none(lambda frame: frame.src == self.mac["l0"] and unwanted(frame), 0.05)

    def drops(self):
        """{(node, reason): packets}."""
        return {(row["node"], row["reason"]): int(row["packets"]) for row in self.daemon.json("show errors")}
