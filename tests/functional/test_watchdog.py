# SPDX-License-Identifier: Apache-2.0
"""A worker or control thread that is stuck is seen, and what it served comes back; one under load is left alone."""
import contextlib
import os
import re
import signal
import socket
import time

import pytest

from lib.daemon import BUILD
from lib.net import Iperf, run, wait_until
from lib.unit import TEMPLATE, seconds, unit_settings
from test_pods import B4, two_pods

PLUGIN = BUILD / "tests/plugins/stuck.so"
UNIT = unit_settings(TEMPLATE.read_text())
STUCK_STATUS = 70
SOAK_SECONDS = int(os.environ.get("SLUICE_SOAK_SECONDS", 5))
BUSY_PROCESSES = 4


@pytest.fixture
def pods(network, daemon):
    """pods(node) starts a daemon with two pods and that node of the plugin on packets of the first; (daemon, a, b)."""

    def start(node, **options):
        a, b, startup = two_pods(network)
        sluice = daemon(startup=startup, arguments=["--plugin", PLUGIN], **options)
        sluice.cli(f"set interface feature pod/shop/a {node} on")
        a.ping(B4)
        return sluice, a, b

    return start


def send(namespace, text):
    with namespace.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), (B4, 9))


def restart(sluice):
    """As the unit says: after a failure, and RestartSec later."""
    assert UNIT["Restart"] == "on-failure" and sluice.process.returncode != 0
    run("sleep", seconds(UNIT["RestartSec"]))
    sluice.start()


@pytest.mark.parametrize("node, does", [("stuck-spin", "spins"), ("stuck-block", "blocks")])
def test_a_stuck_worker_is_seen_and_the_pods_come_back(pods, node, does):
    sluice, a, _ = pods(node)
    for round_number in range(1, 4):
        start = time.monotonic()
        send(a, node)
        wait_until(lambda: sluice.process.poll() is not None, "the watchdog to see the stuck worker", every=0.002)
        seen = time.monotonic() - start
        assert sluice.process.returncode == STUCK_STATUS
        said = re.findall(rf"a worker is stuck.* worker=0 node={node} it={does} silent-ms=(\d+)", sluice.output())
        assert len(said) == round_number
        restart(sluice)
        wait_until(lambda: a.ping(B4, count=1, extra=("-W", "0.05"), check=False), "the pods to come back", every=0)
        back = time.monotonic() - start
        print(f"{node}: ended after {seen * 1000:.0f} ms (silent for {said[-1]}), forwards after {back * 1000:.0f} ms")
    a.ping(B4)
    assert sluice.json("show features pod/shop/a"), "the journal brings the feature back, too"


@contextlib.contextmanager
def notify_socket(sluice):
    """What systemd hears of it from now on."""
    path = sluice.folder / "notify"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(path))
        yield heard


def test_a_stuck_control_thread_is_not_said_to_be_alive(pods):
    limit = 2.0
    sluice, a, _ = pods("stuck-control", environment={"WATCHDOG_USEC": str(int(limit * 1e6))})
    with notify_socket(sluice) as heard:
        heard.settimeout(limit)
        assert [heard.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        send(a, "stuck-control")
        with pytest.raises(TimeoutError):
            for _ in range(20):
                heard.recv(100)
    a.ping(B4)  # the workers forward all the while
    sluice.signal(signal.SIGABRT)
    assert sluice.process.wait(10) == -signal.SIGABRT
    restart(sluice)
    a.ping(B4)


def test_workers_under_load_are_left_alone(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup, configuration={"workers": {"count": 2}})
    busy = [b.popen("sh", "-c", "while :; do :; done") for _ in range(BUSY_PROCESSES)]
    iperf = Iperf(b, B4)
    rate = iperf.mbit(a, seconds=SOAK_SECONDS)
    for process in busy:
        process.kill()
    starved = sum(int(row["starved"]) for row in sluice.json("show threads"))
    print(f"{SOAK_SECONDS} s, {rate:.0f} Mbit/s beside {BUSY_PROCESSES} busy processes: starved {starved} times")
    assert sluice.process.poll() is None and "a worker is stuck" not in sluice.output()
    a.ping(B4)
