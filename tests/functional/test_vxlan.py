# SPDX-License-Identifier: Apache-2.0
"""VXLAN tunnels: with the kernel's at the other end, between two routers, and one router against Scapy."""
import pytest
from lib.net import Iperf, wait_until
from lib.packets import checksums_are_right
from lib.tunnels import (LEFT4, LEFT6, ONE4, ONE6, OUTER, RIGHT4, RIGHT6, TWO4, TWO6, Pair, back, from_far, from_left, hop_less,
                         inner)
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

OURS, THEIRS = "66:00:00:00:00:01", "66:00:00:00:00:02"


def calico(local, remote, *more):
    """As Calico sets up its nodes: a VTEP address and MAC each, static neighbours and table entries."""
    return [f"create interface vxlan vxlan0 vni 4096 local {local} mac {OURS}{''.join(' ' + word for word in more)}",
            f"add vxlan fdb {THEIRS} remote {remote} interface vxlan0",
            "set interface address vxlan0 10.244.0.0/32", "set interface address vxlan0 fd00:244::1/128",
            "set interface state vxlan0 up",
            f"add neighbor 10.244.1.0 mac {THEIRS} interface vxlan0", f"add neighbor fd00:244:1::1 mac {THEIRS} interface vxlan0",
            "add route 10.2.0.0/24 via 10.244.1.0 interface vxlan0", "add route 2001:db8:2::/64 via fd00:244:1::1 interface vxlan0"]


def kernel_end(world, local, remote, *more):
    """The kernel's device in far, with right's addresses on it."""
    far = world.far
    far.ip(f"link add vx0 address {THEIRS} type vxlan id 4096 dstport 4789 local {remote} nolearning dev eth0 {' '.join(more)}")
    far.address("vx0", f"{RIGHT4}/32", f"{RIGHT6}/128")
    far.run(f"bridge fdb add {OURS} dev vx0 dst {local}")
    far.ip(f"neigh add 10.244.0.0 lladdr {OURS} dev vx0")
    far.ip(f"neigh add fd00:244::1 lladdr {OURS} dev vx0")
    far.ip("route add 10.1.0.0/24 via 10.244.0.0 dev vx0 onlink")
    far.ip("-6 route add 2001:db8:1::/64 via fd00:244::1 dev vx0 onlink")


@pytest.mark.parametrize("local, remote", OUTER, ids=["ip4-outside", "ip6-outside"])
def test_the_kernels_device_at_the_other_end(solo, local, remote):
    world = solo(calico(local, remote))
    kernel_end(world, local, remote)
    for address in (RIGHT4, RIGHT6):
        wait_until(lambda: world.left.ping(address, count=1, check=False), f"{address} to answer", seconds=10)
        world.left.ping(address, count=5)
        world.left.ping(address, count=3, size=1300)
    for address in (LEFT4, LEFT6):
        world.far.ping(address, count=5)
    row = world.sluice.json("show vxlan tunnel")[0]
    assert row["rx_packets"] >= 10 and row["tx_packets"] >= 10 and row["remote"] == remote and row["addresses"] == 1
    # Announcements of its own addresses are for all stations, and no remote is for all.
    assert not [key for key, packets in world.drops().items()
                if key[0].startswith("vxlan") and key[1] != "unknown-address" and packets]


@pytest.mark.parametrize("local, remote", OUTER, ids=["ip4-outside", "ip6-outside"])
def test_tcp_and_path_mtu_discovery_against_the_kernel(solo, local, remote):
    world = solo(calico(local, remote))
    kernel_end(world, local, remote)
    for address in (RIGHT4, RIGHT6):
        wait_until(lambda: world.left.ping(address, count=1, check=False), f"{address} to answer", seconds=10)
        server = Iperf(world.far, address, port=5201 + (":" in address))
        assert server.mbit(world.left, seconds=1) > 10
        assert server.mbit(world.left, seconds=1, extra=["-R"]) > 10
        # A sender that knows nothing of the tunnel's MTU learns it: 1500 less the headers.
        mtu = 1450 if local == ONE4 else 1430
        assert world.left.ping(address, count=2, size=1440, extra=["-M", "do"], check=False) == 0
        route = world.left.run("ip", "route", "get", address).stdout
        assert f"mtu {mtu}" in route, route


