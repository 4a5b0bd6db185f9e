# SPDX-License-Identifier: Apache-2.0
"""Super-packets: merged for pods that take them, whole across the node, never changed. The oracle is the pods' kernel:
its sockets, and its counters of bad checksums."""
import hashlib
import random
import re
import select
import socket
import struct

import pytest

from lib.net import wait_until

A4, B4, A6, B6 = "10.1.0.2", "10.1.0.3", "fd00:1::2", "fd00:1::3"
UDP_SEGMENT = 103
SIZE = 8 << 20


@pytest.fixture
def pods(network, daemon):
    """A daemon with two pods, and their namespaces."""
    network.namespace("node")
    a, b = network.namespace("a"), network.namespace("b")
    sluice = daemon(startup=[f"create pod a netns {a.path} address {A4},{A6}",
                             f"create pod b netns {b.path} address {B4},{B6}"])
    return sluice, a, b


def bound(namespace, address, kind):
    with namespace.entered():
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.settimeout(10)
    made.bind((address, 0))
    return made


def transfer(sender, receiver, source, destination):
    """Sends SIZE bytes over TCP; they must arrive as they are."""
    content = random.Random(5).randbytes(SIZE)
    with bound(receiver, destination, socket.SOCK_STREAM) as listener, \
         bound(sender, source, socket.SOCK_STREAM) as client:
        listener.listen()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            arrived, sent, seen = hashlib.sha256(), 0, 0
            client.setblocking(False)
            while seen < SIZE:
                readable, writable, _ = select.select([server], [client] if sent < SIZE else [], [], 10)
                assert readable or writable, f"nothing moves after {seen} bytes"
                if writable:
                    sent += client.send(content[sent:sent + (1 << 18)])
                if not readable:
                    continue
                part = server.recv(1 << 20)
                assert part, "the connection ended early"
                arrived.update(part)
                seen += len(part)
    assert arrived.digest() == hashlib.sha256(content).digest()


def bad_checksums(namespace):
    """What the namespace's kernel has counted, by name."""
    said = namespace.run("nstat", "-asz").stdout
    return {name: int(value) for name, value in re.findall(r"^(\w*(?:InCsumErrors|InErrs|InErrors))\s+(\d+)", said, re.M)}


def packets(sluice):
    """Packets from pod a, and to pod b."""
    return sluice.interface("pod/a")["rx_packets"], sluice.interface("pod/b")["tx_packets"]


def since(before, sluice):
    """What packets() has grown by."""
    return (now - then for now, then in zip(packets(sluice), before))


@pytest.mark.parametrize("source, destination", [(A4, B4), (A6, B6)])
def test_tcp_without_tso_is_merged_and_arrives_as_it_was_sent(pods, source, destination):
    sluice, a, b = pods
    for pod in (a, b):
        pod.run("ethtool", "-K", "eth0", "tso", "off")
    before = packets(sluice)
    transfer(a, b, source, destination)
    read, written = since(before, sluice)
    assert read > SIZE / 1500, "the pod sent packets of its MTU"
    assert written < read, f"{read} packets came, {written} left: none was merged"
    assert not any(bad_checksums(b).values()), bad_checksums(b)


def test_gro_is_shown_and_switched_off_for_an_interface(pods):
    sluice, a, b = pods
    assert sluice.interface("pod/b")["gro"] == "on"
    sluice.cli("set interface feature pod/b gro off")
    assert sluice.interface("pod/b")["gro"] == "off"
    assert sluice.interface("pod/a")["gro"] == "on"
    a.run("ethtool", "-K", "eth0", "tso", "off")
    before = packets(sluice)
    transfer(a, b, A4, B4)
    read, written = since(before, sluice)
    assert read == written


def receive_all(receiver, count):
    """The datagrams that came, in their order."""
    return [receiver.recv(65535) for _ in range(count)]


@pytest.mark.parametrize("source, destination", [(A4, B4), (A6, B6)])
def test_bursts_of_datagrams_keep_their_borders_and_their_order(pods, source, destination):
    sluice, a, b = pods
    with bound(a, source, socket.SOCK_DGRAM) as sender, bound(b, destination, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sender.connect(receiver.getsockname())
        chance, number = random.Random(9), 0

        def merged():
            nonlocal number
            before = packets(sluice)
            sent = []
            for _ in range(60):
                number += 1
                sent.append(struct.pack("!I", number) + chance.randbytes(chance.choice((100, 100, 100, 100, 40, 300))))
                sender.send(sent[-1])
            assert receive_all(receiver, len(sent)) == sent
            read, written = since(before, sluice)
            return written < read

        # Whether several are in one vector is a matter of scheduling.
        wait_until(merged, "datagrams to be merged", seconds=20)
    assert not any(bad_checksums(b).values()), bad_checksums(b)


@pytest.mark.parametrize("source, destination", [(A4, B4), (A6, B6)])
def test_a_datagram_super_packet_crosses_the_node_whole(pods, source, destination):
    sluice, a, b = pods
    content = random.Random(3).randbytes(40 * 1200 + 77)
    with bound(a, source, socket.SOCK_DGRAM) as sender, bound(b, destination, socket.SOCK_DGRAM) as receiver:
        try:
            sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1200)
        except OSError:
            pytest.skip("this kernel has no segmentation of UDP")
        if "tx-udp-segmentation: on" not in a.run("ethtool", "-k", "eth0").stdout:
            pytest.skip("this kernel's TUN takes no UDP super-packets (it is older than 6.2)")
        before = packets(sluice)
        sender.sendto(content, receiver.getsockname())
        arrived = receive_all(receiver, 41)
        read, written = since(before, sluice)
    assert b"".join(arrived) == content
    assert [len(part) for part in arrived] == [1200] * 40 + [77]
    assert read < 10 and written < 10, f"{read} packets came and {written} left, where one would do"


def test_datagrams_are_cut_for_a_pod_whose_tun_takes_none(pods):
    """The pod's own ethtool cannot switch off what it receives; an output without the offload is a pcap file."""
    sluice, a, _ = pods
    path = sluice.folder / "run/out.pcap"
    for command in (f"create interface pcap file0 send {path}", "set interface state file0 up",
                    "set interface address file0 192.0.2.1/24",
                    "add neighbor 192.0.2.9 mac 02:00:00:00:00:09 interface file0"):
        sluice.cli(command)
    content = random.Random(4).randbytes(20 * 1000 + 5)
    with bound(a, A4, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
        sender.sendto(content, ("192.0.2.9", 4000))
        wait_until(lambda: sluice.interface("file0")["tx_packets"] >= 21, "the segments")
    sluice.cli("delete interface file0")
    from scapy.layers.inet import UDP
    from scapy.utils import rdpcap
    cut = [packet for packet in rdpcap(str(path)) if UDP in packet]
    assert b"".join(bytes(packet[UDP].payload) for packet in cut) == content
    for packet in cut:
        said = packet[UDP].chksum
        del packet[UDP].chksum
        assert type(packet)(bytes(packet))[UDP].chksum == said


def test_a_restart_keeps_gro_off(pods):
    sluice, _, _ = pods
    sluice.cli("set interface feature pod/b gro off")
    assert "set interface feature pod/b gro off" in sluice.cli("show configuration")
    sluice.kill()
    sluice.start()
    assert sluice.interface("pod/b")["gro"] == "off"
    assert sluice.interface("pod/a")["gro"] == "on"
