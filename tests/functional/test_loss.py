# SPDX-License-Identifier: Apache-2.0
"""TCP between a pod and the outside where packets are lost on the wire: every byte arrives, by retransmission."""
import hashlib
import random
import socket
import struct
import threading

import pytest

from lib.net import lose

SIZE = 8 << 20
PERCENT = 3
TOTAL_RETRANSMISSIONS = 100  # offset of tcpi_total_retrans in struct tcp_info of linux/tcp.h


@pytest.fixture
def wire(network, daemon):
    """A pod and the outside, and between them a bridge that loses packets in both directions."""
    node, pod, outside = network.namespace("node"), network.namespace("pod"), network.namespace("outside")
    between = network.namespace("between")
    between.ip("link add name wire type bridge")
    between.ip("link set wire up")
    # A super-packet that is lost whole would make few losses.
    network.veth(node, "uplink", between, "left", offloads=False)
    network.veth(outside, "eth0", between, "right", offloads=False)
    for side in ("left", "right"):
        between.ip(f"link set {side} master wire")
    outside.address("eth0", "192.0.2.1/24", "2001:db8::1/64")
    outside.route("10.1.0.0/16", "192.0.2.2")
    outside.route("fd00:1::/32", "2001:db8::2")
    daemon(startup=["create interface af-packet uplink", "set interface state uplink up",
                    "set interface address uplink 192.0.2.2/24", "set interface address uplink 2001:db8::2/64",
                    f"create pod web netns {pod.path} address 10.1.0.2,fd00:1::2",
                    "add route 0.0.0.0/0 via 192.0.2.1", "add route ::/0 via 2001:db8::1"])
    for host, target in ((pod, "192.0.2.1"), (pod, "2001:db8::1")):
        host.ping(target, count=5, check=False)
        host.ping(target, count=1)
    for side in ("left", "right"):
        lose(between, side, PERCENT)
    return pod, outside


class Receiver(threading.Thread):
    """Takes one connection and answers with the digest of what came."""

    def __init__(self, namespace, address):
        super().__init__()
        with namespace.entered():
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self.listener = socket.create_server((address, 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        with self.listener:
            self.listener.settimeout(60)
            connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(60)
            digest = hashlib.sha256()
            while data := connection.recv(1 << 16):
                digest.update(data)
            connection.sendall(digest.hexdigest().encode())


def send(namespace, address, port, data):
    """(the digest that the receiver answers with, how many segments were sent again)"""
    with namespace.entered():
        connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    with connection:
        connection.settimeout(60)
        connection.connect((address, port))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(1024):
            answer += more
        information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return answer.decode(), struct.unpack_from("I", information, TOTAL_RETRANSMISSIONS)[0]


@pytest.mark.parametrize("outward", [True, False], ids=["from-the-pod", "to-the-pod"])
@pytest.mark.parametrize("pod_address, outside_address", [("10.1.0.2", "192.0.2.1"), ("fd00:1::2", "2001:db8::1")],
                         ids=["ip4", "ip6"])
def test_a_transfer_over_a_lossy_wire_is_whole(wire, pod_address, outside_address, outward):
    pod, outside = wire
    sender, receiver, address = (pod, outside, outside_address) if outward else (outside, pod, pod_address)
    data = random.Random(address).randbytes(SIZE)
    peer = Receiver(receiver, address)
    digest, again = send(sender, address, peer.port, data)
    peer.join(60)
    print(f"{SIZE} bytes, {again} segments sent again")
    assert digest == hashlib.sha256(data).hexdigest()
    assert again > 0