def test_the_kernel_with_an_outer_checksum_both_ways(solo):
    world = solo(calico(ONE4, TWO4, "udp-checksum set"))
    kernel_end(world, ONE4, TWO4, "udpcsum")
    wait_until(lambda: world.left.ping(RIGHT4, count=1, check=False), "the kernel to answer", seconds=10)
    world.left.ping(RIGHT4, count=5)
    world.left.ping(RIGHT6, count=5, size=1001)


def test_one_remote_and_arp_through_the_tunnel(solo):
    world = solo([f"create interface vxlan vxlan0 vni 7 local {ONE4} remote {TWO4}", "set interface address vxlan0 10.9.0.1/24",
                  "set interface address vxlan0 fd00:9::1/64", "set interface state vxlan0 up"])
    world.far.ip(f"link add vx0 type vxlan id 7 dstport 4789 local {TWO4} remote {ONE4} dev eth0")
    world.far.address("vx0", "10.9.0.2/24", "fd00:9::2/64")
    world.far.ip("route add 10.1.0.0/24 via 10.9.0.1")
    world.far.ip("-6 route add 2001:db8:1::/64 via fd00:9::1")
    for address in ("10.9.0.2", "fd00:9::2"):
        wait_until(lambda: world.left.ping(address, count=1, check=False), f"{address} to answer", seconds=15)
        world.left.ping(address, count=3)
    world.far.ping("10.9.0.1", count=3)
    world.far.ping("fd00:9::1", count=3)


@pytest.mark.parametrize("one, two", OUTER, ids=["ip4-outside", "ip6-outside"])
def test_two_routers(network, daemon, one, two):
    def side(local, remote, own, peer, prefixes):
        return [f"create interface vxlan vxlan0 vni 4096 local {local} mac {own}", f"add vxlan fdb {peer} remote {remote} interface vxlan0",
                "set interface state vxlan0 up", f"add neighbor 10.244.9.9 mac {peer} interface vxlan0",
                f"add neighbor fd00:244::9 mac {peer} interface vxlan0", f"add route {prefixes[0]} via 10.244.9.9 interface vxlan0",
                f"add route {prefixes[1]} via fd00:244::9 interface vxlan0"]

    pair = Pair(network, daemon, side(one, two, OURS, THEIRS, ["10.2.0.0/24", "2001:db8:2::/64"]),
                side(two, one, THEIRS, OURS, ["10.1.0.0/24", "2001:db8:1::/64"]), offloads=True)
    pair.reach()
    pair.left.ping(RIGHT4, count=3)
    pair.left.ping(RIGHT6, count=3)
    for address in (RIGHT4, RIGHT6):
        assert Iperf(pair.right, address, port=5201 + (":" in address)).mbit(pair.left, seconds=1) > 10


def vxlan_at_far(world):
    return world.at_far.expect(lambda f: f.src == world.mac["u0"] and VXLAN in f, what="a VXLAN packet").payload


@pytest.mark.parametrize("outer", [4, 6], ids=["ip4-outside", "ip6-outside"])
@pytest.mark.parametrize("checksum", ["zero", "set"])
@pytest.mark.parametrize("family", [4, 6], ids=["ip4-inside", "ip6-inside"])
def test_every_field_of_the_headers(solo, outer, family, checksum):
    local, remote = OUTER[outer == 6]
    world = solo(calico(local, remote, f"udp-checksum {checksum}"))
    ports = set()
    for sport in range(1000, 1008):
        packet = inner(family, tos=0xb8 | 2, flags="DF", sport=sport)
        from_left(world, packet)
        seen = vxlan_at_far(world)
        assert (seen.src, seen.dst) == (local, remote)
        if outer == 4:
            assert (seen.ttl, seen.proto, seen.tos, seen.flags, seen.frag) == (64, 17, 0xb8 | 2, "DF", 0)
            assert seen.len == 20 + 8 + 8 + 14 + len(bytes(packet))
        else:
            assert (seen.hlim, seen.nh, seen.tc) == (64, 17, 0xb8 | 2) and seen.fl != 0
        assert seen[UDP].dport == 4789 and 49152 <= seen[UDP].sport
        assert seen[UDP].len == 8 + 8 + 14 + len(bytes(packet))
        assert (seen[UDP].chksum == 0) == (checksum == "zero")
        assert checksums_are_right(seen)
        vxlan = bytes(seen[VXLAN])
        assert vxlan[:8] == bytes([8, 0, 0, 0, 0, 0x10, 0, 0]), "VNI 4096, all that is reserved zero"
        assert vxlan[8:22] == bytes.fromhex((THEIRS + OURS).replace(":", "")) + (b"\x08\x00" if family == 4 else b"\x86\xdd")
        assert vxlan[22:] == hop_less(packet)
        ports.add(seen[UDP].sport)
    assert len(ports) > 4, "flows have source ports of their own"


