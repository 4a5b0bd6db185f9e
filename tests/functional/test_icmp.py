# SPDX-License-Identifier: Apache-2.0
"""ICMP and ICMPv6 of the router: answers, errors and what they quote, and when it must be silent."""
import pytest
from lib.packets import checksums_are_right
from lib.router import (BEYOND4, BEYOND6, LEFT4, LEFT6, LEFT_GATEWAY4, LEFT_GATEWAY6, RIGHT4, RIGHT_GATEWAY4,
                        RIGHT_GATEWAY6)
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6PacketTooBig,
                                ICMPv6TimeExceeded, IPv6, IPv6ExtHdrDestOpt)
from scapy.layers.l2 import Ether


def quote4(frame):
    """The bytes that an ICMP error quotes, as they came."""
    return bytes(frame[IP])[28:]


def quote6(frame):
    return bytes(frame[IPv6])[48:]


def expect_error4(between, packet, kind, code, source=LEFT_GATEWAY4):
    between.send(packet)
    answer = between.expect_answer(lambda frame: ICMP in frame and frame[ICMP].type == kind, f"ICMP type {kind}")
    error = answer[IP]
    assert (answer.src, answer.dst) == (between.mac["l0"], between.mac["left"])
    assert (error.src, error.dst, error[ICMP].code) == (source, packet.src, code)
    assert (error.ihl, error.flags, error.frag, error.ttl) == (5, 0, 0, 64)
    assert error.tos >> 5 in (0, 6), "RFC 1812 section 4.3.2.5"
    assert quote4(answer) == bytes(packet)[:548]
    assert checksums_are_right(IP(bytes(error)[:28] + quote4(answer))) or len(bytes(packet)) > 548
    return answer


def expect_error6(between, packet, layer, code):
    between.send(packet)
    answer = between.expect_answer(lambda frame: layer in frame, layer.__name__)
    error = answer[IPv6]
    assert (error.src, error.dst, error[layer].code) == (LEFT_GATEWAY6, packet.src, code)
    assert error.hlim in (64, 255)
    assert quote6(answer) == bytes(packet)[:1280 - 48]
    # The checksum, with a payload that Scapy does not take for a packet.
    again = IPv6(bytes(error)[:40] + bytes(error)[40:42] + b"\0\0" + bytes(error)[44:])
    again[layer].cksum = None
    again[layer].remove_payload()
    rebuilt = again / quote6(answer)
    rebuilt.plen = None
    assert bytes(rebuilt)[42:44] == bytes(error)[42:44], "ICMPv6 checksum"
    return answer


@pytest.mark.parametrize("size", [0, 1, 56, 57, 1472])
def test_answers_echo_requests(router, size):
    between = router()
    for gateway in (LEFT_GATEWAY4, RIGHT_GATEWAY4):
        between.send(IP(src=LEFT4, dst=gateway, id=7, ttl=3) / ICMP(id=0x4242, seq=size) / bytes(i & 255 for i in range(size)))
        reply = between.expect_answer(lambda frame: ICMP in frame and frame[ICMP].id == 0x4242)
        assert (reply[IP].src, reply[IP].dst, reply[IP].ttl) == (gateway, LEFT4, 64)
        assert (reply[ICMP].type, reply[ICMP].code, reply[ICMP].seq) == (0, 0, size)
        assert bytes(reply[ICMP].payload)[:size] == bytes(i & 255 for i in range(size))
        assert reply[IP].len == 28 + size and checksums_are_right(reply[IP])
    size = min(size, 1452)
    for gateway in (LEFT_GATEWAY6, RIGHT_GATEWAY6):
        data = bytes(i & 255 for i in range(size))
        between.send(IPv6(src=LEFT6, dst=gateway, hlim=3) / ICMPv6EchoRequest(id=0x4243, seq=size, data=data))
        reply = between.expect_answer(lambda frame: ICMPv6EchoReply in frame and frame[ICMPv6EchoReply].id == 0x4243)
        assert (reply[IPv6].src, reply[IPv6].dst, reply[IPv6].hlim) == (gateway, LEFT6, 64)
        assert (reply[ICMPv6EchoReply].seq, bytes(reply[ICMPv6EchoReply].data)) == (size, data)
        assert checksums_are_right(reply[IPv6])


def test_drops_echo_requests_with_wrong_checksums_or_to_everybody(router):
    between = router()
    for packet in (IP(src=LEFT4, dst=LEFT_GATEWAY4) / ICMP(id=5, chksum=0x1234),
                   IP(src=LEFT4, dst="255.255.255.255") / ICMP(id=5), IP(src=LEFT4, dst="10.1.0.255") / ICMP(id=5),
                   IPv6(src=LEFT6, dst=LEFT_GATEWAY6) / ICMPv6EchoRequest(id=5, cksum=0x1234)):
        between.send(packet)
        between.at_left.expect_none(lambda frame: frame.src == between.mac["l0"] and
                                    (ICMP in frame or ICMPv6EchoReply in frame), 0.3)


def test_says_that_the_time_ran_out(router):
    between = router()
    for ttl in (0, 1):
        expect_error4(between, IP(src=LEFT4, dst=BEYOND4, ttl=ttl, id=3) / UDP(sport=1, dport=33434) / b"trace", 11, 0)
        expect_error6(between, IPv6(src=LEFT6, dst=BEYOND6, hlim=ttl) / UDP(sport=1, dport=33434) / b"trace",
                      ICMPv6TimeExceeded, 0)


