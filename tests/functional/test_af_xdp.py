# SPDX-License-Identifier: Apache-2.0
"""AF_XDP over veths between namespaces: in the driver (copy) and in the kernel's stack (generic), with one queue and four."""
import random

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from lib.net import Iperf, wait_until
from lib.packets import Port
from lib.router import BEYOND4, BEYOND6, LEFT4, LEFT6, RIGHT4, RIGHT6

MODES = ("copy", "generic")
QUEUES = (1, 4)


def program_of(namespace, interface):
    """What the kernel says of the XDP program there: "xdp", "xdpgeneric", or nothing."""
    link = namespace.ip_json(f"-d link show {interface}")[0].get("xdp")
    return {1: "xdp", 2: "xdpgeneric"}[link["mode"]] if link else None


@pytest.fixture(name="xdp")
def xdp_router(router):
    """xdp(mode, queues): a router whose two interfaces are AF_XDP's."""
    def make(mode="copy", queues=1, options="", **more):
        return router(driver="af-xdp", options=f"mode {mode} {options}", queues=queues, **more)
    return make


@pytest.mark.parametrize("queues", QUEUES)
@pytest.mark.parametrize("mode", MODES)
def test_every_byte_is_forwarded(xdp, mode, queues):
    router = xdp(mode, queues)
    assert program_of(router.node, "l0") == {"copy": "xdp", "generic": "xdpgeneric"}[mode]
    chance = random.Random(1)
    for size in (0, 1, 18, 500, 1400):
        data = Raw(chance.randbytes(size))
        for packet in (IP(src=LEFT4, dst=BEYOND4) / UDP(sport=1000 + size, dport=9) / data,
                       IPv6(src=LEFT6, dst=BEYOND6) / UDP(sport=1000 + size, dport=9) / data):
            router.send(packet)
            router.expect_forwarded(packet)
    assert router.left.ping(RIGHT4, count=5, interval=0.05) == 5
    assert router.left.ping(RIGHT6, count=5, interval=0.05) == 5


@pytest.mark.parametrize("queues", QUEUES)
@pytest.mark.parametrize("mode", MODES)
def test_tcp_crosses(xdp, mode, queues):
    router = xdp(mode, queues)
    assert Iperf(router.right, RIGHT4).mbit(router.left, seconds=1, extra=("-P", "4")) > 10


def test_the_program_goes_with_the_interface_and_with_the_daemon(xdp):
    router = xdp()
    router.daemon.cli("delete interface l0")
    wait_until(lambda: program_of(router.node, "l0") is None, "the program to go")
    assert program_of(router.node, "r0") == "xdp"
    router.daemon.stop()
    assert program_of(router.node, "r0") is None


@pytest.mark.parametrize("mode", MODES)
def test_jumbo_frames_cross_whole(network, daemon, mode):
    node, left, right = network.namespace("node"), network.namespace("left"), network.namespace("right")
    network.veth(node, "l0", left, "eth0", mtu=9000, offloads=False)
    network.veth(node, "r0", right, "eth0", mtu=9000, offloads=False)
    for host, own, gateway in ((left, LEFT4, "10.1.0.1"), (right, RIGHT4, "10.2.0.1")):
        host.address("eth0", f"{own}/24")
        host.route("default", gateway)
    sluice = daemon(startup=[*(f"create interface af-xdp {name} mode {mode}" for name in ("l0", "r0")),
                             *(f"set interface state {name} up" for name in ("l0", "r0")),
                             "set interface address l0 10.1.0.1/24", "set interface address r0 10.2.0.1/24"])
    assert sluice.interface("l0")["mtu"] == 9000
    left.ping(RIGHT4, count=1, check=False)
    for size in (2006, 2007, 4000, 8972):
        assert left.ping(RIGHT4, count=10, size=size, interval=0.02, extra=("-M", "do")) == 10
    assert Iperf(right, RIGHT4).mbit(left, seconds=1) > 10
    assert errors_of(sluice, "af-xdp-output") == 0


def errors_of(sluice, node):
    return sum(int(row["packets"]) for row in sluice.json("show errors") if row["node"] == node)