def wrap(outer, packet, vni=4096, flags=8, tos=0, src=None, sport=50000, reserved=0):
    ip = IP(src=src or TWO4, dst=ONE4, tos=tos) if outer == 4 else IPv6(src=src or TWO6, dst=ONE6, tc=tos)
    header = bytes([flags, 0, 0, reserved]) + vni.to_bytes(3, "big") + bytes([reserved])
    return ip / UDP(sport=sport, dport=4789) / Raw(header + bytes(packet))


def framed(packet, dst=OURS):
    return Ether(src=THEIRS, dst=dst) / packet


def comes_out(world, body):
    return world.at_left.expect(lambda f: f.src == world.mac["l0"] and Raw in f and f[Raw].load == body, what=str(body))


@pytest.mark.parametrize("outer", [4, 6], ids=["ip4-outside", "ip6-outside"])
@pytest.mark.parametrize("family", [4, 6], ids=["ip4-inside", "ip6-inside"])
def test_what_comes_out_of_the_tunnel(solo, outer, family):
    local, remote = OUTER[outer == 6]
    world = solo(calico(local, remote))
    after = {0: [0, 0, 0, None], 2: [2, 1, 2, 3], 1: [1, 1, 1, 3], 3: [3, 3, 3, 3]}
    for mark, outcomes in after.items():
        for outer_mark, wanted in enumerate(outcomes):
            body = b"back %d %d" % (mark, outer_mark)
            from_far(world, wrap(outer, framed(back(family, tos=0xb8 | mark, body=body)), tos=outer_mark))
            if wanted is None:
                continue
            seen = comes_out(world, body)
            assert checksums_are_right(seen[IP if family == 4 else IPv6])
            assert (seen[IP].tos if family == 4 else seen[IPv6].tc) == 0xb8 | wanted
    assert world.drops()["vxlan-decap", "congestion"] == 1
    from_far(world, wrap(outer, framed(back(family, body=b"reserved")), reserved=0xff, flags=0xff))
    comes_out(world, b"reserved")


def test_what_is_no_tunnels_is_a_counted_drop(solo):
    world = solo(calico(ONE4, TWO4) + ["create interface vxlan vxlan1 vni 5 local 192.0.2.1 remote 192.0.2.9"])
    good = framed(back(4))
    before = world.drops()

    def grown():
        now = world.drops()
        return {key: now[key] - before.get(key, 0) for key in now if now[key] > before.get(key, 0)}

    whole = bytes(wrap(4, good)[UDP].payload)
    from_far(world, wrap(4, good, vni=4097))
    from_far(world, wrap(4, good, src="192.0.2.66"))
    from_far(world, wrap(4, good, flags=0))
    from_far(world, wrap(4, good, vni=5, src="192.0.2.9"))
    from_far(world, wrap(4, framed(back(4), dst="66:00:00:00:00:99")))
    from_far(world, wrap(6, good))
    cuts = range(len(whole))
    for n in cuts:
        from_far(world, IP(src=TWO4, dst=ONE4) / UDP(sport=50000, dport=4789) / Raw(whole[:n]))
    # UDP says that the frame ends before IP does: the rest is not part of it.
    short = wrap(4, good)
    short[UDP].len = 8 + 8 + 13
    short[UDP].chksum = 0
    from_far(world, IP(bytes(short)))
    wait_until(lambda: sum(grown().values()) >= 7 + len(cuts), lambda: f"all to be dropped: {grown()}")
    assert grown()["vxlan-decap", "unknown-tunnel"] == 3
    assert grown()["vxlan-decap", "bad-flags"] == 1
    assert grown()["vxlan-decap", "tunnel-down"] == 1
    assert grown()["vxlan-decap", "truncated"] == 8 + 14 + 1
    assert grown()["ethernet-input", "other-destination"] == 1


