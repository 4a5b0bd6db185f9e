# SPDX-License-Identifier: Apache-2.0
"""Tunnels of IP in IP: two routers with one between them, and one router against Scapy."""
import pytest
from lib.net import wait_until
from lib.packets import checksums_are_right
from lib.tunnels import (LEFT4, LEFT6, OUTER, ONE4, RIGHT4, RIGHT6, TWO4, Pair, at_far, back, from_far, from_left, hop_less, in_ip,
                         inner, ipip, outer_at_far, through)
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.packet import Raw


@pytest.mark.parametrize("one, two", OUTER, ids=["ip4-outside", "ip6-outside"])
def test_hosts_reach_each_other_by_both_families(network, daemon, one, two):
    pair = Pair(network, daemon, ipip(one, two) + through(["10.2.0.0/24", "2001:db8:2::/64"]),
                ipip(two, one) + through(["10.1.0.0/24", "2001:db8:1::/64"]))
    pair.reach()
    pair.left.ping(RIGHT4, count=5)
    pair.left.ping(RIGHT6, count=5)
    for sluice in (pair.one, pair.two):
        row = sluice.json("show ipip tunnel")[0]
        assert row["rx_packets"] >= 10 and row["tx_packets"] >= 10
        assert row["state"] == "up" and row["way"].endswith("u0"), row
    assert pair.one.interface("ipip0")["rx_packets"] >= 10


def ecn(packet):
    return (packet.tos if IP in packet else packet.tc) & 3


@pytest.mark.parametrize("outer", [4, 6], ids=["ip4-outside", "ip6-outside"])
@pytest.mark.parametrize("family", [4, 6], ids=["ip4-inside", "ip6-inside"])
def test_every_field_of_the_outer_header(solo, outer, family):
    local, remote = OUTER[outer == 6]
    world = solo(ipip(local, remote) + through(["10.2.0.0/24", "2001:db8:2::/64"]))
    for tos in (0, 0xb8 | 1, 0xb8 | 2, 0xff):
        for flags in ("", "DF"):
            packet = inner(family, tos=tos, flags=flags)
            from_left(world, packet)
            seen = outer_at_far(world, outer)
            assert (seen.src, seen.dst) == (local, remote)
            assert checksums_are_right(seen)
            assert bytes(seen.payload)[:len(bytes(packet))] == hop_less(packet)
            if outer == 4:
                assert (seen.version, seen.ihl, seen.ttl, seen.proto) == (4, 5, 64, 4 if family == 4 else 41)
                assert seen.tos == tos and seen.frag == 0
                assert seen.flags == ("DF" if flags or family == 6 else 0)
                assert seen.len == 20 + len(bytes(packet))
            else:
                assert (seen.version, seen.hlim, seen.nh) == (6, 64, 4 if family == 4 else 41)
                assert seen.tc == tos and seen.plen == len(bytes(packet)) and seen.fl != 0


def test_ttl_dscp_and_df_are_what_the_operator_says(solo):
    world = solo(ipip(ONE4, TWO4, "ttl inherit", "dscp 10", "df clear") + through(["10.2.0.0/24"]))
    from_left(world, inner(4, tos=0xb8 | 1, ttl=33, flags="DF"))
    seen = outer_at_far(world, 4)
    assert (seen.ttl, seen.tos, seen.flags) == (32, 10 << 2 | 1, 0)
    ids = set()
    for _ in range(3):
        from_left(world, inner(4))
        ids.add(outer_at_far(world, 4).id)
    assert len(ids) == 3, "packets that may be fragmented have identifications of their own"
    world.sluice.cli("create interface ipip ipip1 local 192.0.2.1 remote 192.0.2.77 ttl 9 df set")
    world.sluice.cli("set interface state ipip1 up")
    world.sluice.cli("add neighbor 192.0.2.77 mac 02:00:00:00:00:77 interface u0")
    world.sluice.cli("add route 198.51.100.0/24 interface ipip1")
    from_left(world, inner(4, to="198.51.100.1"))
    seen = outer_at_far(world, 4)
    assert (seen.dst, seen.ttl, seen.tos, seen.flags) == ("192.0.2.77", 9, 0, "DF")


