# SPDX-License-Identifier: Apache-2.0
"""The counters in shared memory, as sluice-counters reads them without asking the daemon."""
import re

from lib.daemon import program
from lib.net import run, wait_until
from test_pods import B4, two_pods

LINE = re.compile(r"(\w+)(?:\{(.*)\})? ([0-9.]+)")


def place(sluice):
    return sluice.folder / "run/counters"


def read(sluice, *words, check=True):
    return run(program("sluice-counters"), "--file", place(sluice), *words, check=check)


def counters(sluice):
    """{line without its value: value}."""
    found = {}
    for line in read(sluice).stdout.splitlines():
        name, labels, value = LINE.fullmatch(line).groups()
        found[f"{name}{{{labels or ''}}}"] = float(value)
    return found


def rx(sluice, pod):
    return counters(sluice).get(f'sluice_interface_rx_packets_total{{interface="pod/{pod}",driver="tun"}}')


def test_they_are_those_of_the_interfaces_and_nodes(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=[*startup, "add route 203.0.113.0/24 blackhole"])
    a.ping(B4, count=5)
    a.ping("203.0.113.1", count=2, check=False)
    wait_until(lambda: rx(sluice, "shop/a") == sluice.interface("pod/shop/a")["rx_packets"] > 5, "the counters to follow")
    drops = {(row["node"], row["reason"]): row["packets"] for row in sluice.json("show errors all")}
    found = counters(sluice)
    assert sum(drops.values()) >= 2
    for (node, reason), packets in drops.items():
        assert found[f'sluice_drops_total{{node="{node}",reason="{reason}"}}'] == packets
    only = read(sluice, "pod/shop/b").stdout.splitlines()
    assert only and all("pod/shop/b" in line for line in only)


def test_they_follow_interfaces_that_come_and_go(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup[:1])
    assert rx(sluice, "shop/a") is not None and rx(sluice, "shop/b") is None
    sluice.cli(startup[1])
    wait_until(lambda: rx(sluice, "shop/b") is not None, "the new pod")
    sluice.cli("delete pod shop/a")
    wait_until(lambda: rx(sluice, "shop/a") is None, "the pod to go")


def test_a_dead_daemons_counters_are_known_as_such(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup)
    sluice.kill()
    wait_until(lambda: read(sluice, check=False).returncode == 1, "the counters to be stale")
    assert "sluiced has died or is stuck" in read(sluice, check=False).stderr
    sluice.start()
    assert rx(sluice, "shop/a") is not None
    sluice.stop()
    assert not place(sluice).exists()
    assert "no such file" in read(sluice, check=False).stderr


def test_none_are_kept_when_told_so(daemon):
    sluice = daemon(configuration={"counters": "none"})
    assert not place(sluice).exists()


def test_wrong_words_are_refused():
    for words in (["--nothing"], ["a", "b"], ["--file"]):
        done = run(program("sluice-counters"), *words, check=False)
        assert done.returncode == 2 and "usage:" in done.stderr
    assert "usage:" in run(program("sluice-counters"), "--help").stdout
