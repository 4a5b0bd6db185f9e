# SPDX-License-Identifier: Apache-2.0
"""Routes by the file: fifty thousand in one command while packets are forwarded, wrong lines by number, and a restart."""
import re
import subprocess

from lib.daemon import program
from test_pods import B4, two_pods

ROUTES = 50_000
HOPS = ("192.0.2.2", "192.0.2.3 weight 2 via 192.0.2.4")
UPLINK = ["create interface null up0", "set interface state up0 up", "set interface address up0 192.0.2.1/24"]


def prefix(i):
    return f"{20 + (i >> 16)}.{i >> 8 & 255}.{i & 255}.0/24"


def write(sluice, lines, name="some.routes"):
    path = sluice.folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def static_routes(sluice):
    return sum(row["source"] == "static" for row in sluice.json("show ip fib"))


def check(sluice):
    """Some of them, spread over the file."""
    for i in range(0, ROUTES, 4999):
        row, = sluice.json(f"show ip fib {prefix(i)}")
        wanted = "via 192.0.2.2 up0" if i % 2 == 0 else "via 192.0.2.4 up0"
        assert row["source"] == "static" and wanted in row["forwarding"], row


def test_fifty_thousand_routes_come_in_under_traffic_and_come_back_after_a_kill(network, daemon):
    a, _, startup = two_pods(network)
    sluice = daemon([*startup, *UPLINK])
    # In an order that is none, with what counts for nothing in between.
    order = [(i * 7919) % ROUTES for i in range(ROUTES)]
    lines = ["# a table", "", *(f"{prefix(i)} via {HOPS[i % 2]}" for i in order), "  # its end"]
    path = write(sluice, lines)
    ping = a.popen("ping", "-n", "-i", "0.002", "-q", B4)
    assert sluice.cli(f"add routes file {path}", timeout=120).strip() == f"{ROUTES} routes added, 0 were there"
    ping.send_signal(2)
    said = ping.communicate(timeout=20)[0]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", said).groups())
    assert sent == received > 10, said
    check(sluice)
    assert sluice.cli(f"add routes file {path}", timeout=120).strip() == f"unchanged: 0 routes added, {ROUTES} were there"
    sluice.cli(f"delete route {prefix(3)}")
    sluice.kill()
    sluice.start()
    check(sluice)
    assert static_routes(sluice) == ROUTES - 1
    assert sluice.json(f"show ip fib {prefix(3)}") == []
    assert f"add route {prefix(7)} via 192.0.2.3 weight 2 via 192.0.2.4" in sluice.cli("show configuration", timeout=60)


def test_wrong_lines_are_named_and_their_batches_left_out(network, daemon):
    sluice = daemon(UPLINK)
    lines = [f"{prefix(i)} via 192.0.2.2" for i in range(600)]
    syntax = write(sluice, [*lines, "20.0.0.1/24 via 192.0.2.2", "  1.2.3.0/24 over there"])
    done = sluice.ctl("add", "routes", "file", syntax)
    assert done.returncode == 1
    assert f"2 of 602 routes are wrong:\n{syntax}:601:1: " in done.stderr and f"{syntax}:602:14: " in done.stderr, done.stderr
    assert done.stderr.endswith("nothing has been sent\n") and static_routes(sluice) == 0
    # Behind the first batch of 256, in the order of prefixes, there is one of the other family, and one that is there
    # already in another way.
    sluice.cli(f"add route {prefix(301)} blackhole")
    path = write(sluice, ["2001:db8:5::/48 via 192.0.2.2", *lines])
    done = sluice.ctl("add", "routes", "file", path)
    assert done.returncode == 1
    assert f"2 of 601 routes are refused:\n{path}:303: route {prefix(301)} exists as blackhole, not as via 192.0.2.2; " \
        f"delete it first\n{path}:1: route 2001:db8:5::/48: next hop 192.0.2.2 is of the other family\n" in done.stderr
    assert "256 routes added, 0 were there; 343 that came in a batch with a refused one are not" in done.stderr
    assert static_routes(sluice) == 257
    sluice.cli(f"delete route {prefix(301)}")
    mended = write(sluice, lines)
    dry = sluice.ctl("--dry-run", "add", "routes", "file", mended)
    assert dry.stdout.strip() == "344 routes would be added, 256 were there" and static_routes(sluice) == 256
    with mended.open() as lines_of_it:
        done = subprocess.run([program("sluicectl"), "--socket", sluice.socket, "add", "routes", "file", "-"], text=True,
                              stdin=lines_of_it, capture_output=True, check=False, timeout=60)
    assert done.stdout.strip() == "344 routes added, 256 were there", done.stderr
    assert static_routes(sluice) == 600
    missing = sluice.ctl("add", "routes", "file", sluice.folder / "none")
    assert missing.returncode == 1 and "cannot be read: No such file" in missing.stderr
