# SPDX-License-Identifier: Apache-2.0
"""Interfaces of DPDK's virtual devices: what passes through them. test_dpdk_faults.py has what goes wrong."""
import os
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from lib.net import Iperf, wait_until
from lib.packets import Port
from lib.testpmd import Testpmd

MEMIF = "role={role},socket={socket},socket-abstract=no,rsize=14"


def librte(sluice):
    """DPDK's libraries in the daemon."""
    with open(f"/proc/{sluice.process.pid}/maps", encoding="ascii") as maps:
        return sorted({line.split("/")[-1].strip() for line in maps if "librte_" in line})


def attach_tap(sluice, far, number, host_address, address, options="queues 1"):
    """A net_tap interface whose kernel's side is in the namespace far."""
    link = f"dtap{number}"
    sluice.cli(f"create interface dpdk t{number} vdev net_tap{number},iface={link} {options}")
    sluice.namespace.ip(f"link set {link} netns {far.name}")
    far.address(link, *host_address)
    sluice.cli(f"set interface state t{number} up")
    for each in address:
        sluice.cli(f"set interface address t{number} {each}")


@pytest.fixture
def tap(network, daemon):
    node, far = network.namespace("node"), network.namespace("far")
    sluice = daemon(namespace=node)
    attach_tap(sluice, far, 0, ["10.9.0.1/24", "fd00:9::1/64"], ["10.9.0.2/24", "fd00:9::2/64"])
    yield sluice, far
    sluice.ctl(*"delete interface t0".split())


@pytest.fixture
def memif(network, daemon, tmp_path):
    """A daemon whose memif is joined by a testpmd, which passes all on to the kernel's far0 in another namespace."""
    node, peer, far = (network.namespace(name) for name in ("node", "peer", "far"))
    sluice = daemon(namespace=node)
    socket = tmp_path / "m.sock"
    sluice.cli(f"create interface dpdk m0 vdev net_memif0,{MEMIF.format(role='server', socket=socket)} mtu 8000")
    network.veth(peer, "pv0", far, "far0", offloads=False)
    for namespace, link in ((peer, "pv0"), (far, "far0")):
        namespace.ip(f"link set {link} mtu 8000 up")
    testpmd = Testpmd(peer, [f"net_memif0,{MEMIF.format(role='client', socket=socket)}",
                             "net_af_packet0,iface=pv0,blocksz=8192,framesz=8192,framecnt=256"],
                      "--mbuf-size=8500", "--total-num-mbufs=4096")
    far.address("far0", "10.9.0.1/24", "fd00:9::1/64")
    sluice.cli("set interface state m0 up")
    sluice.cli("set interface address m0 10.9.0.2/24")
    sluice.cli("set interface address m0 fd00:9::2/64")
    wait_until(lambda: sluice.interface("m0")["state"] == "up", "the peer to be there")
    yield sluice, far, testpmd
    testpmd.close()
    sluice.ctl(*"delete interface m0".split())


def test_a_daemon_without_dpdk_interfaces_has_not_loaded_dpdk(daemon):
    sluice = daemon(startup=["create interface null null0"])
    assert librte(sluice) == []
    assert "nothing changed" in sluice.refusal("create interface dpdk n0 vdev nonsense")
    assert librte(sluice) == []
    sluice.cli("create interface dpdk n0 vdev net_null0")
    assert "librte_ethdev.so.23.0" in librte(sluice)
    sluice.cli("delete interface n0")


def test_the_control_thread_keeps_its_cpus(daemon):
    sluice = daemon()
    before = os.sched_getaffinity(sluice.process.pid)
    sluice.cli("create interface dpdk n0 vdev net_null0")
    assert os.sched_getaffinity(sluice.process.pid) == before
    sluice.cli("delete interface n0")


def test_pings_and_tcp_pass_net_tap(tap):
    _, far = tap
    far.ping("10.9.0.2")
    wait_until(lambda: far.ping("fd00:9::2", count=1, check=False), "IPv6 to pass duplicate address detection")