def test_frames_go_where_their_destination_is(solo):
    world = solo(calico(ONE4, TWO4) + [
        "add vxlan fdb 66:00:00:00:00:03 remote 192.0.2.3 interface vxlan0", "add vxlan fdb 66:00:00:00:00:33 remote 192.0.2.3 interface vxlan0",
        "add neighbor 192.0.2.3 mac 02:00:00:00:00:03 interface u0", "add neighbor 10.244.3.0 mac 66:00:00:00:00:03 interface vxlan0",
        "add neighbor 10.244.4.0 mac 66:00:00:00:00:04 interface vxlan0", "add route 10.3.0.0/24 via 10.244.3.0 interface vxlan0",
        "add route 10.4.0.0/24 via 10.244.4.0 interface vxlan0"])
    for to, remote in ((RIGHT4, TWO4), ("10.3.0.1", "192.0.2.3")):
        from_left(world, inner(4, to=to))
        assert vxlan_at_far(world).dst == remote
    from_left(world, inner(4, to="10.4.0.1"))
    wait_until(lambda: world.drops().get(("vxlan-output", "unknown-address"), 0) >= 1, "the address that nobody has")
    assert {row["mac"]: row["remote"] for row in world.sluice.json("show vxlan fdb")} == {
        THEIRS: TWO4, "66:00:00:00:00:03": "192.0.2.3", "66:00:00:00:00:33": "192.0.2.3"}
    from_far(world, wrap(4, framed(back(4, body=b"three")), src="192.0.2.3"))
    comes_out(world, b"three")
    assert world.sluice.cli(f"add vxlan fdb {THEIRS} remote {TWO4} interface vxlan0").startswith("unchanged")
    assert "behind remote 192.0.2.2" in world.sluice.refusal(f"add vxlan fdb {THEIRS} remote 192.0.2.3 interface vxlan0")
    world.sluice.cli("delete vxlan fdb 66:00:00:00:00:03 interface vxlan0")
    from_far(world, wrap(4, framed(back(4, body=b"still")), src="192.0.2.3"))
    comes_out(world, b"still")
    world.sluice.cli("delete vxlan fdb 66:00:00:00:00:33 interface vxlan0")
    strangers = world.drops().get(("vxlan-decap", "unknown-tunnel"), 0)
    from_far(world, wrap(4, framed(back(4)), src="192.0.2.3"))
    wait_until(lambda: world.drops().get(("vxlan-decap", "unknown-tunnel"), 0) == strangers + 1, "the remote that is gone")


def test_cross_subnet_takes_the_frame_off(solo):
    world = solo(calico(ONE4, TWO4, "cross-subnet"))
    packet = inner(4)
    from_left(world, packet)
    seen = world.at_far.expect(lambda f: f.src == world.mac["u0"] and IP in f and f[IP].dst == RIGHT4)
    assert bytes(seen.payload)[:len(bytes(packet))] == hop_less(packet) and seen.dst == world.mac["far"]


def big(family, size, flags="DF"):
    packet = inner(family, flags=flags, body=bytes(size - (28 if family == 4 else 48)))
    assert len(bytes(packet)) == size
    return packet