@pytest.mark.parametrize("mode", MODES)
def test_a_tagged_frame_keeps_its_tag(network, daemon, mode):
    node, outside = network.namespace("node"), network.namespace("outside")
    network.veth(node, "uplink", outside, "eth0", offloads=False)
    sluice = daemon(startup=[f"create interface af-xdp uplink mode {mode}", "create interface vlan uplink 100",
                             "set interface state uplink up", "set interface state uplink.100 up",
                             "set interface address uplink.100 198.51.100.2/24"])
    mac = sluice.interface("uplink")["mac"]
    with Port(outside, "eth0") as port:
        port.send(Ether(dst=mac, src="02:00:00:00:00:09") / Dot1Q(vlan=100) /
                  IP(src="198.51.100.9", dst="198.51.100.2") / ICMP(id=7, seq=1))
        request = port.expect(lambda p: Dot1Q in p and p[Dot1Q].vlan == 100, what="an ARP request with the tag")
        assert request[Ether].src == mac


def test_the_mtu_can_be_changed_under_it(uplink):
    sluice, node, outside = uplink
    outside.ip("link set eth0 mtu 4000")
    sluice.cli("set interface mtu uplink 4000")
    assert node.ip_json("link show uplink")[0]["mtu"] == 4000
    assert outside.ping("192.0.2.2", count=5, size=3972, interval=0.02, extra=("-M", "do")) == 5
    assert "36842" in sluice.refusal("set interface mtu uplink 40000")


@pytest.mark.parametrize("workers, queues", [(2, 1), (2, 4)])
def test_workers_share_the_queues(xdp, workers, queues):
    """With one queue the second worker's packets cross to the first; with more each socket has its worker."""
    router = xdp(queues=queues, configuration={"workers": {"count": workers}})
    assert router.left.ping(RIGHT4, count=20, interval=0.02) == 20
    assert Iperf(router.right, RIGHT4).mbit(router.left, seconds=1, extra=("-P", "8")) > 10


@pytest.mark.parametrize("mode", MODES)
def test_an_interface_of_another_namespace(network, daemon, mode):
    far, outside = network.namespace("far"), network.namespace("outside")
    network.veth(far, "eth0", outside, "eth0", offloads=False)
    outside.address("eth0", "192.0.2.1/24")
    sluice = daemon(startup=[f"create interface af-xdp uplink host-interface eth0 netns {far.path} mode {mode}",
                             "set interface state uplink up", "set interface address uplink 192.0.2.2/24"])
    outside.ping("192.0.2.2", count=1, check=False)
    outside.ping("192.0.2.2")
    far.delete()
    wait_until(lambda: not sluice.json("show interface"), "uplink to go with its namespace")


@pytest.fixture(name="uplink")
def uplink_to_outside(network, daemon):
    """A daemon, its namespace, and the outside behind the veth eth0 - uplink."""
    node, outside = network.namespace("node"), network.namespace("outside")
    network.veth(node, "uplink", outside, "eth0", offloads=False)
    outside.address("eth0", "192.0.2.1/24", "2001:db8::1/64")
    sluice = daemon(startup=["create interface af-xdp uplink", "set interface state uplink up",
                             "set interface address uplink 192.0.2.2/24", "set interface address uplink 2001:db8::2/64"])
    wait_until(lambda: outside.ping("192.0.2.2", count=1, check=False), "the first answer")
    wait_until(lambda: outside.ping("2001:db8::2", count=1, check=False), "the first answer of IPv6")
    return sluice, node, outside


