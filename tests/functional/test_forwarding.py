# SPDX-License-Identifier: Apache-2.0
"""What the router does to packets that it forwards, field by field: Scapy's bytes are the oracle."""
import pytest
from lib.net import wait_until
from lib.packets import Port
from lib.router import BEYOND4, BEYOND6, LEFT4, LEFT6, RIGHT4, RIGHT6
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import (ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting, PadN)
from scapy.layers.l2 import ARP, Dot1Q, Ether

IP4 = dict(src=LEFT4, dst=BEYOND4, id=0x1234)
IP6 = dict(src=LEFT6, dst=BEYOND6)

KEPT = [
    IP(**IP4) / UDP(sport=4000, dport=53) / b"hello",
    IP(**IP4, tos=0xB8, flags="DF", ttl=255) / TCP(sport=1, dport=2, flags="SA", options=[("MSS", 1460), ("WScale", 7)]),
    IP(**IP4, ttl=2) / ICMP(id=7, seq=9) / bytes(range(56)),
    IP(**IP4) / UDP(sport=1, dport=2, chksum=0) / b"no checksum",
    IP(**IP4) / UDP(sport=1, dport=2, chksum=0xBAD) / b"wrong, but not ours to judge",
    IP(**IP4, options=[IPOption_NOP()] * 3) / UDP(sport=1, dport=2) / b"options",
    IP(**IP4, proto=47) / bytes(33),
    IP(**IP4, flags="MF", frag=0) / UDP(sport=1, dport=2, len=100) / bytes(24),
    IP(**IP4, frag=4, proto=17) / bytes(60),
    IP(**IP4) / UDP(sport=1, dport=2) / bytes(1472),
    IP(**IP4),
    IPv6(**IP6) / UDP(sport=4000, dport=53) / b"hello",
    IPv6(**IP6, tc=0xB8, fl=0xABCDE, hlim=255) / TCP(sport=1, dport=2, flags="S", options=[("MSS", 1440)]),
    IPv6(**IP6, hlim=2) / ICMPv6EchoRequest(id=7, seq=9, data=bytes(range(56))),
    IPv6(**IP6) / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"abcd")]) / UDP(sport=1, dport=2) / b"options",
    IPv6(**IP6) / IPv6ExtHdrRouting(type=4, segleft=0) / UDP(sport=1, dport=2) / b"routing",
    IPv6(**IP6) / IPv6ExtHdrFragment(offset=10, m=1, id=77) / bytes(48),
    IPv6(**IP6, nh=59),
    IPv6(**IP6) / UDP(sport=1, dport=2) / bytes(1452),
]


def test_changes_the_ttl_and_nothing_else(router):
    between = router()
    for packet in KEPT:
        between.send(packet)
        between.expect_forwarded(packet)


def test_every_ttl_gives_the_right_checksum(router):
    between = router()
    for ttl in range(2, 256):
        packet = IP(src=LEFT4, dst=BEYOND4, id=ttl * 257, ttl=ttl) / UDP(sport=ttl, dport=9)
        between.send(packet)
        between.expect_forwarded(packet)


def test_drops_ethernet_padding(router):
    between = router()
    packet = IP(**IP4) / UDP(sport=1, dport=2)
    between.at_left.send(Ether(src=between.mac["left"], dst=between.mac["l0"], type=0x0800) / bytes(packet) / (b"\xff" * 30))
    between.expect_forwarded(packet)
    packet = IPv6(**IP6) / UDP(sport=1, dport=2)
    between.at_left.send(Ether(src=between.mac["left"], dst=between.mac["l0"], type=0x86DD) / bytes(packet) / (b"\xff" * 30))
    between.expect_forwarded(packet)


def spoilt(packet, at, value):
    data = bytearray(bytes(packet))
    data[at] = value
    return type(packet)(bytes(data))