def test_quotes_as_much_as_fits(router):
    between = router()
    expect_error4(between, IP(src=LEFT4, dst=BEYOND4, ttl=1) / UDP(sport=1, dport=2) / bytes(1400), 11, 0)
    expect_error6(between, IPv6(src=LEFT6, dst=BEYOND6, hlim=1) / UDP(sport=1, dport=2) / bytes(1400),
                  ICMPv6TimeExceeded, 0)


def test_says_that_there_is_no_route(router):
    between = router()
    expect_error4(between, IP(src=LEFT4, dst="192.0.2.1") / TCP(sport=1, dport=2), 3, 0)
    expect_error6(between, IPv6(src=LEFT6, dst="2001:db8:ffff::1") / TCP(sport=1, dport=2), ICMPv6DestUnreach, 0)


def test_says_what_an_unreachable_or_prohibit_route_means(router):
    between = router(startup=["add route 203.0.113.0/25 unreachable", "add route 203.0.113.128/25 prohibit",
                              "add route 2001:db8:a::/48 unreachable", "add route 2001:db8:b::/48 prohibit"])
    expect_error4(between, IP(src=LEFT4, dst="203.0.113.1") / UDP(sport=1, dport=2), 3, 1)
    expect_error4(between, IP(src=LEFT4, dst="203.0.113.129") / UDP(sport=1, dport=2), 3, 13)
    expect_error6(between, IPv6(src=LEFT6, dst="2001:db8:a::1") / UDP(sport=1, dport=2), ICMPv6DestUnreach, 3)
    expect_error6(between, IPv6(src=LEFT6, dst="2001:db8:b::1") / UDP(sport=1, dport=2), ICMPv6DestUnreach, 1)


@pytest.mark.slow
def test_says_that_a_neighbour_does_not_answer(router):
    between = router()
    between.send(IP(src=LEFT4, dst="10.2.0.99") / UDP(sport=1, dport=2))
    answer = between.at_left.expect(lambda f: ICMP in f and f[ICMP].type == 3, timeout=15, what="host unreachable")
    assert (answer[IP].src, answer[ICMP].code) == (LEFT_GATEWAY4, 1)
    between.send(IPv6(src=LEFT6, dst="2001:db8:2::99") / UDP(sport=1, dport=2))
    answer = between.at_left.expect(lambda f: ICMPv6DestUnreach in f, timeout=15, what="address unreachable")
    assert (answer[IPv6].src, answer[ICMPv6DestUnreach].code) == (LEFT_GATEWAY6, 3)


SILENT4 = {
    "an ICMP error": IP(src=LEFT4, dst=BEYOND4, ttl=1) / ICMP(type=3, code=1) / bytes(IP(src=BEYOND4, dst=LEFT4) / UDP()),
    "a later fragment": IP(src=LEFT4, dst=BEYOND4, ttl=1, frag=10, proto=17) / bytes(32),
}
SILENT6 = {
    "an ICMPv6 error": IPv6(src=LEFT6, dst=BEYOND6, hlim=1) / ICMPv6PacketTooBig(mtu=1300) / bytes(48),
    "an error behind an extension header":
        IPv6(src=LEFT6, dst=BEYOND6, hlim=1) / IPv6ExtHdrDestOpt() / ICMPv6DestUnreach() / bytes(48),
}


def test_is_silent_where_an_error_could_make_a_storm(router):
    between = router()
    for packet in [*SILENT4.values(), *SILENT6.values()]:
        between.expect_silence(packet, 0.3)
    # In a broadcast frame, though the packet is for one.
    frame = Ether(src=between.mac["left"], dst="ff:ff:ff:ff:ff:ff") / IP(src=LEFT4, dst="192.0.2.1") / UDP()
    between.at_left.send(frame)
    between.at_left.expect_none(lambda f: ICMP in f and f.src == between.mac["l0"], 0.3)


def test_errors_are_limited_in_rate(router):
    between = router()
    packet = IP(src=LEFT4, dst=BEYOND4, ttl=1) / UDP(sport=1, dport=2)
    frame = Ether(src=between.mac["left"], dst=between.mac["l0"]) / packet
    data = bytes(frame)
    for _ in range(20000):
        between.at_left.send(data)
    answers = between.at_left.collect(1, lambda f: ICMP in f and f[ICMP].type == 11)
    assert 1 <= len(answers) < 20000
    limited = next(int(e["packets"]) for e in between.daemon.json("show node ip4-icmp-error")["event"]
                   if e["name"] == "rate-limited")
    assert limited > 0
    between.send(IP(src=LEFT4, dst=LEFT_GATEWAY4) / ICMP(id=99))
    between.expect_answer(lambda f: ICMP in f and f[ICMP].type == 0 and f[ICMP].id == 99, "an echo reply after the flood")


def test_traceroute_sees_the_router(router):
    between = router()
    for version, target, hop in (("-4", RIGHT4, LEFT_GATEWAY4), ("-6", "2001:db8:2::2", LEFT_GATEWAY6)):
        done = between.left.run("ping", version, "-n", "-c", 1, "-t", 1, "-W", 2, target, check=False)
        assert f"From {hop}" in done.stdout and "exceeded" in done.stdout.lower() or "Hop limit" in done.stdout, done.stdout