@pytest.mark.parametrize("outer", [4, 6], ids=["ip4-outside", "ip6-outside"])
@pytest.mark.parametrize("family", [4, 6], ids=["ip4-inside", "ip6-inside"])
def test_what_comes_out_of_the_tunnel(solo, outer, family):
    local, remote = OUTER[outer == 6]
    world = solo(ipip(local, remote))
    # RFC 6040 section 4.2, figure 4.
    after = {0: [0, 0, 0, None], 2: [2, 1, 2, 3], 1: [1, 1, 1, 3], 3: [3, 3, 3, 3]}
    for mark, outcomes in after.items():
        for outer_mark, wanted in enumerate(outcomes):
            packet = back(family, tos=0xb8 | mark, body=b"back %d %d" % (mark, outer_mark))
            from_far(world, in_ip(outer, packet, tos=outer_mark))
            if wanted is None:
                continue
            seen = world.at_left.expect(lambda f: f.src == world.mac["l0"] and Raw in f and f[Raw].load == packet[Raw].load,
                                        what=f"ECN {mark} in {outer_mark}")
            layer = IP if family == 4 else IPv6
            assert checksums_are_right(seen[layer])
            assert (seen[IP].tos if family == 4 else seen[IPv6].tc) == 0xb8 | wanted
            assert (seen[IP].ttl if family == 4 else seen[IPv6].hlim) == 19
    assert world.drops()["ipip-decap", "congestion"] == 1


def test_strangers_wrong_families_and_cut_packets_are_counted_drops(solo):
    world = solo(ipip(ONE4, TWO4))
    stranger = in_ip(4, back(4))
    stranger.src = "192.0.2.66"
    wrong = IP(src=TWO4, dst=ONE4, proto=4) / back(6)
    whole = bytes(back(4))
    cut = [IP(src=TWO4, dst=ONE4, proto=4) / Raw(whole[:n]) for n in range(len(whole))]
    before = world.drops()
    from_far(world, stranger)
    from_far(world, wrong)
    from_far(world, in_ip(6, back(4)))
    for packet in cut:
        from_far(world, packet)

    def grown():
        now = world.drops()
        return {key: now[key] - before.get(key, 0) for key in now if now[key] > before.get(key, 0)}

    wait_until(lambda: sum(grown().values()) >= 3 + len(cut), lambda: f"all to be dropped: {grown()}")
    assert grown()["ipip-decap", "unknown-remote"] == 2
    assert grown()["ipip-decap", "wrong-inner"] == 1
    assert grown()["ipip-decap", "truncated"] == 20
    world.sluice.cli("set interface state ipip0 down")
    from_far(world, in_ip(4, back(4)))
    wait_until(lambda: grown().get(("ipip-decap", "tunnel-down")) == 1, "the tunnel that is down")


def test_cross_subnet_tunnels_only_what_is_behind_a_router(solo):
    world = solo(["create interface ipip ipip0 local 192.0.2.1 cross-subnet", "set interface state ipip0 up",
                  "add ipip remote 192.0.2.2 interface ipip0", "add ipip remote 203.0.113.9 interface ipip0",
                  "add route 203.0.113.0/24 via 192.0.2.2",
                  "add route 10.2.0.0/24 via 192.0.2.2 interface ipip0", "add route 10.3.0.0/24 via 203.0.113.9 interface ipip0"])
    packet = inner(4)
    from_left(world, packet)
    seen = at_far(world, lambda f: IP in f and f[IP].dst == RIGHT4)
    assert bytes(seen.payload)[:len(bytes(packet))] == hop_less(packet) and seen.dst == world.mac["far"]
    from_left(world, inner(4, to="10.3.0.1"))
    assert outer_at_far(world, 4).dst == "203.0.113.9"
    rows = {row["remote"]: row for row in world.sluice.json("show ipip tunnel")}
    assert rows[TWO4]["way"].startswith("direct ") and not rows["203.0.113.9"]["way"].startswith("direct ")


def test_cross_subnet_tunnels_until_the_remotes_neighbour_is_known(solo):
    world = solo(["create interface ipip ipip0 local 192.0.2.1 remote 192.0.2.2 cross-subnet", "set interface state ipip0 up",
                  "add route 10.2.0.0/24 interface ipip0"])
    world.sluice.cli("delete neighbor 192.0.2.2 interface u0")
    from_left(world, inner(4))
    assert outer_at_far(world, 4).dst == TWO4
    from_left(world, inner(4))
    assert at_far(world, lambda f: IP in f and f[IP].dst == RIGHT4).dst == world.mac["far"]