def test_denied_sources_cost_the_graph_nothing_and_are_counted(uplink):
    sluice, _, outside = uplink
    outside.address("eth0", "198.51.100.7/24", "2001:db8:bad::7/64")
    sluice.cli("set interface address uplink 198.51.100.2/24")
    sluice.cli("set device af-xdp deny 198.51.100.0/24")
    sluice.cli("set device af-xdp deny 2001:db8:bad::/48")
    assert "unchanged" in sluice.cli("set device af-xdp deny 198.51.100.0/24")
    before = sluice.interface("uplink")["rx_packets"]
    assert outside.ping("198.51.100.2", count=100, interval=0.002, extra=("-I", "198.51.100.7", "-W", "1"), check=False) == 0
    assert outside.ping("2001:db8::2", count=100, interval=0.002, extra=("-I", "2001:db8:bad::7", "-W", "1"), check=False) == 0
    counted = {row["prefix"]: row["packets"] for row in sluice.json("show device af-xdp deny")}
    assert counted["198.51.100.0/24"] == 100 and counted["2001:db8:bad::/48"] >= 100
    assert sluice.interface("uplink")["rx_packets"] - before < 50, "what was let through is ARP and ND at most"
    outside.ping("192.0.2.2")
    assert "set device af-xdp deny 198.51.100.0/24" in sluice.cli("show configuration")
    sluice.cli("delete device af-xdp deny 198.51.100.0/24")
    outside.ping("198.51.100.2", extra=("-I", "198.51.100.7"))


def test_the_deny_list_is_there_again_after_a_crash(uplink):
    sluice, _, outside = uplink
    sluice.cli("set device af-xdp deny 192.0.2.1/32")
    assert outside.ping("192.0.2.2", count=2, extra=("-W", "1"), check=False) == 0
    sluice.kill()
    sluice.start()
    assert [row["prefix"] for row in sluice.json("show device af-xdp deny")] == ["192.0.2.1/32"]
    assert outside.ping("192.0.2.2", count=2, extra=("-W", "1"), check=False) == 0
    outside.ping("2001:db8::2")


def test_a_full_deny_list_refuses_more(uplink, tmp_path):
    sluice, _, outside = uplink
    script = tmp_path / "deny"
    script.write_text("".join(f"set device af-xdp deny 10.{i >> 8}.{i & 255}.0/24\n" for i in range(1024)))
    sluice.script(script)
    assert "1024 prefixes are denied, the most" in sluice.refusal("set device af-xdp deny 192.0.2.0/24")
    assert len(sluice.json("show device af-xdp deny")) == 1024
    outside.ping("192.0.2.2")


def test_a_killed_daemon_leaves_the_interface_to_the_kernel_and_comes_back(uplink):
    sluice, node, outside = uplink
    assert program_of(node, "uplink") == "xdp"
    flood = outside.popen("ping", "-q", "-i", "0.002", "192.0.2.2")
    sluice.kill()
    assert program_of(node, "uplink") is None
    node.address("uplink", "192.0.2.3/24")
    outside.ping("192.0.2.3")
    node.ip("addr del 192.0.2.3/24 dev uplink")
    sluice.start()
    outside.ping("192.0.2.2")
    flood.kill()
    flood.wait()


def test_a_second_daemon_is_refused_and_the_first_works_on(uplink, daemon):
    sluice, node, outside = uplink
    other = daemon(namespace=node)
    said = other.refusal("create interface af-xdp uplink")
    assert "another XDP program is there (id " in said and "ip link set dev uplink xdp off" in said
    assert other.json("show interface") == []
    outside.ping("192.0.2.2")
    sluice.cli("delete interface uplink")
    wait_until(lambda: program_of(node, "uplink") is None, "the program to go")
    other.cli("create interface af-xdp uplink")
    other.cli("set interface state uplink up")
    other.cli("set interface address uplink 192.0.2.4/24")
    outside.ping("192.0.2.4", count=1, check=False)
    outside.ping("192.0.2.4")
    other.cli("delete interface uplink")


def test_a_device_that_is_removed_goes_here_and_can_come_back(uplink, network):
    sluice, node, outside = uplink
    flood = outside.popen("ping", "-q", "-i", "0.002", "192.0.2.2")
    outside.ip("link delete eth0")
    wait_until(lambda: not sluice.json("show interface"), "uplink to go")
    flood.kill()
    flood.wait()
    network.veth(node, "uplink", outside, "eth0", offloads=False)
    outside.address("eth0", "192.0.2.1/24")
    sluice.cli("create interface af-xdp uplink")
    sluice.cli("set interface state uplink up")
    sluice.cli("set interface address uplink 192.0.2.2/24")
    outside.ping("192.0.2.2", count=1, check=False)
    outside.ping("192.0.2.2")


