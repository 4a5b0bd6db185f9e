# SPDX-License-Identifier: Apache-2.0
"""trace flow and trace pod: live, in both directions, and nothing but their own packets."""
import contextlib
import json
import select
import signal
import socket
import subprocess
from collections import Counter

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from lib.daemon import program
from lib.net import wait_until
from lib.packets import Port
from lib.refusal import has_all
from test_pods import A4, A6, B4, B6, two_pods

BOTH = {"pod/shop/a": 2, "pod/shop/b": 2}
LIMIT = 8


@contextlib.contextmanager
def watch(sluice, command, *options):
    """A sluicectl that follows packets until it ends."""
    words = [program("sluicectl"), "--socket", sluice.socket, *options, command]
    process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def seen_while(sluice, send, *commands):
    """For each live trace the packets that it shows while send() is called again and again, until all have ended."""
    with contextlib.ExitStack() as stack:
        watchers = [stack.enter_context(watch(sluice, command, "--json")) for command in commands]
        wait_until(lambda: (send(), all(w.poll() is not None for w in watchers))[1], "the traces to end", seconds=60)
        said = [watcher.communicate() for watcher in watchers]
    for watcher, command, (out, error) in zip(watchers, commands, said):
        assert (watcher.returncode, error) == (0, ""), f"{command}: {out}{error}"
    return [json.loads(out) for out, _ in said]


def sources(packets):
    """How many packets came in at each interface."""
    return Counter(packet["hop"][0]["rx_interface"] for packet in packets)


def nodes(packet):
    return [hop["node"] for hop in packet["hop"]]


@pytest.fixture
def pods(network, daemon):
    a, b, startup = two_pods(network)
    return daemon(startup=startup), a, b


@pytest.mark.parametrize("protocol, source, target", [("icmp", A4, B4), ("icmp6", A6, B6)])
def test_a_ping_is_followed_in_both_directions(pods, protocol, source, target):
    sluice, a, _ = pods
    packets, = seen_while(sluice, lambda: a.ping(target, count=1, check=False),
                          f"trace flow {protocol} {source} > {target} count 4 for 60s")
    assert [packet["number"] for packet in packets] == [1, 2, 3, 4]
    assert sources(packets) == BOTH
    for packet in packets:
        assert nodes(packet)[0] == "tun-input" and nodes(packet)[-1] == "tun-output", nodes(packet)
        ends = {packet["hop"][0]["rx_interface"], packet["hop"][-1]["tx_interface"]}
        assert ends == set(BOTH) and not packet["cut"]


def test_a_tcp_connection_is_followed_in_both_directions(pods):
    sluice, a, b = pods
    with b.entered():
        listener = socket.create_server((B4, 7007))

    def connect():
        with a.entered():
            client = socket.create_connection((B4, 7007), timeout=10)
        client.close()
        listener.accept()[0].close()

    packets, = seen_while(sluice, connect, f"trace flow tcp {A4}:* > {B4}:7007 count 10 for 60s")
    listener.close()
    assert len(packets) == 10 and set(sources(packets)) == set(BOTH)
    for packet in packets:
        fields = next(hop["fields"] for hop in packet["hop"] if hop["node"] == "ip4-input")
        assert A4 in fields and B4 in fields and "protocol 6" in fields


FLOW = {"src": A4, "dst": "198.51.100.9"}
BACK = {"src": "198.51.100.9", "dst": A4}
# Every packet has a length of its own: by that it is known again in a trace.
OWN = [IP(**FLOW) / TCP(sport=2000, dport=80) / bytes(4), IP(**BACK) / TCP(sport=80, dport=2000) / bytes(5)]
OTHERS = [
    IP(**FLOW) / TCP(sport=2000, dport=81) / bytes(6), IP(**FLOW) / UDP(sport=2000, dport=80) / bytes(27),
    IP(**FLOW) / TCP(sport=80, dport=2000) / bytes(8), IP(**BACK) / TCP(sport=81, dport=2000) / bytes(9),
    IP(src="10.5.0.3", dst=FLOW["dst"]) / TCP(sport=2000, dport=80) / bytes(10),
    IPv6(src=A6, dst="2001:db8:100::9") / TCP(sport=2000, dport=80) / bytes(11),
    IP(**FLOW) / ICMP() / bytes(44),
]
DNS = [IPv6(src=A6, dst="2001:db8::53") / UDP(sport=999, dport=53) / bytes(70),
       IPv6(dst=A6, src="2001:db8::53") / UDP(dport=999, sport=53) / bytes(71)]