def test_a_packet_too_long_for_the_path_is_told_to_its_sender_or_cut(solo):
    world = solo(calico(ONE4, TWO4, "mtu 2000"), underlay_mtu=1400)
    assert world.sluice.json("show vxlan tunnel")[0]["mtu"] == 1350
    from_left(world, big(4, 1350))
    assert vxlan_at_far(world).len == 1400
    from_left(world, big(4, 1351))
    told = world.at_left.expect(lambda f: ICMP in f and (f[ICMP].type, f[ICMP].code) == (3, 4), what="fragmentation needed")
    assert told[ICMP].nexthopmtu == 1350 and told[IP].dst == LEFT4
    from_left(world, big(6, 1351))
    assert world.at_left.expect(lambda f: ICMPv6PacketTooBig in f, what="packet too big")[ICMPv6PacketTooBig].mtu == 1350
    from_left(world, big(4, 1351, flags=""))
    pieces = [bytes(vxlan_at_far(world)[VXLAN])[22:] for _ in range(2)]
    assert {IP(piece).ttl for piece in pieces} == {32}
    assert sum(IP(piece).len - 20 for piece in pieces) == 1331


@pytest.mark.parametrize("outer", [4, 6], ids=["ip4-outside", "ip6-outside"])
def test_what_a_router_on_the_path_says_reaches_the_inner_sender(solo, outer):
    local, remote = OUTER[outer == 6]
    world = solo(calico(local, remote))
    from_left(world, big(4, 1400))
    seen = bytes(vxlan_at_far(world))
    if outer == 4:
        error = IP(src="192.0.2.99", dst=local) / ICMP(type=3, code=4, nexthopmtu=1360) / Raw(seen[:128])
    else:
        error = IPv6(src="2001:db8:99::99", dst=local) / ICMPv6PacketTooBig(mtu=1360) / Raw(seen[:200])
    from_far(world, error)
    inner_mtu = 1360 - (50 if outer == 4 else 70)
    for _ in range(2):  # the first is translated, the second this node's own
        told = world.at_left.expect(lambda f: ICMP in f and (f[ICMP].type, f[ICMP].code) == (3, 4), what="an error")
        assert told[ICMP].nexthopmtu == inner_mtu and told[IP].dst == LEFT4
        wait_until(lambda: world.sluice.json("show vxlan tunnel")[0]["mtu"] == inner_mtu, "the path MTU")
        from_left(world, big(4, 1400))


def test_a_router_that_quotes_little_is_heard_by_this_node(solo):
    world = solo(calico(ONE4, TWO4))
    from_left(world, big(4, 1400))
    seen = bytes(vxlan_at_far(world))
    from_far(world, IP(src="192.0.2.99", dst=ONE4) / ICMP(type=3, code=4, nexthopmtu=1360) / Raw(seen[:28]))
    wait_until(lambda: world.sluice.json("show vxlan tunnel")[0]["mtu"] == 1310, "the path MTU")
    assert world.drops()["vxlan-errors", "short-quote"] == 1


def test_commands_that_make_no_sense_are_refused(solo, refused):
    world = solo(calico(ONE4, TWO4))
    create = "create interface vxlan vxlan1 vni"
    for command, words in (
            (f"{create} 4096 local {ONE4} remote {TWO4}", ["tunnel vxlan0 has them"]),
            (f"{create} 5 local {ONE4} remote 2001:db8::1", ["one family"]),
            (f"{create} 5 local {ONE4} remote 224.0.0.1", ["224.0.0.1"]),
            (f"{create} 5 local {ONE4} mac 01:00:00:00:00:01", ["01:00:00:00:00:01", "not a station's"]),
            (f"{create} 5 local {ONE4} udp-checksum often", ["udp-checksum 'often'", "auto, set or zero"]),
            (f"{create} 5 local {ONE4} df maybe", ["df 'maybe'"]),
            (f"create interface vxlan vxlan0 vni 5 local {ONE4} mac {OURS}", ["vni 5 instead of 4096"]),
            (f"add vxlan fdb ff:ff:ff:ff:ff:ff remote {TWO4} interface vxlan0", ["not a station's"]),
            (f"add vxlan fdb 66:00:00:00:00:09 remote {ONE4} interface vxlan0", ["two ends"]),
            (f"add vxlan fdb 66:00:00:00:00:09 remote {TWO4} interface u0", ["no VXLAN tunnel"])):
        refused(world.sluice, command, *words)
    assert world.sluice.cli(calico(ONE4, TWO4)[0]).startswith("unchanged")
