# SPDX-License-Identifier: Apache-2.0
"""Trace filters: an expression matches the same packets on every kind of link, those that tcpdump picks."""
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from lib.net import wait_until
from lib.packets import Port, read_capture

V4, V6 = {"src": "10.5.0.1", "dst": "198.51.100.9"}, {"src": "2001:db8:5::1", "dst": "2001:db8:100::9"}
# Every packet has a length of its own: by that it is known again in a trace.
PACKETS = [
    IP(**V4) / ICMP() / bytes(1),
    IP(**V4) / UDP(sport=1000, dport=53) / bytes(2),
    IP(**V4) / UDP(sport=53, dport=1000) / bytes(13),
    IP(**V4) / TCP(sport=2000, dport=80, flags="S") / bytes(4),
    IP(**V4) / TCP(sport=80, dport=2000, flags="SA") / bytes(5),
    IP(src="10.5.0.1", dst="203.0.113.7", tos=184) / TCP(sport=2000, dport=443, flags="A") / bytes(1006),
    *fragment(IP(id=7, **V4) / UDP(sport=1000, dport=53) / bytes(1600), fragsize=1200),
    IPv6(**V6) / ICMPv6EchoRequest(data=bytes(7)),
    IPv6(**V6) / UDP(sport=1000, dport=53) / bytes(28),
    IPv6(**V6) / TCP(sport=2000, dport=80, flags="S") / bytes(39),
    IPv6(**V6) / IPv6ExtHdrFragment(id=9, offset=0, m=1, nh=17) / (UDP(sport=1000, dport=53, len=900) / bytes(72)),
]
EXPRESSIONS = [
    "ip", "ip6", "icmp", "icmp6", "udp", "tcp", "tcp port 80", "udp port 53", "src port 53", "dst port 53 and ip6",
    "host 203.0.113.7", "src host 2001:db8:5::1", "net 198.51.100.0/24", "not net 198.51.100.0/24 and ip",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn", "ip[6:2] & 0x3fff != 0", "ip[1] == 184", "ip6 proto 44",
    "greater 1000", "less 100", "len == 1060", "portrange 440-450", "proto 17", "ether proto 0x86dd", "tcp or icmp6",
]


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """The packets as tcpdump reads them on an Ethernet."""
    file = tmp_path_factory.mktemp("filter") / "all.pcap"
    frames = [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet for packet in PACKETS]
    for number, frame in enumerate(frames):
        frame.time = 1000 + number
    wrpcap(str(file), frames)
    return file


@pytest.fixture
def links(network, daemon):
    """A daemon, and for each kind of link its input node, its port, and what stands in front of an IP packet."""
    pod, far, host = network.namespace("pod"), network.namespace("far"), network.namespace("host")
    network.veth(network.namespace("node"), "up0", far, "eth0", offloads=False)
    sluice = daemon(startup=[
        f"create pod web netns {pod.path} address 10.5.0.1,2001:db8:5::1", "create interface af-packet up0",
        f"create interface tap t0 netns {host.path} host-name eth0", "set interface state up0 up",
        "set interface state t0 up"])
    for namespace in (far, host):
        namespace.ip("link set eth0 up")
    macs = {row["name"]: row["mac"] for row in sluice.json("show interface")}
    with Port(pod, "eth0") as tun, Port(far, "eth0") as wire, Port(host, "eth0") as tap:
        yield sluice, {"tun-input": (tun, "pod/web", lambda packet: packet),
                       "af-packet-input": (wire, "up0", lambda packet: Ether(src="02:00:00:00:00:01", dst=macs["up0"]) / packet),
                       "tap-input": (tap, "t0", lambda packet: Ether(src="02:00:00:00:00:01", dst=macs["t0"]) / packet)}


def traced(sluice, interface):
    """The layer-3 lengths of our packets among an interface's traced ones."""
    hops = [hop for packet in sluice.json("show trace max 1000") for hop in packet["hop"]
            if hop["node"] in ("ip4-input", "ip6-input") and hop["rx_interface"] == interface]
    return sorted(int(hop["length"]) for hop in hops if f"source {V4['src']}," in hop["fields"] or
                  f"source {V6['src']}," in hop["fields"])


def picks(capture, expression):
    """For each packet of the capture whether tcpdump picks it."""
    picked = {line.split(".")[0] for line in read_capture(capture, "-tt", expression)}
    return [str(1000 + number) in picked for number in range(len(PACKETS))]


def test_an_expression_matches_the_same_packets_on_tun_af_packet_and_tap(links, capture):
    sluice, inputs = links
    for expression in EXPRESSIONS:
        wanted = sorted(len(packet) for packet, picked in zip(PACKETS, picks(capture, expression)) if picked)
        sluice.cli("clear trace")
        for node, (port, interface, frame) in inputs.items():
            sluice.cli(f"trace add {node} 100 filter {expression}")
            before = int(sluice.interface(interface)["rx_packets"])
            port.send(*map(frame, PACKETS))
            wait_until(lambda: int(sluice.interface(interface)["rx_packets"]) >= before + len(PACKETS), "the packets")
            wait_until(lambda: len(traced(sluice, interface)) >= len(wanted), f"{expression} on {node}", seconds=3)
            assert traced(sluice, interface) == wanted, f"{expression} on {node}"


@pytest.mark.parametrize("expression, words", [
    ("tcp prt 80", ["filter tcp prt 80", "pcap-filter(7)"]), ("host 10.0.0.256", ["10.0.0.256", "pcap-filter(7)"]),
])
def test_an_expression_that_is_none_is_refused(links, expression, words):
    sluice, _ = links
    said = sluice.refusal(f"trace add tun-input 5 filter {expression}")
    assert all(word in said for word in words), said
    assert sluice.json("show trace") == []