@pytest.mark.parametrize("side", ["near", "far"])
def test_a_link_that_flaps_a_thousand_times(uplink, tmp_path, side):
    sluice, node, outside = uplink
    namespace, name = (node, "uplink") if side == "near" else (outside, "eth0")
    flood = outside.popen("ping", "-q", "-i", "0.002", "192.0.2.2")
    flaps = tmp_path / "flaps"
    flaps.write_text(f"link set {name} down\nlink set {name} up\n" * 1000)
    namespace.ip(f"-batch {flaps}", timeout=120)
    flood.kill()
    flood.wait()
    wait_until(lambda: outside.ping("192.0.2.2", count=1, check=False), "an answer", seconds=20)
    outside.ping("192.0.2.2")
    assert [row["name"] for row in sluice.json("show interface")] == ["uplink"]


class Pair:
    """left - [one: l0, x] - [other: x, r0] - right: two daemons that reach each other by AF_XDP on both ends of a veth."""

    def __init__(self, network, daemon, options=""):
        self.left, self.right = network.namespace("left"), network.namespace("right")
        nodes = network.namespace("one"), network.namespace("other")
        network.veth(nodes[0], "x", nodes[1], "x", offloads=False)
        daemons = []
        for node, host, inside, own, peer, beyond in (
                (nodes[0], self.left, "10.1.0", "192.0.2.1", "192.0.2.2", "10.2.0.0/24"),
                (nodes[1], self.right, "10.2.0", "192.0.2.2", "192.0.2.1", "10.1.0.0/24")):
            network.veth(node, "h0", host, "eth0", offloads=False)
            host.address("eth0", f"{inside}.2/24")
            host.route("default", f"{inside}.1")
            daemons.append(daemon(namespace=node, startup=[
                f"create interface af-xdp h0 {options}", f"create interface af-xdp x {options}",
                "set interface state h0 up", "set interface state x up", f"set interface address h0 {inside}.1/24",
                f"set interface address x {own}/24", f"add route {beyond} via {peer}"]))
        self.one, self.other = daemons

    def answers(self):
        return self.left.ping("10.2.0.2", count=1, extra=("-W", "1"), check=False)


def test_a_peer_that_is_killed_and_restarted_mid_ring(network, daemon):
    pair = Pair(network, daemon)
    wait_until(pair.answers, "an answer from behind the peer")
    pair.one.cli("create packet-generator flood out x rate 20000 stream ethernet src 02::1 dst 02::2 / "
                 "ip4 src 10.1.0.7 dst 10.2.0.7 / udp sport 1000-2000 dport 9")
    pair.one.cli("packet-generator start flood")
    for _ in range(5):
        pair.other.kill()
        sent = pair.one.interface("x")["tx_packets"]
        wait_until(lambda: pair.one.interface("x")["tx_packets"] > sent + 3000, "the sender to go on")
        pair.other.start()
        wait_until(pair.answers, "an answer from behind the peer that is back", seconds=20)
    pair.one.cli("packet-generator stop flood")
    pair.left.ping("10.2.0.2", count=10, interval=0.05)


