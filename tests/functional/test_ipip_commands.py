# SPDX-License-Identifier: Apache-2.0
"""IPIP tunnels as an operator has them: commands, many remotes, the underlay's changes, tunnels in tunnels."""
from lib.net import wait_until
from lib.packets import checksums_are_right
from lib.tunnels import (ONE4, RIGHT4, TWO4, at_far, back, from_far, from_left, in_ip, inner, ipip, outer_at_far, through)
from scapy.layers.inet import IP
from scapy.packet import Raw


def test_commands_that_make_no_sense_are_refused(solo, refused):
    world = solo(ipip(ONE4, TWO4))
    create = "create interface ipip ipip1 local"
    for command, words in (
            (f"{create} 192.0.2.1 remote 192.0.2.2", ["tunnel ipip0 has these addresses"]),
            (f"{create} 192.0.2.1 remote 2001:db8::1", ["one family"]),
            (f"{create} 192.0.2.1 remote 192.0.2.1", ["two ends"]),
            (f"{create} 192.0.2.1 remote 224.0.0.1", ["224.0.0.1", "not an address"]),
            (f"{create} 127.0.0.1 remote 192.0.2.9", ["127.0.0.1"]),
            (f"{create} 192.0.2.1 remote 192.0.2.9 ttl 0", ["ttl '0'", "1 to 255"]),
            (f"{create} 192.0.2.1 remote 192.0.2.9 dscp 64", ["dscp '64'", "0 to 63"]),
            (f"{create} 192.0.2.1 remote 192.0.2.9 df maybe", ["df 'maybe'", "inherit, set or clear"]),
            ("create interface ipip ipip0 local 192.0.2.1 remote 192.0.2.9", ["remote 192.0.2.9 instead of 192.0.2.2"]),
            ("add ipip remote 192.0.2.9 interface ipip0", ["leads to 192.0.2.2 alone"]),
            ("add ipip remote 192.0.2.9 interface u0", ["no IPIP tunnel"]),
            ("delete ipip remote 192.0.2.2 interface ipip0", ["delete the interface"])):
        refused(world.sluice, command, *words)
    assert world.sluice.cli("create interface ipip ipip0 local 192.0.2.1 remote 192.0.2.2").startswith("unchanged")


def test_a_tunnel_goes_with_its_interface_and_comes_back(solo):
    world = solo(ipip(ONE4, TWO4) + through(["10.2.0.0/24"]))
    world.sluice.cli("delete interface ipip0")
    assert world.sluice.json("show ipip tunnel") == []
    from_far(world, in_ip(4, back(4)))
    world.at_left.expect_none(lambda f: Raw in f and f[Raw].load == b"back", seconds=0.3)
    for command in ipip(ONE4, TWO4) + through(["10.2.0.0/24"]):
        world.sluice.cli(command)
    from_left(world, inner(4))
    assert outer_at_far(world, 4).dst == TWO4


def test_tunnels_come_back_with_a_new_daemon(solo):
    world = solo(ipip(ONE4, TWO4))
    for command in ("create interface ipip ipip1 local 2001:db8:99::1 ttl inherit dscp 7 df clear",
                    "add ipip remote 2001:db8:99::2 interface ipip1 next-hop 10.9.0.1", "set interface state ipip1 up",
                    "add route 10.2.0.0/24 via 10.9.0.1 interface ipip1"):
        world.sluice.cli(command)
    before = world.sluice.json("show ipip tunnel")
    same = ("name", "state", "local", "remote", "mtu", "next_hop", "ttl", "dscp", "df")
    world.sluice.kill()
    world.sluice.start()
    assert [[row[key] for key in same] for row in world.sluice.json("show ipip tunnel")] == [[row[key] for key in same] for row in before]


