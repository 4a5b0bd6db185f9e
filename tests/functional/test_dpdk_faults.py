# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with DPDK's devices and their peers is counted and stays theirs: the daemon and its other interfaces
live, and the interface comes back."""
import pytest

from lib.net import wait_until
from lib.testpmd import Testpmd

MEMIF = "role={role},socket={socket},socket-abstract=no,rsize=10"


def still_forwards(sluice, network):
    """A pod that is made now is reached by another one."""
    a, b = (network.namespaces.get(name) or network.namespace(name) for name in ("pod-a", "pod-b"))
    sluice.cli(f"create pod a netns {a.path} address 10.1.0.1")
    sluice.cli(f"create pod b netns {b.path} address 10.1.0.2")
    a.ping("10.1.0.2", count=2)
    sluice.cli("delete pod a")
    sluice.cli("delete pod b")


def reason(sluice, word):
    """Packets dropped for reasons with this name."""
    return sum(row["packets"] for row in sluice.json("show errors") if word in row["reason"])


@pytest.mark.parametrize("command, said", [
    ("create interface dpdk x vdev net_nosuch0", "net_nosuch0"),
    ("create interface dpdk x vdev nonsense", "nonsense"),
    ("create interface dpdk x vdev net_tap0,iface=averyveryverylongname", "net_tap0"),
    ("create interface dpdk x vdev net_af_packet0,iface=no-such", "net_af_packet0"),
    ("create interface dpdk x vdev net_tap0,iface=lo", "has an interface lo already"),
    ("create interface dpdk x vdev net_ring0 mtu 20", "takes 68 to"),
    ("create interface dpdk x vdev net_tap0,iface=dt0 mtu 9000", "takes 68 to"),
    ("create interface dpdk x vdev net_tap0,iface=dt0 queues 60", "has 16 at most"),
    ("create interface dpdk x pci 0000:fe:1f.7", "0000:fe:1f.7"),
    ("create interface dpdk x pci 0000:fe:1f.7 bind", "no such card"),
])
def test_a_refusal_names_the_thing_and_leaves_nothing(daemon, command, said):
    sluice = daemon()
    answer = sluice.refusal(command)
    assert said in answer and "nothing changed" in answer
    assert sluice.json("show interface") == []
    sluice.cli("create interface dpdk x vdev net_null0")
    sluice.cli("delete interface x")


def test_the_same_command_again_changes_nothing_and_another_is_refused(daemon):
    sluice = daemon()
    sluice.cli("create interface dpdk x vdev net_null0")
    assert "unchanged" in sluice.cli("create interface dpdk x vdev net_null0")
    assert "mtu 1400 instead of 0" in sluice.refusal("create interface dpdk x vdev net_null0 mtu 1400")
    assert "another interface is of this device" in sluice.refusal("create interface dpdk y vdev net_null0")
    for _ in range(20):
        sluice.cli("delete interface x")
        wait_until(lambda: sluice.ctl(*"create interface dpdk x vdev net_null0".split()).returncode == 0, "the device again")
    sluice.cli("delete interface x")


def test_an_interface_whose_tap_is_deleted_goes_and_can_be_made_again(network, daemon):
    node = network.namespace("node")
    sluice = daemon(namespace=node)
    command = "create interface dpdk t0 vdev net_tap0,iface=dtap0"
    for _ in range(2):
        sluice.cli(command)
        sluice.cli("set interface state t0 up")
        node.ip("link delete dtap0")
        wait_until(lambda: sluice.json("show interface") == [], "the interface to go")
    still_forwards(sluice, network)


def test_an_interface_whose_kernels_side_is_deleted_goes(network, daemon):
    node, far = network.namespace("node"), network.namespace("far")
    network.veth(node, "up0", far, "eth0", offloads=False)
    sluice = daemon(namespace=node)
    sluice.cli("create interface dpdk u0 vdev net_af_packet0,iface=up0")
    sluice.cli("set interface state u0 up")
    node.ip("link delete up0")
    wait_until(lambda: sluice.json("show interface") == [], "the interface to go")
    still_forwards(sluice, network)


@pytest.mark.slow
def test_a_link_that_flaps_a_thousand_times(network, daemon):
    node, far = network.namespace("node"), network.namespace("far")
    network.veth(node, "up0", far, "eth0", offloads=False)
    far.address("eth0", "10.9.0.1/24")
    sluice = daemon(namespace=node)
    sluice.cli("create interface dpdk u0 vdev net_af_packet0,iface=up0")
    sluice.cli("set interface state u0 up")
    sluice.cli("set interface address u0 10.9.0.2/24")
    far.ping("10.9.0.2")
    sluice.cli("create packet-generator s out u0 rate 20000 stream ethernet src 02:00:00:00:00:01 "
               "dst 02:00:00:00:00:02 / ip4 src 10.0.0.1 dst 10.0.0.2 / udp dport 9")
    sluice.cli("packet-generator start s")
    far.run("sh", "-c", "for i in $(seq 1000); do ip link set eth0 down; ip link set eth0 up; done", timeout=120)
    sluice.cli("packet-generator stop s")
    sluice.cli("delete packet-generator s")
    wait_until(lambda: far.ping("10.9.0.2", count=1, check=False), "packets to pass again")
    far.ping("10.9.0.2")
    sluice.cli("delete interface u0")


@pytest.fixture
def memif(network, daemon, tmp_path):
    """A daemon with a memif, and what starts a testpmd that sends back what it gets."""
    peer = network.namespace("peer")
    sluice = daemon()
    socket = tmp_path / "m.sock"
    sluice.cli(f"create interface dpdk m0 vdev net_memif0,{MEMIF.format(role='server', socket=socket)}")
    sluice.cli("set interface state m0 up")
    sluice.cli("create packet-generator s out m0 rate 50000 stream ethernet src 02:00:00:00:00:01 "
               "dst 02:00:00:00:00:02 / ip4 src 10.0.0.1 dst 10.0.0.2 / udp dport 9")

    def start():
        return Testpmd(peer, [f"net_memif0,{MEMIF.format(role='client', socket=socket)}"], "--port-topology=loop")
    yield sluice, start
    sluice.ctl(*"packet-generator stop s".split())
    sluice.ctl(*"delete packet-generator s".split())
    sluice.ctl(*"delete interface m0".split())


def comes_back(sluice):
    """Waits for packets to come back by m0."""
    before = sluice.interface("m0")["rx_packets"]
    wait_until(lambda: sluice.interface("m0")["rx_packets"] > before + 1000, "packets to come back", seconds=20)


def test_a_peer_that_is_killed_mid_ring_and_started_again(memif, network):
    sluice, start = memif
    sluice.cli("packet-generator start s")
    for _ in range(3):
        peer = start()
        comes_back(sluice)
        peer.close()  # SIGKILL
        wait_until(lambda: sluice.interface("m0")["state"] == "no-carrier", "the peer's going to be seen")
    still_forwards(sluice, network)
    peer = start()
    comes_back(sluice)
    peer.close()


def test_a_consumer_that_is_stuck_costs_its_own_packets_only(memif, network):
    sluice, start = memif
    peer = start()
    sluice.cli("packet-generator start s")
    comes_back(sluice)
    used = sluice.buffers_used()
    peer.pause()
    before = reason(sluice, "tx-full")
    wait_until(lambda: reason(sluice, "tx-full") > before + 10000, "the ring to be full")
    assert sluice.buffers_used() < used + 2000, "what does not fit is not kept"
    still_forwards(sluice, network)
    peer.resume()
    comes_back(sluice)
    peer.close()


def test_a_second_daemon_on_the_same_device_is_refused_and_the_first_goes_on(network, daemon, tmp_path):
    node = network.namespace("node")
    first = daemon(namespace=node)
    second = daemon(namespace=node)
    first.cli("create interface dpdk t0 vdev net_tap0,iface=dtap0")
    assert "nothing changed" in second.refusal("create interface dpdk t0 vdev net_tap0,iface=dtap0")
    node.address("dtap0", "10.9.0.1/24")
    first.cli("set interface state t0 up")
    first.cli("set interface address t0 10.9.0.2/24")
    node.ping("10.9.0.2")
    memif = f"create interface dpdk m0 vdev net_memif0,{MEMIF.format(role='server', socket=tmp_path / 'm.sock')}"
    first.cli(memif)
    assert "Address already in use" in second.refusal(memif)
    second.cli("create interface dpdk n0 vdev net_null0")
    second.cli("delete interface n0")
    node.ping("10.9.0.2")
    first.cli("delete interface m0")
    first.cli("delete interface t0")