def test_a_stuck_consumer_takes_the_whole_pool_and_gives_it_back(xdp):
    router = xdp(options="ring 1024", configuration={"buffers": {"count": 2080, "hugepages": False}})
    sluice = router.daemon
    router.node.ip("link set r0 down")
    sluice.cli("add neighbor 10.2.0.99 mac 02:00:00:00:00:99 interface r0")
    for first in range(1, 4001, 200):
        router.send(*(IP(src=LEFT4, dst="10.2.0.99") / UDP(sport=first + i, dport=9) for i in range(200)))
    wait_until(lambda: sluice.interface("l0")["rx_miss"] > 100, "frames that find no buffer")
    assert sum(pool["exhausted"] for pool in sluice.json("show buffers")) > 0
    router.node.ip("link set r0 up")
    wait_until(lambda: router.left.ping(RIGHT4, count=1, extra=("-W", "1"), check=False), "an answer", seconds=20)
    assert router.left.ping(RIGHT4, count=20, interval=0.02) == 20


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode, queues", [("copy", 1), ("generic", 4)])
def test_a_million_packets_and_none_lost(network, daemon, mode, queues):
    """From one daemon to another, at the highest of a few rates that both sustain on this machine."""
    node, far = network.namespace("node"), network.namespace("far")
    network.veth(node, "x", far, "x", offloads=False, queues=queues)
    large = {"buffers": {"count": 65536, "hugepages": False}}
    create = f"create interface af-xdp x mode {mode} ring 4096"
    sender = daemon(namespace=far, startup=[create, "set interface state x up"], configuration=large)
    sink = daemon(startup=[create, "set interface state x up", "set interface address x 192.0.2.1/24",
                           "create interface null sink layer3", "set interface state sink up",
                           "add route 198.51.100.0/24 interface sink"], configuration=large)
    mac, tried = sink.interface("x")["mac"], []
    for rate in (100_000, 50_000, 25_000, 12_000):
        missed = sink.interface("x")["rx_miss"]
        before = sink.interface("sink")["tx_packets"]
        sender.cli(f"create packet-generator s{rate} out x rate {rate} count 1000000 stream ethernet src 02::1 dst {mac} / "
                   "ip4 src 192.0.2.9 dst 198.51.100.1-198.51.100.99 / udp sport 1000-1999 dport 9")
        sender.cli(f"packet-generator start s{rate}")

        def ended():
            return sender.json(f"show packet-generator s{rate}")[0]["state"] == "done"

        def counted():
            return sink.interface("x")["rx_miss"] - missed
        wait_until(lambda: ended() or counted(), "a million packets", seconds=120, every=0.5)
        if not ended():
            sender.cli(f"packet-generator stop s{rate}")
            tried.append(f"{rate} a second: {counted()} rx-miss")
            continue
        wait_until(lambda: sink.interface("sink")["tx_packets"] + counted() == before + 1_000_000, "the last packet")
        if not counted():
            return
    raise AssertionError("packets are lost at every rate: " + "; ".join(tried))


@pytest.mark.parametrize("command, words", [
    ("create interface af-xdp uplink queues 2",
     ["it receives by 1 channel, and queues 2 was asked for", "ethtool -L uplink rx 2", "nothing changed"]),
    ("create interface af-xdp uplink ring 1000", ["ring 1000: it must be a power of two, as 512 or 1024"]),
    ("create interface af-xdp uplink ring 4096", ["ring 4096 for 1 queues takes 4096 buffers, and the pool has 4096",
                                                  "buffers.count"]),
    ("create interface af-xdp uplink mode zero-copy", ["no zero copy", "hugepages"]),
    ("create interface af-xdp lo", ["lo", "it carries no Ethernet frames"]),
    ("create interface af-xdp up host-interface no-such", ["no-such"]),
    ("create interface af-xdp up netns /run/netns/no-such", ["/run/netns/no-such"])])
def test_what_cannot_be_is_refused_with_its_mend(network, daemon, command, words):
    node, outside = network.namespace("node"), network.namespace("outside")
    network.veth(node, "uplink", outside, "eth0")
    sluice = daemon(configuration={"buffers": {"count": 4096, "hugepages": False}})
    said = sluice.refusal(command)
    assert all(word in said for word in words), said
    assert sluice.json("show interface") == [] and program_of(node, "uplink") is None


def test_the_same_command_again_changes_nothing_and_another_is_refused(uplink):
    sluice, *_ = uplink
    assert "unchanged" in sluice.cli("create interface af-xdp uplink")
    assert "mode generic instead of auto" in sluice.refusal("create interface af-xdp uplink mode generic")


def test_busy_polling_works(xdp):
    router = xdp(options="busy-poll 64")
    for name in ("l0", "r0"):
        router.daemon.cli(f"set interface rx-mode {name} polling")
    assert router.left.ping(RIGHT4, count=20, interval=0.02) == 20
