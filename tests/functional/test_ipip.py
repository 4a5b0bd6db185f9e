# SPDX-License-Identifier: Apache-2.0
"""Tunnels of IP in IP: two routers with one between them, and one router against Scapy."""
import pytest
from lib.net import wait_until
from lib.packets import checksums_are_right
from lib.tunnels import LEFT4, LEFT6, ONE4, ONE6, RIGHT4, RIGHT6, TWO4, TWO6, Pair, Solo
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

OUTER = [(ONE4, TWO4), (ONE6, TWO6)]


def tunnel(local, remote, *more):
    return [f"create interface ipip ipip0 local {local} remote {remote}{''.join(' ' + word for word in more)}",
            "set interface state ipip0 up"]


def through(prefixes, via=""):
    return [f"add route {prefix} {via}interface ipip0" for prefix in prefixes]


@pytest.mark.parametrize("one, two", OUTER, ids=["ip4-outside", "ip6-outside"])
def test_hosts_reach_each_other_by_both_families(network, daemon, one, two):
    pair = Pair(network, daemon, tunnel(one, two) + through(["10.2.0.0/24", "2001:db8:2::/64"]),
                tunnel(two, one) + through(["10.1.0.0/24", "2001:db8:1::/64"]))
    pair.reach()
    pair.left.ping(RIGHT4, count=5)
    pair.left.ping(RIGHT6, count=5)
    for sluice in (pair.one, pair.two):
        row = sluice.json("show ipip tunnel")[0]
        assert row["rx_packets"] >= 10 and row["tx_packets"] >= 10
        assert row["state"] == "up" and row["way"].endswith("u0"), row
    assert pair.one.interface("ipip0")["rx_packets"] >= 10
