# SPDX-License-Identifier: Apache-2.0
"""What is made at run time survives the daemon, and can be read back as commands."""
import re

import pytest

from lib.net import run, wait_until
from test_pods import B4, Chat, two_pods

PODS = 50


def commands(sluice):
    return [row["command"] for row in sluice.json("show configuration")]


def script(sluice, lines):
    path = sluice.folder / "some.cmds"
    path.write_text("\n".join(lines) + "\n")
    done = sluice.ctl("-f", path, timeout=120)
    assert done.returncode == 0, done.stderr
    return path


def many(network):
    """Commands for pods, an uplink, routes and neighbours; and the pods' namespace."""
    other = network.namespace("many")
    lines = ["create interface null up0", "set interface state up0 up", "set interface mtu up0 1400",
             "set interface address up0 192.0.2.1/24", "set interface address up0 2001:db8::1/64"]
    for i in range(1, PODS + 1):
        lines.append(f"create pod many/p{i} netns {other.path} address 10.6.0.{i},fd06::{i:x} interface p{i}")
        lines.append(f"add route 198.51.{i}.0/24 via 192.0.2.{i + 1}")
        lines.append(f"add neighbor 192.0.2.{i + 1} mac 02:00:00:00:00:{i:02x} interface up0")
    lines += ["add route 2001:db8:1::/48 via 2001:db8::2 interface up0 weight 3 via 2001:db8::3 interface up0",
              "add route 203.0.113.0/24 blackhole table 10"]
    return lines, other


def facts(sluice):
    """What the node does, without what counts or ages."""
    fib = [(row["prefix"], row["source"], row["forwarding"]) for family in ("ip", "ip6") for table in ("0", "10")
           for row in sluice.json(f"show {family} fib table {table}") if row["source"] != "neighbor"]
    interfaces = [(row["name"], row["state"], row["mtu"], row["rx_mode"], row["addresses"])
                  for row in sluice.json("show interface")]
    neighbors = [(row["address"], row["mac"]) for row in sluice.json("show neighbor") if row["state"] == "permanent"]
    return fib, interfaces, neighbors


def test_what_was_made_at_run_time_survives_a_kill_under_traffic(network, daemon):
    a, b, startup = two_pods(network)
    lines, _ = many(network)
    sluice = daemon()
    script(sluice, [*startup, *lines])
    chat = Chat(b, a, B4)
    chat.say(b"before")
    before, known = commands(sluice), facts(sluice)
    assert len(before) == len(startup) + len(lines)
    flood = a.popen("ping", "-i", "0.002", "-q", B4)
    sluice.kill()
    sluice.start()
    assert commands(sluice) == before
    assert facts(sluice) == known
    chat.say(b"after")
    chat.close()
    flood.kill()
    flood.wait()
    a.ping(B4)
    assert re.search(rf"restored from the journal.*changes={len(before)}.*refused=0", sluice.output())


def test_a_subinterface_keeps_what_only_its_parents_setting_allows(network, daemon):
    lines = ["create interface tap t0", "create interface vlan t0 100", "set interface mtu t0 9000",
             "set interface mtu t0.100 8000", "set interface mtu t0 8500"]
    def mtus(sluice):
        return {row["name"]: row["mtu"] for row in sluice.json("show interface")}

    sluice = daemon()
    script(sluice, lines)
    saved, known = commands(sluice), mtus(sluice)
    assert known == {"t0": 8500, "t0.100": 8000}
    sluice.kill()
    sluice.start()
    assert mtus(sluice) == known
    assert commands(sluice) == saved
    sluice.stop()
    fresh = daemon()
    script(fresh, saved)
    assert mtus(fresh) == known


def test_a_saved_configuration_makes_the_same_on_a_fresh_daemon(network, daemon):
    lines, _ = many(network)
    first = daemon()
    script(first, lines)
    saved, known = commands(first), facts(first)
    first.stop()
    second = daemon()
    script(second, saved)
    assert commands(second) == saved
    assert facts(second) == known