def test_tcp_is_forwarded_between_a_tap_and_a_pod(tap, network):
    sluice, far = tap
    pod = network.namespace("pod")
    sluice.cli(f"create pod web netns {pod.path} address 10.1.0.2")
    far.route("10.1.0.0/16", "10.9.0.2")
    assert Iperf(far, "10.9.0.1").mbit(pod, seconds=1) > 10
    assert Iperf(pod, "10.1.0.2").mbit(far, seconds=1) > 10
    sluice.cli("delete pod web")


def test_the_first_packet_after_idleness_is_through_soon(tap):
    _, far = tap
    far.ping("10.9.0.2", count=1)
    times = []
    for _ in range(5):
        out = far.run("sh", "-c", "sleep 1.3; ping -n -c 1 -W 2 10.9.0.2").stdout
        times.append(float(out.split("time=")[1].split()[0]))
    assert min(times) < 9, f"round trips in ms: {times}"


def test_interfaces_of_the_kernel_through_net_af_packet(network, daemon):
    node, far = network.namespace("node"), network.namespace("far")
    network.veth(node, "up0", far, "eth0", offloads=False)
    for namespace, link in ((node, "up0"), (far, "eth0")):
        namespace.ip(f"link set {link} mtu 1900")
    far.address("eth0", "10.9.0.1/24")
    sluice = daemon(namespace=node)
    sluice.cli("create interface dpdk u0 vdev net_af_packet0,iface=up0,framesz=2048,framecnt=512 mtu 1900")
    sluice.cli("set interface state u0 up")
    sluice.cli("set interface address u0 10.9.0.2/24")
    far.ping("10.9.0.2")
    far.ping("10.9.0.2", size=1872, extra=["-M", "do"])
    sluice.cli("delete interface u0")


@pytest.mark.parametrize("size", [56, 1472, 2006, 2007, 4000, 7972])
def test_frames_of_every_size_pass_memif_byte_for_byte(memif, size):
    _, far, _ = memif
    far.ping("10.9.0.2", count=1)
    far.ping("10.9.0.2", size=size, extra=["-M", "do"])  # ping compares the bytes
    far.ping("fd00:9::2", size=size - 20 if size > 60 else size, extra=["-M", "do"])


def test_forwarded_bytes_are_those_that_were_sent(memif, network):
    sluice, far, _ = memif
    pod = network.namespace("pod")
    sluice.cli(f"create pod web netns {pod.path} address 10.1.0.2 mtu 8000")
    mac = sluice.interface("m0")["mac"]
    payload = bytes(i * 7 % 256 for i in range(7900))
    with Port(pod, "eth0") as port, Port(far, "far0") as out:
        for length in (1, 18, 1000, 2000, 5000, 7900):
            out.send(Ether(dst=mac) / IP(src="10.9.0.1", dst="10.1.0.2") / UDP(sport=7, dport=9) / payload[:length])
            got = port.expect(lambda p: UDP in p and p[UDP].dport == 9)
            assert bytes(got[UDP].payload)[:length] == payload[:length] and got[UDP].len == length + 8
    sluice.cli("delete pod web")


