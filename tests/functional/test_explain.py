# SPDX-License-Identifier: Apache-2.0
"""explain: what it says of a packet is what becomes of a real one, and nothing is left of it."""
import json

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from lib.net import wait_until
from lib.packets import Port

A4, A6, B4, B6 = "10.5.0.1", "2001:db8:5::1", "10.5.0.2", "2001:db8:5::2"
NODE4, NEIGHBOR4, STRANGER4 = "192.0.2.2", "192.0.2.1", "192.0.2.77"
NODE6, NEIGHBOR6 = "2001:db8::2", "2001:db8::1"


class World:
    """Two pods and an uplink, whose neighbour is known."""

    def __init__(self, network, daemon):
        self.a, self.b, self.far = network.namespace("a"), network.namespace("b"), network.namespace("far")
        network.veth(network.namespace("node"), "up0", self.far, "eth0", offloads=False)
        self.far.address("eth0", f"{NEIGHBOR4}/24", f"{NEIGHBOR6}/64")
        self.sluice = daemon(startup=[
            f"create pod shop/a netns {self.a.path} address {A4},{A6}",
            f"create pod shop/b netns {self.b.path} address {B4},{B6} mtu 1400",
            "create interface af-packet up0", f"set interface address up0 {NODE4}/24",
            f"set interface address up0 {NODE6}/64", "set interface state up0 up",
            f"add route 10.9.0.0/16 via {NEIGHBOR4}", f"add route 2001:db8:9::/48 via {NEIGHBOR6}",
            "add route 203.0.113.0/24 blackhole", "add route 198.51.100.0/25 unreachable",
            "add route 198.51.100.128/25 prohibit", "add route 2001:db8:b::/48 blackhole"])
        for node in (NODE4, NODE6):
            wait_until(lambda: self.far.ping(node, count=1, check=False), f"{node} to answer")

    def explain(self, command):
        """(status, explanation) of a command."""
        done = self.sluice.ctl("--json", "explain", *command.split())
        assert done.stdout, done.stderr
        explanation, = json.loads(done.stdout)
        assert (done.returncode == 1) == (explanation["verdict"]["word"] == "dropped"), done.stderr
        if done.returncode:
            assert f"would be dropped at {explanation['verdict']['node']}: {explanation['verdict']['reason']}" in done.stderr
        return done.returncode, explanation

    def text(self, command):
        return self.sluice.ctl("explain", *command.split()).stdout

    def state(self):
        """All that a packet could change: counters, drops, neighbours, buffers."""
        buffers = [{key: pool[key] for key in ("used", "exhausted")} for pool in self.sluice.json("show buffers")]
        interfaces = self.sluice.json("show interface")
        shown = [self.sluice.json(command) for command in ("show errors all", "show drops", "show trace")]
        neighbors = [(row["address"], row["interface"]) for row in self.sluice.json("show neighbor")]
        return interfaces, buffers, shown, sorted(neighbors)


@pytest.fixture
def world(network, daemon):
    return World(network, daemon)