def test_a_clean_stop_brings_everything_back_too(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon()
    script(sluice, startup)
    before = commands(sluice)
    sluice.stop()
    sluice.start()
    assert commands(sluice) == before
    a.ping(B4)


def test_what_was_deleted_or_taken_from_startup_stays_away(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=[*startup, "create interface null n0", "set interface mtu n0 1400"])
    script(sluice, ["create interface null n1", "add route 10.9.0.0/16 interface n1",
                    "add route 10.8.0.0/16 via 192.0.2.2 interface n0 via 192.0.2.3 interface n1",
                    "set interface mtu n0 1300", "delete interface n1", "delete pod shop/a"])
    left = commands(sluice)
    assert left == [startup[1], "create interface null n0", "set interface mtu n0 1300",
                    "add route 10.8.0.0/16 via 192.0.2.2 interface n0"]
    for _ in range(2):
        sluice.kill()
        sluice.start()
        assert sorted(commands(sluice)) == sorted(left)
        assert sluice.interface("n0")["mtu"] == 1300
        assert not [row for row in sluice.json("show interface") if row["name"] in ("pod/shop/a", "n1")]
        assert "10.9.0.0/16" not in sluice.cli("show ip fib")


def test_half_of_a_route_deleted_is_the_route_that_is_left(network, daemon):
    sluice = daemon()
    script(sluice, ["create interface null n0", "set interface state n0 up", "set interface address n0 192.0.2.1/24",
                    "add route 10.8.0.0/16 via 192.0.2.2 weight 2 via 192.0.2.3",
                    "delete route 10.8.0.0/16 via 192.0.2.3"])
    left = ["add route 10.8.0.0/16 via 192.0.2.2 weight 2"]
    assert commands(sluice)[3:] == left
    sluice.kill()
    sluice.start()
    assert commands(sluice)[3:] == left
    sluice.cli("delete route 10.8.0.0/16")
    assert not commands(sluice)[3:]


def test_a_torn_record_and_a_damaged_one_cost_only_themselves(network, daemon):
    sluice = daemon()
    script(sluice, [f"create interface null n{i}" for i in range(5)])
    journal = sluice.socket.parent / "running"
    assert journal.stat().st_mode & 0o777 == 0o600
    sluice.kill()
    content = bytearray(journal.read_bytes())
    content[content.index(b"interface/n2")] ^= 0x40
    journal.write_bytes(content[:-3])
    sluice.start()
    assert commands(sluice) == [f"create interface null n{i}" for i in (0, 1, 3)]
    assert "the journal's last record was torn and is dropped" in sluice.output()
    assert "the journal is damaged; what is whole is restored" in sluice.output()


def test_what_cannot_be_made_again_is_said_and_forgotten(network, daemon):
    a, b, startup = two_pods(network)
    gone = network.namespace("gone")
    sluice = daemon()
    script(sluice, [*startup, f"create pod gone netns {gone.path} address 10.5.0.9"])
    sluice.kill()
    gone.delete()
    sluice.start()
    assert commands(sluice) == startup
    assert re.search(r'not restored.*create pod gone.*no such|not restored.*create pod gone', sluice.output())
    a.ping(B4)


def test_a_pod_whose_namespace_vanishes_leaves_the_configuration(network, daemon):
    c = network.namespace("c")
    sluice = daemon()
    sluice.cli(f"create pod c netns {c.path} address 10.5.0.3")
    c.delete()
    wait_until(lambda: not commands(sluice), "the pod to leave the configuration")
    sluice.kill()
    sluice.start()
    assert not commands(sluice)


def test_a_journal_that_cannot_be_written_is_said_to_the_client_and_mended(network, daemon, tmp_path):
    run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path)
    try:
        sluice = daemon(configuration={"journal": str(tmp_path / "running")})
        filler = tmp_path / "filler"
        with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        said = ""
        for i in range(100):  # until what the file's last page still takes is used up
            done = sluice.ctl(*f"create interface null n{i}".split())
            if done.returncode:
                said = done.stderr
                break
        assert "a restart would not bring it back" in said and "No space left" in said
        made = commands(sluice)
        filler.unlink()
        wait_until(lambda: "the journal is whole again" in sluice.output(), "the journal to be written")
        sluice.kill()
        sluice.start()
        assert commands(sluice) == made
        sluice.stop()
    finally:
        run("umount", "-l", tmp_path)


def test_a_file_is_saved_and_compared(network, daemon, tmp_path):
    sluice = daemon()
    path = tmp_path / "node.cmds"
    script(sluice, ["create interface null n0", "set interface mtu n0 1400"])
    assert sluice.cli(f"save configuration {path}") == f"2 commands written to {path}\n"
    assert path.read_text().splitlines()[1:] == commands(sluice)
    assert sluice.cli(f"show configuration diff {path}") == "no differences\n"
    sluice.cli("set interface mtu n0 1300")
    sluice.cli("create interface null n1")
    assert sluice.cli(f"show configuration diff {path}").splitlines() == [
        "- set interface mtu n0 1400", "+ set interface mtu n0 1300", "+ create interface null n1"]
    path.write_text("create  interface null n0\nmake tea\n")
    assert f"{path}:2:1" in sluice.refusal(f"show configuration diff {path}")
    assert "cannot be read" in sluice.refusal(f"show configuration diff {tmp_path}/missing")
    assert "cannot be written" in sluice.refusal(f"save configuration {tmp_path}/missing/file")
