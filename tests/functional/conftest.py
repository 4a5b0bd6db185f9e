# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the functional tests.

    def test_pods_reach_each_other(network, daemon):
        a, b = network.namespace("a"), network.namespace("b")
        sluice = daemon(startup=[f"create pod a netns {a.path} address 10.1.0.1", …])
        a.ping("10.1.0.2")
        assert sluice.interface("pod/a")["rx_packets"] >= 3

When the test ends, every daemon that it started is checked for leaked buffers and stopped. It must end with status 0,
without a sanitizer's or assertion's output, and with no buffer in use and no interface left in any namespace; then
namespaces and folders go. A daemon that the test stops itself is checked by its own log: it says what it leaked.
"""
import os
import signal

import pytest

from lib.daemon import Daemon
from lib.net import Network
from lib.refusal import has_all, state
from lib.router import Router
from lib.tunnels import Solo

# Started in the background, the shell has us ignore interrupts, and what we start would as well.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    missing = None
    if os.geteuid() != 0:
        missing = "needs root to make network namespaces"
    elif not os.path.exists("/dev/net/tun"):
        missing = "needs /dev/net/tun"
    if missing:
        for item in items:
            if "network" in item.fixturenames or "daemon" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture
def network():
    made = Network()
    yield made
    made.close()


@pytest.fixture
def daemon(network):
    """daemon(startup=[commands], configuration={…}, namespace=…) starts a sluiced, by default in a namespace "node".

    A test that ends the daemon itself calls its stop() or kill().
    """
    running = []

    def start(startup=(), configuration=None, namespace=None, **options):
        namespace = namespace or network.namespaces.get("node") or network.namespace("node")
        made = Daemon(namespace, startup, configuration, **options)
        made.buffers_before = made.buffers_used()
        running.append(made)
        return made

    yield start
    errors = []
    for made in running:
        try:
            if made.process.poll() is None:
                made.check_leaks(made.buffers_before)
                made.stop()
            made.check_log()
        except AssertionError as error:
            errors.append(str(error))
        finally:
            made.kill()
            made.print_log()
            made.remove()
    if all(made.process.returncode == 0 for made in running):  # killed ones leave what a new one would use again
        for namespace in filter(lambda each: os.path.exists(each.path), network.namespaces.values()):
            left = [link["ifname"] for link in namespace.ip_json("link show type tun") if link]
            if left:
                errors.append(f"left in namespace {namespace.name}: {left}")
    assert not errors, "\n".join(errors)


@pytest.fixture
def router(network, daemon):
    """router(right_mtu=…, startup=[…]) puts a daemon between two hosts: see lib/router.py."""
    made = []

    def start(**options):
        made.append(Router(network, daemon, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def refused(network):
    """refused(sluice, command, words…): the command is refused with these words and changes nothing."""

    def check(sluice, command, *words):
        before = state(sluice, network.namespaces.values())
        has_all(sluice.refusal(command), "nothing changed", *words)
        assert state(sluice, network.namespaces.values()) == before

    return check


@pytest.fixture
def solo(network, daemon):
    made = []

    def start(commands, **options):
        made.append(Solo(network, daemon, commands, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()
