# SPDX-License-Identifier: Apache-2.0
"""The rig itself: what it makes works, what it checks can fail, and nothing is left."""
import os

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether

from lib.net import RUN, Iperf, Network, lose, run
from lib.packets import Port, Tcpdump, checksums_are_right


@pytest.fixture
def pair(network):
    a, b = network.namespace("a"), network.namespace("b")
    network.veth(a, "eth0", b, "eth0", mtu=1400, offloads=False)
    a.address("eth0", "192.0.2.1/24", "2001:db8::1/64")
    b.address("eth0", "192.0.2.2/24", "2001:db8::2/64")
    return a, b


def test_namespaces_joined_by_a_veth_reach_each_other(pair):
    a, b = pair
    assert a.ping("192.0.2.2") == 3 and b.ping("2001:db8::1") == 3
    assert a.ip_json("link show eth0")[0]["mtu"] == 1400


def test_a_lossy_wire_loses_some_and_not_all(pair):
    a, b = pair
    a.ping("192.0.2.2", count=1)
    lose(b, "eth0", 30)
    answers = a.ping("192.0.2.2", count=200, interval=0.005, check=False)  # 140 on average
    assert 80 < answers < 195


def test_ping_says_how_many_answers_are_missing(pair):
    with pytest.raises(AssertionError, match="0 of 2 answers"):
        pair[0].ping("192.0.2.3", count=2)


def test_iperf_measures(pair):
    assert Iperf(pair[1], "192.0.2.2").mbit(pair[0], seconds=1) > 10


def test_a_port_sends_and_sees_packets(pair, tmp_path):
    a, b = pair
    with Port(a, "eth0") as left, Port(b, "eth0") as right, Tcpdump(b, "eth0", tmp_path / "b.pcap", "udp") as dump:
        left.send(Ether(dst="ff:ff:ff:ff:ff:ff") / IP(src="192.0.2.9", dst="192.0.2.2") / UDP(dport=9) / b"hello")
        packet = right.expect(lambda p: UDP in p and p[UDP].dport == 9)
        assert bytes(packet[UDP].payload) == b"hello" and checksums_are_right(packet)
        packet[IP].ttl -= 1
        assert not checksums_are_right(packet)
        right.expect_none(lambda p: ICMP in p, seconds=0.1)
        with pytest.raises(AssertionError, match="a miracle did not come"):
            right.expect(lambda p: ICMP in p, timeout=0.1, what="a miracle")
    assert any("192.0.2.9" in line for line in dump.lines())


def test_nothing_is_left_when_a_test_fails_half_way():
    made = Network()
    try:
        namespace = made.namespace("short-lived")
        sleeper = namespace.popen("sleep 1000")
        assert namespace.name in run("ip", "netns", "list").stdout
    finally:
        made.close()
    assert sleeper.poll() is not None
    assert f"{RUN}-short-lived" not in run("ip", "netns", "list").stdout
    assert not os.path.exists(namespace.path)
