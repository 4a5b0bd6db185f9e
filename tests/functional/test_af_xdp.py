# SPDX-License-Identifier: Apache-2.0
"""AF_XDP over veths between namespaces: in the driver (copy) and in the kernel's stack (generic), with one queue and four."""
import random

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from lib.net import Iperf, wait_until
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