def test_one_interface_leads_to_many_remotes_and_the_next_hop_chooses(solo):
    world = solo(["create interface ipip ipip0 local 192.0.2.1", "set interface state ipip0 up",
                  "add ipip remote 192.0.2.2 interface ipip0", "add ipip remote 192.0.2.3 interface ipip0 next-hop 10.9.0.3,fd00:9::3",
                  "add neighbor 192.0.2.3 mac 02:00:00:00:00:03 interface u0",
                  "add route 10.2.0.0/24 via 192.0.2.2 interface ipip0", "add route 10.3.0.0/24 via 10.9.0.3 interface ipip0",
                  "add route 2001:db8:3::/64 via fd00:9::3 interface ipip0", "add route 10.4.0.0/24 via 192.0.2.4 interface ipip0"])
    for packet, remote in ((inner(4), TWO4), (inner(4, to="10.3.0.1"), "192.0.2.3"), (inner(6, to="2001:db8:3::1"), "192.0.2.3")):
        from_left(world, packet)
        assert outer_at_far(world, 4).dst == remote
    from_left(world, inner(4, to="10.4.0.1"))
    wait_until(lambda: world.drops().get(("ipip-output", "no-remote")) == 1, "the next hop that no remote has")
    for source in (TWO4, "192.0.2.3"):
        packet = in_ip(4, back(4, body=source.encode()))
        packet.src = source
        from_far(world, packet)
        world.at_left.expect(lambda f: Raw in f and f[Raw].load == source.encode(), what=source)
    assert [row["remote"] for row in world.sluice.json("show ipip tunnel")] == [TWO4, "192.0.2.3"]
    assert world.sluice.cli("add ipip remote 192.0.2.2 interface ipip0").startswith("unchanged")
    world.sluice.cli("delete ipip remote 192.0.2.3 interface ipip0")
    assert world.sluice.cli("delete ipip remote 192.0.2.3 interface ipip0").startswith("unchanged")
    from_left(world, inner(4, to="10.3.0.1"))
    wait_until(lambda: world.drops().get(("ipip-output", "no-remote")) == 2, "the remote that is gone")


def test_a_tunnel_follows_its_underlay(solo):
    world = solo(ipip(ONE4, "203.0.113.9") + through(["10.2.0.0/24"]) + [
        "add neighbor 192.0.2.3 mac 02:00:00:00:00:03 interface u0", "add neighbor 192.0.2.4 mac 02:00:00:00:00:04 interface u0"])
    from_left(world, inner(4))
    wait_until(lambda: world.drops().get(("ipip-output", "no-way")) == 1, "no way to the remote")
    assert world.sluice.json("show ipip tunnel")[0]["way"] == "no route"

    def goes_to(mac):
        from_left(world, inner(4))
        assert at_far(world, lambda f: IP in f and f[IP].proto == 4).dst == mac

    world.sluice.cli("add route 203.0.113.0/24 via 192.0.2.3")
    goes_to("02:00:00:00:00:03")
    world.sluice.cli("add route 203.0.113.9/32 via 192.0.2.4")
    goes_to("02:00:00:00:00:04")
    world.sluice.cli("delete route 203.0.113.9/32")
    goes_to("02:00:00:00:00:03")
    world.sluice.cli("add neighbor 192.0.2.3 mac 02:00:00:00:00:33 interface u0")
    goes_to("02:00:00:00:00:33")
    world.sluice.cli("delete route 203.0.113.0/24")
    world.sluice.cli("add route 203.0.113.0/24 via 192.0.2.2")
    goes_to(world.mac["far"])
    assert "loop" not in world.sluice.cli("show ipip tunnel")
    said = world.sluice.refusal("add route 203.0.113.0/25 interface ipip0")
    assert "ipip0 -> ipip0" in said and "nothing changed" in said
    goes_to(world.mac["far"])


def test_tunnels_in_tunnels_to_a_depth_of_eight(solo):
    """Eight headers come off one after the other, and eight go on."""
    commands = []
    for i in range(8):
        remote = TWO4 if i == 0 else f"203.0.113.{i}"
        commands += [f"create interface ipip ipip{i} local {ONE4} remote {remote}", f"set interface state ipip{i} up"]
        if i:
            commands.append(f"add route 203.0.113.{i}/32 interface ipip{i - 1}")
    world = solo(commands + ["add route 10.2.0.0/24 interface ipip7"])
    packet = back(4)
    for i in reversed(range(8)):
        packet = IP(src=TWO4 if i == 0 else f"203.0.113.{i}", dst=ONE4, proto=4) / packet
    from_far(world, packet)
    world.at_left.expect(lambda f: Raw in f and f[Raw].load == b"back", what="what eight tunnels carried")
    from_left(world, inner(4))
    seen, depth = outer_at_far(world, 4), 0
    while IP in seen and seen.proto == 4:
        assert checksums_are_right(seen) and seen.src == ONE4
        seen, depth = seen.payload, depth + 1
    assert depth == 8 and seen.dst == RIGHT4
    said = world.sluice.refusal("add route 192.0.2.2/32 interface ipip7")
    assert "ipip0 -> ipip7" in said and "ipip1 -> ipip0" in said


def test_a_trace_shows_the_way_into_a_tunnel(solo):
    world = solo(ipip(ONE4, TWO4) + through(["10.2.0.0/24"]))
    world.sluice.cli("trace add ipip-output 1")
    from_left(world, inner(4))
    outer_at_far(world, 4)
    steps = world.sluice.cli("show trace")
    assert "ipip-output" in steps and "interface-output" in steps