@pytest.mark.slow
def test_a_million_packets_pass_memif_both_ways_and_none_is_lost(network, daemon, tmp_path):
    peer = network.namespace("peer")
    sluice = daemon()
    socket = tmp_path / "m.sock"
    sluice.cli(f"create interface dpdk m0 vdev net_memif0,{MEMIF.format(role='server', socket=socket)}")
    sluice.cli("set interface state m0 up")
    testpmd = Testpmd(peer, [f"net_memif0,{MEMIF.format(role='client', socket=socket)}"], "--port-topology=loop")
    wait_until(lambda: sluice.interface("m0")["state"] == "up", "the peer to be there")
    sluice.cli("set interface rx-mode m0 polling")
    before, theirs = sluice.interface("m0"), testpmd.packets()
    # A stream makes up for what a worker without a CPU has missed: half a second's worth fits the rings.
    sluice.cli("create packet-generator s out m0 count 1000000 rate 30000 stream ethernet src 02:00:00:00:00:01 "
               "dst 02:00:00:00:00:02 / ip4 src 10.0.0.1 dst 10.0.0.2 / udp sport 1-9999 dport 9")
    sluice.cli("packet-generator start s")
    wait_until(lambda: sluice.json("show packet-generator s")[0]["state"] == "done", "the stream to end", seconds=60)

    def difference():
        """What one side has sent and the other not received, both ways."""
        received, sent = (now - then for now, then in zip(testpmd.packets(), theirs))
        row = sluice.interface("m0")
        assert received >= 1000000 and row["rx_miss"] == row["rx_no_buffer"] == 0
        return row["tx_packets"] - before["tx_packets"] - received, sent - row["rx_packets"] + before["rx_packets"]
    wait_until(lambda: difference() == (0, 0), lambda: f"all to arrive, not {difference()} less")
    sluice.cli("delete packet-generator s")
    sluice.cli("delete interface m0")


def test_a_ring_gives_back_what_it_is_given(daemon):
    sluice = daemon()
    sluice.cli("create interface dpdk r0 vdev net_ring0 queues 1")
    sluice.cli("set interface state r0 up")
    sluice.cli("create packet-generator s out r0 count 5000 rate 2000 size 64-9000 stream ethernet src 02:00:00:00:00:01 "
               "dst 02:00:00:00:00:02 / ip4 src 10.0.0.1 dst 10.0.0.2 / udp dport 9")
    sluice.cli("packet-generator start s")
    wait_until(lambda: sluice.json("show packet-generator s")[0]["state"] == "done", "the stream to end")
    wait_until(lambda: sluice.interface("r0")["rx_packets"] == 5000, "all to come back")
    row = sluice.interface("r0")
    assert row["rx_bytes"] == row["tx_bytes"]
    sluice.cli("delete packet-generator s")
    sluice.cli("delete interface r0")


def test_ten_idle_interfaces_leave_the_core_alone(daemon):
    sluice = daemon()
    for i in range(10):
        sluice.cli(f"create interface dpdk t{i} vdev net_tap{i},iface=dt{i}")
        sluice.cli(f"set interface state t{i} up")
    time.sleep(2)  # until packets that the kernel greets a link with are through

    def cpu():
        """Seconds that all of the daemon's threads have had."""
        folder = f"/proc/{sluice.process.pid}/task"
        times = [open(f"{folder}/{task}/schedstat", encoding="ascii").read() for task in os.listdir(folder)]
        return sum(int(text.split()[0]) for text in times) / 1e9
    shares = []
    for _ in range(3):
        before = cpu()
        time.sleep(2)
        shares.append((cpu() - before) / 2)
    print("share of a core:", shares)
    for i in range(10):
        sluice.cli(f"delete interface t{i}")
    assert min(shares) < 0.02, f"shares of a core: {shares}"


def test_af_xdp_and_dpdk_forward_to_each_other(tap, network):
    sluice, far = tap
    outside = network.namespace("outside")
    network.veth(sluice.namespace, "up0", outside, "eth0", offloads=False)
    outside.address("eth0", "192.0.2.1/24")
    sluice.cli("create interface af-xdp x0 host-interface up0")
    sluice.cli("set interface state x0 up")
    sluice.cli("set interface address x0 192.0.2.2/24")
    outside.route("10.9.0.0/24", "192.0.2.2")
    far.route("192.0.2.0/24", "10.9.0.2")
    outside.ping("10.9.0.1", count=5)
    far.ping("192.0.2.1", count=5, size=1400)
    assert Iperf(far, "10.9.0.1").mbit(outside, seconds=1) > 1
    sluice.cli("delete interface x0")
