# SPDX-License-Identifier: Apache-2.0
"""Interfaces of DPDK's virtual devices: what passes through them, and what their peers and faults do to the node."""
import pytest

from lib.net import wait_until


def librte(sluice):
    """DPDK's libraries in the daemon."""
    with open(f"/proc/{sluice.process.pid}/maps", encoding="ascii") as maps:
        return sorted({line.split("/")[-1].strip() for line in maps if "librte_" in line})


@pytest.fixture
def tap(network, daemon):
    """A daemon with a net_tap device, whose kernel's side is in another namespace."""
    node, far = network.namespace("node"), network.namespace("far")
    sluice = daemon(namespace=node)
    sluice.cli("create interface dpdk t0 vdev net_tap0,iface=dtap0 queues 1")
    node.ip(f"link set dtap0 netns {far.name}")
    far.address("dtap0", "10.9.0.1/24", "fd00:9::1/64")
    sluice.cli("set interface state t0 up")
    sluice.cli("set interface address t0 10.9.0.2/24")
    sluice.cli("set interface address t0 fd00:9::2/64")
    yield sluice, far
    sluice.ctl("delete interface t0")


def test_a_daemon_without_dpdk_interfaces_has_not_loaded_dpdk(daemon):
    sluice = daemon(startup=["create interface null null0"])
    assert librte(sluice) == []
    sluice.cli("create interface dpdk n0 vdev net_null0")
    assert "librte_ethdev.so.23.0" in librte(sluice)
    sluice.cli("delete interface n0")


def test_pings_pass_net_tap(tap):
    _, far = tap
    far.ping("10.9.0.2")
    wait_until(lambda: far.ping("fd00:9::2", count=1, check=False), "IPv6 to pass duplicate address detection")