FATES = [
    (f"from pod/shop/a tcp {A4}:4000 > {B4}:80", "would be forwarded to pod/shop/b", f"route {B4}/32: table 0, pod"),
    (f"from pod/shop/a tcp [{A6}]:4000 > [{B6}]:80", "would be forwarded to pod/shop/b", f"route {B6}/128: table 0, pod"),
    (f"from pod/shop/a icmp {A4} > {B4} length 1450", "would be forwarded to pod/shop/b, in 2 pieces", "neighbour"),
    (f"from pod/shop/a udp {A4}:1 > 10.9.0.1:2", f"would be sent out of up0 to neighbour {NEIGHBOR4}",
     f"route 10.9.0.0/16: table 0, static: via {NEIGHBOR4} up0"),
    (f"from pod/shop/a udp [{A6}]:1 > [2001:db8:9::1]:2", f"would be sent out of up0 to neighbour {NEIGHBOR6}",
     "route 2001:db8:9::/48: table 0, static"),
    (f"from pod/shop/a udp {A4}:1 > {STRANGER4}:2",
     f"would be sent out of up0 (neighbour {STRANGER4} is not resolved: it would be asked for first)",
     f"neighbour {STRANGER4}: on up0, not resolved"),
    (f"from up0 tcp {NEIGHBOR4}:4000 > {A4}:80", "would be forwarded to pod/shop/a", f"route {A4}/32"),
    (f"from pod/shop/a icmp {A4} > {NODE4}", "would be answered by this node", f"route {NODE4}/32: table 0, local"),
    (f"from pod/shop/a icmp6 {A6} > {NODE6}", "would be answered by this node", f"route {NODE6}/128: table 0, local"),
]
DROPS = [
    (f"from pod/shop/a tcp {A4}:4000 > 8.8.8.8:80", "no-route", "route 8.8.8.8: none leads there in table 0",
     f"icmp {NODE4} > {A4}, net unreachable"),
    (f"from pod/shop/a tcp [{A6}]:4000 > [2001:4860::8]:80", "no-route", "none leads there in table 0",
     "no route to the destination"),
    (f"from pod/shop/a tcp {A4}:4000 > 203.0.113.9:80", "blackhole", "route 203.0.113.0/24: table 0, static: blackhole", None),
    (f"from pod/shop/a tcp {A4}:4000 > 198.51.100.9:80", "host-unreachable", "static: unreachable", "host unreachable"),
    (f"from pod/shop/a tcp {A4}:4000 > 198.51.100.200:80", "prohibited", "static: prohibit", "prohibited"),
    (f"from pod/shop/a tcp {A4}:4000 > {B4}:80 ttl 1", "ttl-expired", f"route {B4}/32", "time to live exceeded"),
    (f"from pod/shop/a icmp6 {A6} > {B6} ttl 1", "hop-limit-exceeded", f"route {B6}/128", "hop limit exceeded"),
    (f"from pod/shop/a udp {A4}:1 > {B4}:2 length 1450 dont-fragment", "fragmentation-needed",
     "interface pod/shop/b: mtu 1400", "fragmentation needed, MTU 1400"),
    (f"from pod/shop/a udp [{A6}]:1 > [{B6}]:2 length 1450", "packet-too-big", "interface pod/shop/b: mtu 1400",
     "packet too big, MTU 1400"),
    (f"from pod/shop/a udp 10.5.0.77:1 > {B4}:2", "spoofed-source",
     "feature ip4-pod-source-guard: of pod/shop/a, on ip4-unicast", None),
    (f"from pod/shop/a udp [2001:db8:5::77]:1 > [{B6}]:2", "spoofed-source",
     "feature ip6-pod-source-guard: of pod/shop/a, on ip6-unicast", None),
    (f"from pod/shop/a udp {A4}:1 > {NODE4}:53", "port-unreachable", f"route {NODE4}/32: table 0, local",
     "port unreachable"),
    (f"from up0 udp {STRANGER4}:1 > {A4}:2 ttl 1", "ttl-expired", f"route {A4}/32", "once its neighbour is resolved"),
    ("from pod/shop/a packet 45", "truncated", None, None),
]


def causes(explanation):
    return "\n".join(f"{cause['kind']} {cause['name']}: {cause['state']}" for cause in explanation["because"])


def answers(explanation):
    return "\n".join(answer["text"] for answer in explanation["answer"])


def test_a_packet_that_would_pass_is_status_0_and_says_where_to(world):
    for command, verdict, cause in FATES:
        status, said = world.explain(command)
        assert (status, said["verdict"]["text"]) == (0, verdict), command
        assert cause in causes(said) or cause == "neighbour", f"{command}\n{causes(said)}"
    _, said = world.explain(f"from pod/shop/a icmp {A4} > {NODE4}")
    assert f"out of pod/shop/a: icmp {NODE4} > {A4}, echo reply" in answers(said)
    _, said = world.explain(f"from pod/shop/a udp {A4}:1 > 10.9.0.1:2")
    mac = world.far.ip_json("link show eth0")[0]["address"]
    assert f"neighbour {NEIGHBOR4}: on up0, at {mac}" in causes(said)


def test_a_packet_that_would_be_dropped_is_status_1_and_says_why(world):
    for command, reason, cause, answer in DROPS:
        status, said = world.explain(command)
        assert (status, said["verdict"]["reason"]) == (1, reason), f"{command}\n{said}"
        assert said["verdict"]["text"] == f"would be dropped: {reason}: {said['verdict']['sentence']}"
        assert cause is None or cause in causes(said), f"{command}\n{causes(said)}"
        assert answer in answers(said) if answer else not said["answer"], f"{command}\n{answers(said)}"


def test_it_is_read_from_top_to_bottom(world):
    lines = world.text(f"from pod/shop/a tcp {A4}:4000 > {B4}:80 ttl 1").splitlines()
    assert lines[0] == f"from pod/shop/a: tcp {A4}:4000 > {B4}:80, 40 bytes"
    assert lines[1] == "  tun-input: interface pod/shop/a, length 40 -> ip4-input"
    assert lines[-3].startswith("  because of ")
    assert lines[-2] == f"  would send back out of pod/shop/a: icmp {NODE4} > {A4}, time to live exceeded, 68 bytes"
    assert lines[-1] == "  would be dropped: ttl-expired: the time to live ran out here"