def test_only_its_own_packets_are_shown_whatever_they_come_in_by(network, daemon):
    pod, far, host = network.namespace("pod"), network.namespace("far"), network.namespace("host")
    network.veth(network.namespace("node"), "up0", far, "eth0", offloads=False)
    sluice = daemon(startup=[
        f"create pod web netns {pod.path} address {A4},{A6}", "create interface af-packet up0",
        f"create interface tap t0 netns {host.path} host-name eth0", "create interface vlan up0 100",
        "set interface state up0 up", "set interface state t0 up", "set interface state up0.100 up"])
    for namespace in (far, host):
        namespace.ip("link set eth0 up")
    macs = {row["name"]: row["mac"] for row in sluice.json("show interface")}
    wire, tap = (Ether(src="02:00:00:00:00:01", dst=macs[name]) for name in ("up0", "t0"))
    with Port(pod, "eth0") as at_pod, Port(far, "eth0") as at_wire, Port(host, "eth0") as at_tap:
        for port, interface, header in [(at_pod, "pod/web", None), (at_wire, "up0", wire), (at_tap, "t0", tap),
                                        (at_wire, "up0", wire / Dot1Q(vlan=100)),
                                        (at_wire, "up0", wire / Dot1AD(vlan=7) / Dot1Q(vlan=8))]:
            packets = [header / packet if header else packet for packet in OWN + OTHERS + DNS]
            web, dns = seen_while(sluice, lambda: port.send(*packets),
                                  "trace flow tcp 10.5.0.1:* > 198.51.100.9:80 count 6 for 60s",
                                  "trace flow udp * > [2001:db8::53]:53 count 6 for 60s")
            added = len(header) if header else 0
            for seen, own in ((web, OWN), (dns, DNS)):
                # The pod's kernel answers what comes to it, and that is of the flow, too.
                lengths = {int(packet["hop"][0]["length"]) - added for packet in seen
                           if packet["hop"][0]["rx_interface"] == interface}
                assert lengths == {len(packet) for packet in own}, f"{interface} {header!r}"
                assert set(sources(seen)) <= {interface, "pod/web"} and len(seen) == 6


def test_nothing_came_is_status_one_with_the_explain_that_fits(pods):
    sluice, _, _ = pods
    for options in ([], ["--json"]):
        done = sluice.ctl(*options, *f"trace flow tcp {A4}:* > {B4}:80 for 100ms".split())
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (f"sluicectl: no packet of this flow came in 100 ms; explain from pod/shop/a tcp {A4}:40000 "
                               f"> {B4}:80 says what would happen to one\n")
    # A pod's kernel says something of its own now and then.
    done = wait_until(lambda: (run := sluice.ctl("trace pod shop/b for 1ms")).returncode and run, "a quiet moment")
    has_all(done.stderr, "no packet from or to pod shop/b came in 1 ms; explain from pod/shop/b icmp", B4)


def test_what_came_is_printed_at_once_and_an_interrupt_ends_it(pods):
    sluice, a, _ = pods
    with watch(sluice, f"trace flow icmp {A4} > {B4} count 1000 for 600s") as watcher:
        wait_until(lambda: (a.ping(B4, count=1), select.select([watcher.stdout], [], [], 0)[0])[1], "a packet", seconds=30)
        assert watcher.stdout.readline().startswith("packet 1, worker 0, ")
        assert watcher.stdout.readline().startswith("  +0.0us tun-input: interface pod/shop/a, ")
        watcher.send_signal(signal.SIGINT)
        watcher.communicate(timeout=10)
    assert watcher.returncode == -signal.SIGINT


def test_so_many_at_a_time_and_no_more(pods):
    sluice, *_ = pods
    command = f"trace flow tcp {A4}:* > {B4}:80"

    def refused():
        return sluice.ctl("--dry-run", command).stderr

    with contextlib.ExitStack() as stack:
        for _ in range(2):
            watchers = [stack.enter_context(watch(sluice, f"{command} for 600s")) for _ in range(LIMIT)]
            said = wait_until(lambda: "under way" in refused() and refused(), "all to have begun", seconds=30)
            has_all(said, f"{LIMIT} traces are under way", "clear trace")
            assert [watcher.poll() for watcher in watchers] == [None] * LIMIT, "none was refused"
            for watcher in watchers:
                watcher.send_signal(signal.SIGINT)
                watcher.communicate(timeout=10)
            wait_until(lambda: not refused(), "them to have ended")