def big(family, size, flags="DF"):
    packet = inner(family, flags=flags, body=bytes(size - (28 if family == 4 else 48)))
    assert len(bytes(packet)) == size
    return packet


def test_a_packet_too_long_for_the_path_is_told_to_its_sender_or_cut(solo):
    world = solo(ipip(ONE4, TWO4, "mtu 2000") + through(["10.2.0.0/24", "2001:db8:2::/64"]), underlay_mtu=1400)
    assert world.sluice.json("show ipip tunnel")[0]["mtu"] == 1380
    from_left(world, big(4, 1380))
    assert outer_at_far(world, 4).len == 1400
    from_left(world, big(4, 1381))
    told = world.at_left.expect(lambda f: ICMP in f and (f[ICMP].type, f[ICMP].code) == (3, 4), what="fragmentation needed")
    assert told[ICMP].nexthopmtu == 1380 and told[IP].dst == LEFT4
    from_left(world, big(6, 1381))
    assert world.at_left.expect(lambda f: ICMPv6PacketTooBig in f, what="packet too big")[ICMPv6PacketTooBig].mtu == 1380
    from_left(world, big(4, 1381, flags=""))
    pieces = [outer_at_far(world, 4) for _ in range(2)]
    assert all(piece.frag == 0 and not piece.flags.MF for piece in pieces), "it is the inner packet that is cut"
    assert {piece.payload.ttl for piece in pieces} == {32} and sum(piece.payload.len - 20 for piece in pieces) == 1361


@pytest.mark.parametrize("outer", [4, 6], ids=["ip4-outside", "ip6-outside"])
@pytest.mark.parametrize("family", [4, 6], ids=["ip4-inside", "ip6-inside"])
def test_what_a_router_on_the_path_says_reaches_the_inner_sender(solo, outer, family):
    local, remote = OUTER[outer == 6]
    world = solo(ipip(local, remote) + through(["10.2.0.0/24", "2001:db8:2::/64"]))
    from_left(world, big(family, 1400))
    seen = outer_at_far(world, outer)
    if outer == 4:
        error = IP(src="192.0.2.99", dst=local) / ICMP(type=3, code=4, nexthopmtu=1360) / Raw(bytes(seen)[:128])
    else:
        error = IPv6(src="2001:db8:99::99", dst=local) / ICMPv6PacketTooBig(mtu=1360) / Raw(bytes(seen)[:200])
    from_far(world, error)
    inner_mtu = 1360 - (20 if outer == 4 else 40)
    for again in range(2):  # the first is translated, the second this node's own
        if family == 4:
            told = world.at_left.expect(lambda f: ICMP in f and (f[ICMP].type, f[ICMP].code) == (3, 4), what="an error")
            assert told[ICMP].nexthopmtu == inner_mtu and told[IP].dst == LEFT4
        else:
            told = world.at_left.expect(lambda f: ICMPv6PacketTooBig in f, what="an error")
            assert told[ICMPv6PacketTooBig].mtu == inner_mtu and told[IPv6].dst == LEFT6
        wait_until(lambda: world.sluice.json("show ipip tunnel")[0]["mtu"] == inner_mtu, "the path MTU")
        from_left(world, big(family, 1400))


def test_an_unreachable_remote_is_told_as_an_unreachable_host(solo):
    world = solo(ipip(ONE4, TWO4) + through(["10.2.0.0/24"]))
    from_left(world, inner(4))
    seen = outer_at_far(world, 4)
    from_far(world, IP(src="192.0.2.99", dst=ONE4) / ICMP(type=3, code=0) / Raw(bytes(seen)[:100]))
    told = world.at_left.expect(lambda f: ICMP in f and f[ICMP].type == 3, what="unreachable")
    assert told[ICMP].code == 1 and told[IP].dst == LEFT4
    # Eight bytes of the inner header, as old routers quote, name nobody.
    from_far(world, IP(src="192.0.2.99", dst=ONE4) / ICMP(type=3, code=0) / Raw(bytes(seen)[:28]))
    wait_until(lambda: world.drops().get(("ipip-errors", "short-quote")) == 1, "the short quote")
    seen.dst = "192.0.2.77"
    from_far(world, IP(src="192.0.2.99", dst=ONE4) / ICMP(type=3, code=0) / Raw(bytes(seen)[:100]))
    wait_until(lambda: world.drops().get(("ipip-errors", "unknown-remote")) == 1, "the error about a stranger")