GOOD4 = IP(**IP4) / UDP(sport=1, dport=2) / b"x"
GOOD6 = IPv6(**IP6) / UDP(sport=1, dport=2) / b"x"
REFUSED = {
    "version 5": spoilt(GOOD4, 0, 0x55),
    "header of 16 bytes": spoilt(GOOD4, 0, 0x44),
    "header beyond the packet": spoilt(GOOD4, 0, 0x4F),
    "total length beyond the packet": IP(**IP4, len=200) / UDP(sport=1, dport=2),
    "total length below the header": IP(**IP4, len=19) / UDP(sport=1, dport=2),
    "wrong checksum": IP(**IP4, chksum=0x1234) / UDP(sport=1, dport=2),
    "loopback source": IP(src="127.0.0.1", dst=BEYOND4) / UDP(sport=1, dport=2),
    "multicast source": IP(src="224.0.0.5", dst=BEYOND4) / UDP(sport=1, dport=2),
    "broadcast source": IP(src="255.255.255.255", dst=BEYOND4) / UDP(sport=1, dport=2),
    "zero source": IP(src="0.0.0.0", dst=BEYOND4) / UDP(sport=1, dport=2),
    "loopback destination": IP(src=LEFT4, dst="127.0.0.2") / UDP(sport=1, dport=2),
    "class E destination": IP(src=LEFT4, dst="240.0.0.1") / UDP(sport=1, dport=2),
    "option length 1": spoilt(spoilt(IP(**IP4, options=[IPOption_RR(length=7, routers=["0.0.0.0"])]) / UDP(), 21, 1), 11, 0),
    "version 7": spoilt(GOOD6, 0, 0x70),
    "payload beyond the packet": IPv6(**IP6, plen=500) / UDP(sport=1, dport=2),
    "IPv6 multicast source": IPv6(src="ff02::1", dst=BEYOND6) / UDP(sport=1, dport=2),
    "IPv6 zero source": IPv6(src="::", dst=BEYOND6) / UDP(sport=1, dport=2),
    "IPv6 loopback source": IPv6(src="::1", dst=BEYOND6) / UDP(sport=1, dport=2),
    "IPv6 loopback destination": IPv6(src=LEFT6, dst="::1") / UDP(sport=1, dport=2),
}


def test_drops_what_rfc_1812_and_8200_forbid_and_counts_why(router):
    between = router()
    for name, packet in REFUSED.items():
        before = sum(between.drops().values())
        between.expect_silence(packet, seconds=0.15)
        wait_until(lambda: sum(between.drops().values()) > before, f"a counted drop: {name}", seconds=2)
    for good in (GOOD4, GOOD6):
        between.send(good)
        between.expect_forwarded(good)