def test_several_at_a_time_have_each_all_their_packets(pods):
    sluice, a, _ = pods
    sluice.cli(f"trace add tun-input 2 filter icmp and src host {A4}")
    first, second, pod = seen_while(
        sluice, lambda: a.ping(B4, count=1, check=False), f"trace flow icmp {A4} > {B4} count 4 for 60s",
        f"trace flow ip {B4} > {A4} count 4 for 60s", "trace pod shop/b count 6 for 60s")
    assert sources(first) == sources(second) == BOTH
    assert len(pod) == 6
    added = sluice.json("show trace")
    assert [nodes(packet)[-1] for packet in added] == ["tun-output"] * 2, "live traces are not in it"
    assert all(nodes(packet) == nodes(added[0]) for packet in first + second)


def test_a_pod_is_followed_by_its_interface_and_its_addresses(network, daemon):
    a, b, startup = two_pods(network)
    c = network.namespace("c")
    sluice = daemon(startup=[*startup, f"create pod shop/c netns {c.path} address 10.5.0.3"])
    with Port(a, "eth0") as at_a, Port(c, "eth0") as at_c:
        def send():
            at_a.send(IP(src="10.66.0.1", dst=B4) / UDP(dport=9) / bytes(10))
            at_c.send(IP(src="10.5.0.3", dst=A4) / UDP(dport=9) / bytes(20),
                      IP(src="10.5.0.3", dst=B4) / UDP(dport=9) / bytes(30))

        packets, = seen_while(sluice, send, "trace pod shop/a count 12 for 60s")
    # What the pods' kernels send of their own (router solicitations, answers) is not looked at.
    lengths = {(packet["hop"][0]["rx_interface"], int(packet["hop"][0]["length"])): packet for packet in packets}
    assert ("pod/shop/c", 48) in lengths and ("pod/shop/c", 58) not in lengths
    assert lengths["pod/shop/a", 38]["hop"][-1]["verdict"] == "drop spoofed-source", "whatever its source address is"
    assert set(sources(packets)) <= {"pod/shop/a", "pod/shop/b", "pod/shop/c"}


def test_a_packet_that_waits_for_a_neighbor_is_shown_as_it_waits_or_with_what_came_after(network, daemon):
    a, _, startup = two_pods(network)
    far = network.namespace("far")
    network.veth(network.namespace("node"), "up0", far, "eth0", offloads=False)
    sluice = daemon(startup=[*startup, "create interface af-packet up0", "set interface state up0 up",
                             "set interface address up0 192.0.2.2/24"])
    a.popen("ping -n -i 0.2 192.0.2.1")  # nobody has it

    def ways(times):
        return [[(hop["node"], hop["verdict"]) for hop in packet["hop"]]
                for packet in sluice.json(f"trace flow icmp {A4} > 192.0.2.1 {times}")]

    wait_until(lambda: any(way[-1] == ("ip4-arp", "hold") for way in ways("for 500ms")), "one that waits", seconds=30)
    wait_until(lambda: any(("ip4-arp", "hold") in way and way[-1][0] == "tun-output" for way in ways("count 1 for 20s")),
               "one that waited, and was answered for", seconds=30)


def test_what_is_no_flow_or_no_pod_is_refused_with_what_may_stand_there(pods):
    sluice, *_ = pods
    for command, words in [
            ("trace flow tpc * > *", ["protocol tpc: must be ip (any), tcp, udp"]),
            ("trace flow tcp 10.0.0.300:80 > *", ["source 10.0.0.300:80: must be ADDRESS, ADDRESS:PORT or [IPV6]:PORT"]),
            ("trace flow tcp * > 10.0.0.3:99999", ["destination 10.0.0.3:99999: a port is 1 to 65535, or * for any"]),
            ("trace flow tcp 10.0.0.3 > fd00::1", ["10.0.0.3 and fd00::1: a flow has addresses of one family"]),
            ("trace flow icmp 10.0.0.3:8 > *", ["icmp has no ports: leave :8 away"]),
            ("trace pod shop/q", ["name shop/q: no such pod; did you mean shop/a?"])]:
        has_all(sluice.refusal(command), *words)
    has_all(sluice.refusal(f"trace flow tcp {A4}:*", status=2), "the line ends; expected >")
    has_all(sluice.refusal(f"trace flow tcp {A4}:* > {B4}:80 for ever", status=2), "TIME")
    has_all(sluice.refusal("trace flow ip * > * count 0", status=2), "count 0: must be 1 to 10000")
