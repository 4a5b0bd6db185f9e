# SPDX-License-Identifier: Apache-2.0
"""The packet generator's packets as they come out on a wire, read by Scapy."""
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.utils import wrpcap

from lib.net import wait_until
from lib.packets import Port, checksums_are_right

MAC = "ethernet src 02:00:00:00:00:01 dst 02:00:00:00:00:02 / "


@pytest.fixture
def wire(network, daemon):
    """A daemon with the interface eth0, and the far end of its wire."""
    node, far = network.namespace("node"), network.namespace("far")
    network.veth(node, "eth0", far, "far0")
    far.address("far0", "192.0.2.1/24", "2001:db8::1/64")
    sluice = daemon(startup=["create interface af-packet eth0", "set interface state eth0 up",
                             "set interface address eth0 192.0.2.2/24"])
    return sluice, far


def state(sluice, name):
    return sluice.json(f"show packet-generator {name}")[0]


def run_stream(sluice, arguments):
    sluice.cli(f"create packet-generator s {arguments}")
    sluice.cli("packet-generator start s")
    wait_until(lambda: state(sluice, "s")["state"] == "done", "the stream to end")
    return state(sluice, "s")


def ours(packet):
    return packet.src == "02:00:00:00:00:01"


def test_ranges_and_checksums_on_the_wire(wire):
    sluice, far = wire
    with Port(far, "far0") as port:
        shown = run_stream(sluice, "out eth0 count 6 size 80-82 stream " + MAC +
                           "ip4 src 10.0.0.1-10.0.0.2 dst 10.0.1.255-10.0.2.1 ttl 7 / udp sport 1000-1001 dport 53")
        packets = [port.expect(ours) for _ in range(6)]
    assert shown["sent"] == 6 and shown["bytes"] == 2 * (80 + 81 + 82)
    assert [len(p) for p in packets] == [80, 81, 82] * 2
    assert [p[IP].src for p in packets] == ["10.0.0.1", "10.0.0.2"] * 3
    assert [p[IP].dst for p in packets] == ["10.0.1.255", "10.0.2.0", "10.0.2.1"] * 2
    assert [p[UDP].sport for p in packets] == [1000, 1001] * 3
    assert all(p[IP].ttl == 7 and p[UDP].dport == 53 and checksums_are_right(p) for p in packets)


@pytest.mark.parametrize("stream, layers", [
    ("qinq id 5 priority 3 / vlan id 100 / ip6 src fd00::1 dst fd00::2-fd00::9 hlim 3 class 18 / tcp dport 80 flags SA",
     (Dot1Q, IPv6, TCP)),  # the kernel puts the outer tag beside the packet
    ("ip4 src 10.0.0.1 dst 10.0.0.2 tos 184 df 1 / tcp sport 1-9 seq 77", (IP, TCP)),
    ("ip4 src 10.0.0.1-10.0.0.9 dst 10.0.0.2 / icmp id 9 seq 1-5", (IP, ICMP)),
    ("ip6 src fd00::1-fd00::5 dst fd00::2 / icmp id 9 seq 1-5", (IPv6, ICMPv6EchoRequest)),
    ("ip6 src fd00::1-fd00::5 dst fd00::2 / udp / payload hex 0102030405", (IPv6, UDP)),
])
def test_every_layer_is_what_scapy_reads(wire, stream, layers):
    sluice, far = wire
    with Port(far, "far0") as port:
        run_stream(sluice, "out eth0 count 3 stream " + MAC + stream)
        for packet in [port.expect(ours) for _ in range(3)]:
            assert all(layer in packet for layer in layers), packet.show(dump=True)
            assert checksums_are_right(packet), packet.show(dump=True)


def test_what_enters_an_interface_is_forwarded_and_counted(wire):
    sluice, far = wire
    mac = sluice.interface("eth0")["mac"]
    with Port(far, "far0") as port:
        run_stream(sluice, f"interface eth0 count 5 stream ethernet src 02::1 dst {mac} / "
                           "ip4 src 198.51.100.7 dst 192.0.2.1 ttl 9 / udp dport 4242")
        packet = port.expect(lambda p: UDP in p and p[UDP].dport == 4242)
    assert packet[Ether].src == mac and packet[IP].ttl == 8 and checksums_are_right(packet)
    assert sluice.interface("eth0")["rx_packets"] >= 5


def test_a_slow_stream_keeps_its_rate(wire):
    sluice, far = wire
    with Port(far, "far0") as port:
        sluice.cli("create packet-generator s out eth0 rate 100 stream " + MAC + "ip4 src 10.0.0.1 dst 10.0.0.2 / udp")
        sluice.cli("packet-generator start s")
        first = port.expect(ours)
        arrived = 1 + len(port.collect(2, ours))
        sluice.cli("packet-generator stop s")
    assert first and 150 <= arrived <= 250
    assert state(sluice, "s")["state"] == "stopped"


def test_a_capture_is_replayed_as_it_is(wire, tmp_path):
    sluice, far = wire
    sent = [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.9.9.1", dst="10.9.9.2", ttl=n) / UDP()
            for n in (1, 2, 3)]
    wrpcap(str(tmp_path / "three.pcap"), sent)
    with Port(far, "far0") as port:
        run_stream(sluice, f"out eth0 pcap {tmp_path}/three.pcap")
        assert [bytes(port.expect(ours)) for _ in range(3)] == [bytes(p) for p in sent]
        port.expect_none(ours, seconds=0.2)


def test_refusals_say_what_is_wrong_and_change_nothing(wire):
    sluice, _ = wire
    assert "ip9: no such layer" in sluice.refusal("create packet-generator s out eth0 stream ip9")
    assert "carries Ethernet frames" in sluice.refusal(
        "create packet-generator s out eth0 stream ip4 src 1.1.1.1 dst 2.2.2.2")
    assert "No such file" in sluice.refusal("create packet-generator s out eth0 pcap /nowhere.pcap")
    assert sluice.json("show packet-generator") == []
