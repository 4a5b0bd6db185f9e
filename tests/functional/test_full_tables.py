# SPDX-License-Identifier: Apache-2.0
"""Every bounded table, filled: what is refused then, what goes on, and that there is room again afterwards."""
import pytest

from lib.daemon import Refused
from lib.net import wait_until
from lib.refusal import has_all

A4, B4 = "10.5.0.1", "10.5.0.2"


def fill(sluice, lines):
    script = sluice.folder / "fill.cmds"
    script.write_text("\n".join(lines) + "\n")
    sluice.script(script, timeout=100)


def test_a_full_interface_table_refuses_and_all_else_goes_on(network, daemon, refused):
    a, b = network.namespace("a"), network.namespace("b")
    sluice = daemon(startup=[f"create pod a netns {a.path} address {A4}", "create interface tap t0",
                             "set interface state t0 up", "set interface address t0 10.8.0.1/24"])
    fill(sluice, [f"create interface vlan t0 {tag}" for tag in range(1, 4095)])
    for command in (f"create pod b netns {b.path} address {B4}", f"create interface tun t1 netns {b.path}",
                    "create interface null null0"):
        refused(sluice, command, "the interface table is full", "4096 interfaces", "delete one first")
    a.ping("10.8.0.1")
    sluice.cli("delete interface t0.9")
    sluice.cli(f"create pod b netns {b.path} address {B4}")
    a.ping(B4)


def test_a_full_neighbour_table_refuses_and_learns_again_when_there_is_room(daemon, refused):
    sluice = daemon(startup=["create interface null null0", "set interface address null0 10.0.0.1/16"])
    fill(sluice, [f"add neighbor 10.0.{n >> 8}.{n & 255} mac 02:00:00:00:00:01 interface null0" for n in range(2, 2 + 8192)])
    refused(sluice, "add neighbor 10.0.99.1 mac 02:00:00:00:00:01 interface null0", "neighbor 10.0.99.1", "8192 entries", "delete one first")
    sluice.cli("delete neighbor 10.0.0.2 interface null0")
    sluice.cli("add neighbor 10.0.99.1 mac 02:00:00:00:00:01 interface null0")


def test_the_most_route_tables_and_one_that_takes_the_place_of_another(daemon, refused):
    sluice = daemon(startup=["create interface null null0"])
    fill(sluice, [f"add route 10.0.0.0/8 blackhole table {table}" for table in range(1, 1024)])
    for command in ("add route 10.0.0.0/8 blackhole table 1024", "set interface table null0 1024"):
        refused(sluice, command, "table 1024", "1024 tables", "delete the routes of one that no interface is in")
    sluice.cli("delete route 10.0.0.0/8 table 5")
    wait_until(lambda: sluice.ctl("add route 10.0.0.0/8 blackhole table 1024").returncode == 0, "table 5 to give its place")
    assert [row["table"] for row in sluice.json("show ip table")] == [*range(5), *range(6, 1025)]


def test_too_many_traces_are_refused(daemon, refused):
    sluice = daemon(startup=["create interface null null0"])
    for _ in range(8):
        sluice.cli("trace add null-input 5")
    has_all(sluice.refusal("trace add null-input 5"), "8 traces", "clear trace")
    sluice.cli("clear trace")
    sluice.cli("trace add null-input 5")


def test_a_daemon_without_open_files_left_refuses_and_still_answers(network, daemon, refused):
    a, other = network.namespace("a"), network.namespace("other")
    sluice = daemon(startup=[f"create pod a netns {a.path} address {A4}"], wrapper=["prlimit", "--nofile=128"])
    made = 1
    with pytest.raises(Refused):
        while made < 128:
            sluice.cli(f"create pod p{made} netns {other.path} address 10.5.1.{made} interface p{made}")
            made += 1
    refused(sluice, f"create pod b netns {other.path} address {B4}", "interface eth0", "128 open files", "LimitNOFILE")
    a.ping(f"10.5.1.{made - 1}")
    sluice.cli("delete pod p1")
    sluice.cli(f"create pod b netns {other.path} address {B4}")
    a.ping(B4)