def test_drops_frames_for_others_and_broadcasts_of_unicast_packets(router):
    between = router()
    for destination in ("02:00:00:00:00:99", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"):
        between.at_left.send(Ether(src=between.mac["left"], dst=destination) / GOOD4)
        between.at_right.expect_none(lambda frame: IP in frame and frame[IP].dst == BEYOND4, 0.3)


def test_never_forwards_link_local_packets(router):
    between = router()
    for source, destination in (("fe80::99", BEYOND6), (LEFT6, "fe80::99"), (LEFT6, "ff02::99")):
        packet = IPv6(src=source, dst=destination) / UDP(sport=1, dport=2) / b"link-local"
        between.send(packet)
        between.at_right.expect_none(lambda frame: IPv6 in frame and b"link-local" in bytes(frame), 0.3)


def test_blackholes_without_a_word(router):
    between = router(startup=["add route 203.0.113.0/24 blackhole", "add route 2001:db8:bad::/48 blackhole"])
    between.expect_silence(IP(src=LEFT4, dst="203.0.113.7") / UDP(sport=1, dport=2))
    between.expect_silence(IPv6(src=LEFT6, dst="2001:db8:bad::7") / UDP(sport=1, dport=2))


def test_takes_the_longest_prefix_and_a_changed_route_at_once(router):
    between = router(startup=["add route 203.0.113.0/24 blackhole", f"add route 203.0.113.64/26 via {RIGHT4}"])
    packet = IP(src=LEFT4, dst="203.0.113.65") / UDP(sport=1, dport=2)
    between.send(packet)
    between.expect_forwarded(packet)
    between.expect_silence(IP(src=LEFT4, dst="203.0.113.63") / UDP(sport=1, dport=2), 0.3)
    between.daemon.cli("delete route 203.0.113.64/26")
    between.expect_silence(packet, 0.3)


def test_resolves_recursive_next_hops(router):
    between = router(startup=["add route 203.0.113.0/24 via 198.51.100.77",
                              "add route 2001:db8:77::/48 via 2001:db8:100::77"])
    for packet in (IP(src=LEFT4, dst="203.0.113.5") / UDP(sport=1, dport=2),
                   IPv6(src=LEFT6, dst="2001:db8:77::5") / UDP(sport=1, dport=2)):
        between.send(packet)
        between.expect_forwarded(packet)


def test_holds_the_first_packet_until_the_neighbour_answers(router):
    between = router()
    between.right.address("eth0", "10.2.0.3/24", "2001:db8:2::3/64")
    for packet in (IP(src=LEFT4, dst="10.2.0.3", ttl=9) / UDP(sport=1, dport=2) / b"held",
                   IPv6(src=LEFT6, dst="2001:db8:2::3", hlim=9) / UDP(sport=1, dport=2) / b"held"):
        between.send(packet)
        between.expect_forwarded(packet)


def test_vlan_subinterfaces_take_tags_off_and_put_them_on(router):
    between = router(startup=["create interface vlan l0 5 name l0.5", "set interface address l0.5 10.5.0.1/24",
                              "set interface state l0.5 up"])
    left, l0 = between.mac["left"], between.mac["l0"]
    packet = IP(src="10.5.0.2", dst=BEYOND4) / UDP(sport=1, dport=2) / b"tagged"
    between.at_left.send(Ether(src=left, dst=l0) / Dot1Q(vlan=5) / packet)
    between.expect_forwarded(packet)
    # The other way the router first asks who 10.5.0.2 is, in the VLAN.
    back = IP(src=RIGHT4, dst="10.5.0.2", ttl=9, id=3) / UDP(sport=1, dport=2) / b"back"
    between.at_right.send(Ether(src=between.mac["right"], dst=between.mac["r0"]) / back)
    question = between.at_left.expect(lambda f: ARP in f and f[ARP].pdst == "10.5.0.2", what="an ARP request")
    assert (question.dst, question[Dot1Q].vlan, question[ARP].psrc) == ("ff:ff:ff:ff:ff:ff", 5, "10.5.0.1")
    between.at_left.send(Ether(src=left, dst=l0) / Dot1Q(vlan=5) /
                         ARP(op=2, hwsrc=left, psrc="10.5.0.2", hwdst=l0, pdst="10.5.0.1"))
    seen = between.expect_answer(lambda f: UDP in f and bytes(f[UDP].payload) == b"back", "the packet that waited")
    back.ttl -= 1
    assert bytes(seen) == bytes(Ether(src=l0, dst=left) / Dot1Q(vlan=5) / back)


def test_a_tag_that_no_subinterface_has_is_counted(router):
    between = router()
    frame = Ether(src=between.mac["left"], dst=between.mac["l0"]) / Dot1Q(vlan=6) / GOOD4
    before = between.drops().get(("ethernet-input", "unknown-vlan"), 0)
    between.at_left.send(frame)
    wait_until(lambda: between.drops().get(("ethernet-input", "unknown-vlan"), 0) > before, "unknown-vlan to be counted")


def test_tables_are_worlds_of_their_own(router):
    between = router(startup=["set interface table l0 10"])
    packet = IP(src=LEFT4, dst=BEYOND4) / UDP(sport=1, dport=2)
    between.send(packet)
    between.at_right.expect_none(lambda frame: IP in frame and frame[IP].dst == BEYOND4, 0.3)
    between.daemon.cli(f"add route 198.51.100.0/24 via {RIGHT4} interface r0 table 10")
    between.send(packet)
    between.expect_forwarded(packet)


def test_equal_paths_share_flows_and_keep_each_on_one(router, network):
    between = router()
    other = network.namespace("other")
    network.veth(between.node, "o0", other, "eth0", offloads=False)
    other.address("eth0", "10.3.0.2/24")
    for command in ("create interface af-packet o0", "set interface address o0 10.3.0.1/24", "set interface state o0 up",
                    f"add route 203.0.113.0/24 via {RIGHT4} via 10.3.0.2"):
        between.daemon.cli(command)
    wait_until(lambda: other.ping("10.3.0.1", count=1, check=False), "o0 to answer")
    with Port(other, "eth0") as at_other:
        for port in range(64):
            between.send(*[IP(src=LEFT4, dst="203.0.113.1") / UDP(sport=1000 + port, dport=80)] * 3)
        ports = [[frame[UDP].sport for frame in where.collect(1, lambda f: UDP in f and f[IP].dst == "203.0.113.1")]
                 for where in (between.at_right, at_other)]
    assert len(ports[0]) + len(ports[1]) == 192
    assert not set(ports[0]) & set(ports[1]), "a flow went both ways"
    assert len(set(ports[0])) >= 16 and len(set(ports[1])) >= 16


@pytest.mark.parametrize("address", [RIGHT4, RIGHT6])
def test_kernels_reach_each_other(router, address):
    between = router()
    assert between.left.ping(address, count=5, size=1400) == 5


def test_hop_by_hop_options_travel_on(router):
    between = router()
    packet = IPv6(**IP6) / IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]) / UDP(sport=1, dport=2) / b"options"
    between.send(packet)
    between.expect_forwarded(packet)