def test_interfaces_that_are_down_and_vlans(world):
    sluice = world.sluice
    sluice.cli("create interface vlan up0 100")
    sluice.cli("set interface address up0.100 198.18.0.1/24")
    command = f"from up0.100 udp 198.18.0.9:1 > {A4}:2"
    assert world.explain(command)[1]["verdict"]["reason"] == "vlan-down"
    sluice.cli("set interface state up0.100 up")
    status, said = world.explain(command)
    assert (status, said["verdict"]["text"]) == (0, "would be forwarded to pod/shop/a")
    assert "vlan 100" in said["step"][1]["fields"]
    _, said = world.explain(f"from pod/shop/a udp {A4}:1 > 198.18.0.9:2")
    assert said["verdict"]["text"].startswith("would be sent out of up0.100 (neighbour 198.18.0.9 ")
    sluice.cli("set interface state up0 down")
    status, said = world.explain(f"from up0 udp {NEIGHBOR4}:1 > {A4}:2")
    assert (status, said["verdict"]["reason"]) == (1, "interface-down")
    assert "interface up0: down" in causes(said)


def test_what_is_for_the_host_is_said_to_go_there(world):
    world.sluice.cli("create host-tap host address 10.1.255.1")
    status, said = world.explain(f"from pod/shop/a tcp {A4}:4000 > {NODE4}:22")
    assert (status, said["verdict"]["text"]) == (0, "would be delivered to the host, by host")


def test_nothing_changes_however_often_one_asks(world):
    """Other packets come too (the pods' own), so a round without any is waited for."""
    commands = [fate[0] for fate in FATES + DROPS]

    def unchanged():
        before = world.state()
        for command in commands:
            world.sluice.ctl("explain", *command.split())
        return before == world.state()

    wait_until(unchanged, "a round that changes nothing", seconds=60)
    assert STRANGER4 not in world.sluice.cli("show neighbor")
    with Port(world.far, "eth0") as wire:
        for command in commands:
            world.sluice.ctl("explain", *command.split())
        wire.expect_none(lambda frame: frame.haslayer("ARP") and frame["ARP"].pdst == STRANGER4, seconds=1.5)


PACKETS = [
    IP(src=A4, dst=B4) / UDP(sport=4000, dport=4242) / bytes(100),
    IP(src=A4, dst=B4, ttl=1) / UDP(sport=4000, dport=4242) / bytes(101),
    IP(src=A4, dst=B4, flags="DF") / UDP(sport=4000, dport=4242) / bytes(1440),
    IP(src=A4, dst=B4) / UDP(sport=4000, dport=4242) / bytes(1440),
    IP(src=A4, dst="8.8.8.8") / TCP(sport=4000, dport=4242, flags="S"),
    IP(src=A4, dst="203.0.113.9") / UDP(sport=4000, dport=4242),
    IP(src="10.5.0.77", dst=B4) / UDP(sport=4000, dport=4242),
    IP(src=A4, dst="10.9.0.1") / UDP(sport=4000, dport=4242),
    IP(src=A4, dst=B4, chksum=1) / UDP(sport=4000, dport=4242),
    IPv6(src=A6, dst=B6) / UDP(sport=4000, dport=4242) / bytes(102),
    IPv6(src=A6, dst="2001:db8:b::1") / UDP(sport=4000, dport=4242),
    IPv6(src=A6, dst=B6, hlim=1) / UDP(sport=4000, dport=4242),
    IPv6(src=A6, dst=B6) / UDP(sport=4000, dport=4242) / bytes(1440),
]


def test_a_real_packet_takes_the_same_steps(world):
    def steps(hops):
        return [(hop["node"], hop["fields"], hop["verdict"]) for hop in hops]

    with Port(world.a, "eth0") as pod:
        for packet in PACKETS:
            _, said = world.explain(f"from pod/shop/a packet {bytes(packet).hex()}")
            world.sluice.cli("clear trace")
            world.sluice.cli("trace add tun-input 1 filter port 4242")
            pod.send(packet)
            wanted = steps(said["step"])
            wait_until(lambda: [steps(traced["hop"]) for traced in world.sluice.json("show trace")] == [wanted],
                       lambda: f"{packet.summary()}\nexplained {wanted}\ntraced {world.sluice.json('show trace')}", seconds=5)


@pytest.mark.parametrize("command, words", [
    (f"from pod/shop/a tcp {A4}:* > {B4}:80", ["source port", "open"]),
    (f"from pod/shop/a tcp {A4}:1 > [{B6}]:80", ["one family"]),
    (f"from pod/shop/a udp {A4}:1 > {B4}:2 length 27", ["length 27", "28"]),
    (f"from pod/shop/a udp [{A6}]:1 > [{B6}]:2 dont-fragment", ["IPv6"]),
    (f"from nowhere udp {A4}:1 > {B4}:2", ["nowhere"]),
    ("from pod/shop/a packet 45xx", ["'xx' at byte 1"]),
])
def test_what_cannot_be_explained_is_refused(world, command, words):
    said = world.sluice.refusal(f"explain {command}")
    assert all(word in said for word in words), said
