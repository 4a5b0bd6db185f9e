# SPDX-License-Identifier: Apache-2.0
"""Fragments that the router makes, forwards and puts together. RFC 791, RFC 1812 section 4.2.2.7, RFC 8200 section 4.5."""
import random

import pytest
from lib.packets import checksums_are_right
from lib.router import BEYOND4, LEFT4, LEFT6, LEFT_GATEWAY4, LEFT_GATEWAY6, RIGHT4, RIGHT6
from scapy.layers.inet import ICMP, IP, UDP, IPOption_NOP, IPOption_Router_Alert, defragment, fragment
from scapy.layers.inet6 import (ICMPv6EchoReply, ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment, fragment6)


def collect_fragments(between, identification, seconds=1.0):
    frames = between.at_right.collect(seconds, lambda f: IP in f and f[IP].id == identification and
                                      f.src == between.mac["r0"])
    return [frame[IP] for frame in frames]


def body(packet):
    return bytes(packet)[packet.ihl * 4:packet.len]


def check_fragments(packet, fragments, mtu):
    """Whether these are a packet's fragments; returns the payload that they carry."""
    assert len(fragments) > 1
    fragments = sorted(fragments, key=lambda f: f.frag)
    expected = 0
    for index, each in enumerate(fragments):
        last = index == len(fragments) - 1
        assert each.len <= mtu and each.frag * 8 == expected
        assert (each.flags.MF, each.flags.DF) == (not last, False)
        assert (each.src, each.dst, each.id, each.proto, each.tos, each.ttl) == (
            packet.src, packet.dst, packet.id, packet.proto, packet.tos, packet.ttl - 1)
        assert checksums_are_right(IP(bytes(each)[:each.ihl * 4]))
        assert last or len(body(each)) % 8 == 0
        expected += len(body(each))
    return b"".join(body(each) for each in fragments)


@pytest.mark.parametrize("mtu", [576, 1006, 1400])
def test_cuts_what_is_too_long(router, mtu):
    between = router(right_mtu=mtu)
    for number, size in enumerate((mtu - 28 + 1, 1472)):
        packet = IP(bytes(IP(src=LEFT4, dst=BEYOND4, id=0x5000 + number, tos=0x20, ttl=17) /
                          UDP(sport=1, dport=2) / random.randbytes(size)))
        between.send(packet)
        fragments = collect_fragments(between, packet.id)
        assert check_fragments(packet, fragments, mtu) == bytes(packet)[20:]
        # Scapy agrees.
        whole = defragment(fragments)
        assert len(whole) == 1 and bytes(whole[0][UDP]) == bytes(packet[UDP])


def test_leaves_what_just_fits_whole(router):
    between = router(right_mtu=1000)
    packet = IP(src=LEFT4, dst=BEYOND4, id=1) / UDP(sport=1, dport=2) / bytes(1000 - 28)
    between.send(packet)
    between.expect_forwarded(packet)


def test_cuts_fragments_again(router):
    between = router(right_mtu=576)
    for flags in ("MF", 0):
        packet = IP(bytes(IP(src=LEFT4, dst=BEYOND4, id=0x6000 + bool(flags), flags=flags, frag=185, proto=17) /
                          random.randbytes(1480)))
        between.send(packet)
        fragments = sorted(collect_fragments(between, packet.id), key=lambda f: f.frag)
        assert fragments[0].frag == 185
        assert b"".join(body(each) for each in fragments) == body(packet)
        assert all(each.flags.MF for each in fragments[:-1])
        assert bool(fragments[-1].flags.MF) == bool(flags), "only the last of the whole packet has no MF"


def test_copies_options_as_their_copy_bits_say(router):
    between = router(right_mtu=576)
    # NOP is not copied, router alert (148) is.
    packet = IP(bytes(IP(src=LEFT4, dst=BEYOND4, id=0x7000, options=[IPOption_Router_Alert()] + [IPOption_NOP()] * 4) /
                      UDP(sport=1, dport=2) / bytes(1200)))
    between.send(packet)
    fragments = sorted(collect_fragments(between, packet.id), key=lambda f: f.frag)
    assert len(fragments) == 3
    assert [type(option) for option in fragments[0].options][:1] == [IPOption_Router_Alert]
    assert fragments[0].ihl == packet.ihl
    for later in fragments[1:]:
        assert [type(option) for option in later.options][:1] == [IPOption_Router_Alert]
        assert later.ihl == 6
    assert b"".join(body(each) for each in fragments) == body(packet)


