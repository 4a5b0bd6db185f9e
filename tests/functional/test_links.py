# SPDX-License-Identifier: Apache-2.0
"""What forwarding makes of links that go down and up, change their table, lose an address or are full of silent hosts."""
import pytest
from lib.net import wait_until
from lib.router import BEYOND4, BEYOND6, LEFT4, LEFT6, RIGHT4, RIGHT6
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6

BEYOND = [IP(src=LEFT4, dst=BEYOND4) / UDP(sport=1, dport=2) / b"beyond",
          IPv6(src=LEFT6, dst=BEYOND6) / UDP(sport=1, dport=2) / b"beyond"]
NEXT = [IP(src=LEFT4, dst=RIGHT4) / UDP(sport=1, dport=2) / b"next",
        IPv6(src=LEFT6, dst=RIGHT6) / UDP(sport=1, dport=2) / b"next"]


def test_a_link_that_bounces_reaches_the_neighbours_that_it_had(router):
    between = router()
    for state in ("down", "up"):
        between.daemon.cli(f"set interface state r0 {state}")
    for packet in BEYOND + NEXT:
        between.send(packet)
        between.expect_forwarded(packet)


def test_an_interface_that_changes_its_table_reaches_the_neighbours_that_it_had(router):
    between = router()
    for interface in ("l0", "r0"):
        between.daemon.cli(f"set interface table {interface} 10")
    for route in (f"198.51.100.0/24 via {RIGHT4}", f"2001:db8:100::/48 via {RIGHT6}"):
        between.daemon.cli(f"add route {route} table 10")
    for packet in BEYOND + NEXT:
        between.send(packet)
        between.expect_forwarded(packet)


def test_a_vlan_whose_parent_goes_down_leaves_its_traffic_to_another_path(router):
    between = router(startup=["create interface vlan l0 5 name l0.5", "set interface address l0.5 10.5.0.1/24",
                              "set interface state l0.5 up", "add route 203.0.113.0/24 via 10.5.0.2",
                              f"add route 203.0.0.0/16 via {RIGHT4}"])
    assert between.daemon.json("show interface l0.5")[0]["state"] == "up"
    between.daemon.cli("set interface state l0 down")
    assert between.daemon.json("show interface l0.5")[0]["state"] == "no-carrier"
    assert "203.0.0.0/16" in between.daemon.cli("show ip fib 203.0.113.1")
    between.daemon.cli("set interface state l0 up")
    wait_until(lambda: "203.0.113.0/24" in between.daemon.cli("show ip fib 203.0.113.1"), "the VLAN's route")


def test_a_scan_of_a_subnet_keeps_nobody_from_being_resolved(router):
    between = router()
    between.right.address("eth0", "2001:db8:2::3/64")
    between.send(*(IPv6(src=LEFT6, dst=f"2001:db8:2::dead:{i:x}") / UDP(sport=1, dport=2) for i in range(600)))
    assert between.left.ping("2001:db8:2::3", count=8, check=False) > 0


@pytest.mark.parametrize("packet", [IP(src=LEFT4, dst="10.2.0.77") / UDP(sport=1, dport=2),
                                    IPv6(src=LEFT6, dst="2001:db8:2::77") / UDP(sport=1, dport=2)], ids=["ip4", "ip6"])
def test_a_silent_host_is_told_to_be_unreachable(router, packet):
    between = router()
    family, unreachable = (("ip6", lambda f: ICMPv6DestUnreach in f and f[ICMPv6DestUnreach].code == 3)
                           if IPv6 in packet else
                           ("ip", lambda f: ICMP in f and (f[ICMP].type, f[ICMP].code) == (3, 1)))
    between.send(packet)
    between.at_left.expect(unreachable, timeout=15, what="unreachable")
    assert "unreachable" in between.daemon.cli(f"show {family} fib {packet.dst}")
    # The second packet does not wait.
    between.send(packet)
    between.at_left.expect(unreachable, what="unreachable, at once")