def test_kernels_exchange_long_datagrams(router):
    between = router(right_mtu=1000)
    between.right.ip("link set eth0 mtu 1000")
    assert between.left.ping(RIGHT4, count=3, size=5000, extra=("-M", "dont")) == 3
    assert between.right.ping(LEFT4, count=3, size=5000, extra=("-M", "dont")) == 3


def test_ipv6_sources_cut_their_own(router):
    between = router(right_mtu=1280)
    between.right.ip("link set eth0 mtu 1280")
    between.left.run("ping", "-6", "-n", "-c", 1, "-W", 1, "-s", 1400, RIGHT6, check=False)  # learns the MTU
    assert between.left.ping(RIGHT6, count=3, size=5000) == 3


@pytest.mark.parametrize("order", ["forwards", "backwards", "shuffled"])
def test_puts_its_own_packets_together_in_any_order(router, order):
    between = router()

    def arrange(fragments):
        if order == "backwards":
            return fragments[::-1]
        if order == "shuffled":
            random.Random(4).shuffle(fragments)
        return fragments

    data = random.Random(5).randbytes(4000)
    request = IP(src=LEFT4, dst=LEFT_GATEWAY4, id=77) / ICMP(id=0x77, seq=1) / data
    between.send(*arrange(fragment(IP(bytes(request)), fragsize=800)))
    answers = between.at_left.collect(1, lambda f: IP in f and f[IP].src == LEFT_GATEWAY4 and f[IP].proto == 1)
    whole = [p for p in defragment([f[IP] for f in answers]) if ICMP in p and p[ICMP].type == 0]
    assert len(whole) == 1 and whole[0][ICMP].id == 0x77
    assert bytes(whole[0][ICMP].payload) == data

    data = data[:1200]
    request = IPv6(src=LEFT6, dst=LEFT_GATEWAY6) / IPv6ExtHdrFragment(id=78) / ICMPv6EchoRequest(id=0x78, data=data)
    between.send(*arrange(fragment6(IPv6(bytes(request)), 600)))
    reply = between.expect_answer(lambda f: ICMPv6EchoReply in f and f[ICMPv6EchoReply].id == 0x78)
    assert bytes(reply[ICMPv6EchoReply].data) == data and checksums_are_right(reply[IPv6])


def test_overlapping_fragments_spoil_their_packet(router):
    between = router()
    echo = bytes(ICMPv6EchoRequest(id=0x99, data=bytes(32)))
    head = dict(src=LEFT6, dst=LEFT_GATEWAY6)
    # RFC 5722: the second begins inside the first.
    between.send(IPv6(**head) / IPv6ExtHdrFragment(offset=0, m=1, id=5, nh=58) / echo[:24],
                 IPv6(**head) / IPv6ExtHdrFragment(offset=2, m=0, id=5, nh=58) / echo[16:])
    between.at_left.expect_none(lambda f: ICMPv6EchoReply in f and f[ICMPv6EchoReply].id == 0x99, 0.5)
    echo = bytes(ICMP(id=0x99) / bytes(32))
    head = dict(src=LEFT4, dst=LEFT_GATEWAY4, proto=1, id=5)
    between.send(IP(**head, flags="MF") / echo[:24], IP(**head, frag=2) / echo[16:])
    between.at_left.expect_none(lambda f: ICMP in f and f[ICMP].id == 0x99 and f[ICMP].type == 0, 0.5)


def test_a_flood_of_first_fragments_is_bounded(router):
    between = router()
    frames = [IP(src=LEFT4, dst=LEFT_GATEWAY4, id=n, flags="MF", proto=17) / bytes(64) for n in range(4000)]
    between.send(*frames)
    assert between.daemon.buffers_used() <= 2500
    between.send(IP(src=LEFT4, dst=LEFT_GATEWAY4) / ICMP(id=0x55))
    between.expect_answer(lambda f: ICMP in f and f[ICMP].type == 0 and f[ICMP].id == 0x55, "an echo reply in the flood")
    # Fragments of others still pass.
    assert between.left.ping(RIGHT4, count=1, size=3000) == 1
    # What is held ages slower than the leak check at the end of a test waits.
    between.daemon.stop()
