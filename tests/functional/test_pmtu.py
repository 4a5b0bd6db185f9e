# SPDX-License-Identifier: Apache-2.0
"""Path MTU discovery: RFC 1191, RFC 8201. The kernel on the left is the judge of the messages."""
from lib.net import wait_until
from lib.packets import checksums_are_right
from lib.router import BEYOND4, BEYOND6, LEFT4, LEFT6, LEFT_GATEWAY4, LEFT_GATEWAY6, RIGHT4, RIGHT6
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether

MTU = 1300


def test_says_which_mtu_a_packet_with_df_must_keep(router):
    between = router(right_mtu=MTU)
    fits = IP(src=LEFT4, dst=BEYOND4, flags="DF") / UDP(sport=1, dport=2) / bytes(MTU - 28)
    between.send(fits)
    between.expect_forwarded(fits)
    for transport in (UDP(sport=1, dport=2) / bytes(MTU - 28 + 1), TCP(sport=1, dport=2) / bytes(1460)):
        packet = IP(src=LEFT4, dst=BEYOND4, flags="DF", id=9) / transport
        between.send(packet)
        answer = between.expect_answer(lambda frame: ICMP in frame and frame[ICMP].type == 3)
        assert (answer[IP].src, answer[IP].dst, answer[ICMP].code) == (LEFT_GATEWAY4, LEFT4, 4)
        assert answer[ICMP].nexthopmtu == MTU
        assert bytes(answer[IP])[28:] == bytes(packet)[:548]
    between.at_right.expect_none(lambda frame: IP in frame and len(frame) > MTU + 14, 0.2)


def test_says_which_mtu_an_ipv6_packet_must_keep(router):
    between = router(right_mtu=MTU)
    fits = IPv6(src=LEFT6, dst=BEYOND6) / UDP(sport=1, dport=2) / bytes(MTU - 48)
    between.send(fits)
    between.expect_forwarded(fits)
    packet = IPv6(src=LEFT6, dst=BEYOND6) / UDP(sport=1, dport=2) / bytes(MTU - 48 + 1)
    between.send(packet)
    answer = between.expect_answer(lambda frame: ICMPv6PacketTooBig in frame)
    assert (answer[IPv6].src, answer[IPv6].dst) == (LEFT_GATEWAY6, LEFT6)
    assert (answer[ICMPv6PacketTooBig].code, answer[ICMPv6PacketTooBig].mtu) == (0, MTU)
    assert bytes(answer[IPv6])[48:] == bytes(packet)[:1232]
    assert answer[IPv6].plen == 8 + 1232


def test_the_kernel_learns_the_path_mtu(router):
    between = router(right_mtu=MTU)
    for version, target in (("-4", RIGHT4), ("-6", RIGHT6)):
        between.left.run("ping", version, "-n", "-c", 1, "-W", 1, "-M", "do", "-s", 1400, target, check=False)
        wait_until(lambda: f"mtu {MTU}" in between.left.run("ip", version, "route", "get", target).stdout,
                   f"the kernel to learn the path MTU to {target}")
        size = MTU - (28 if version == "-4" else 48)
        assert between.left.ping(target, count=2, size=size, extra=(version, "-M", "do")) == 2


def test_a_tcp_connection_adapts(router):
    between = router(right_mtu=MTU)
    for listen, target in (("0.0.0.0", RIGHT4), ("::", RIGHT6)):
        serve = (f"import socket; s = socket.create_server(('{listen}', 5001), family=socket.AF_INET6 if ':' in '{listen}' "
                 "else socket.AF_INET); print('ready', flush=True); c, _ = s.accept(); n = 0\n"
                 "while d := c.recv(65536): n += len(d)\n"
                 "print(n, flush=True)")
        server = between.right.popen("python3", "-c", serve)
        assert server.stdout.readline().strip() == "ready"
        send = f"import socket; s = socket.create_connection(('{target}', 5001), 5); s.sendall(bytes(300000)); s.close()"
        between.left.run("python3", "-c", send)
        assert server.communicate(timeout=20)[0].split()[-1] == "300000"


def test_the_mtu_can_change_under_way(router):
    between = router()
    packet = IPv6(src=LEFT6, dst=BEYOND6) / UDP(sport=1, dport=2) / bytes(1400)
    between.send(packet)
    between.expect_forwarded(packet)
    between.daemon.cli("set interface mtu r0 1280")
    between.send(packet)
    answer = between.expect_answer(lambda frame: ICMPv6PacketTooBig in frame)
    assert answer[ICMPv6PacketTooBig].mtu == 1280
    small = IPv6(src=LEFT6, dst=BEYOND6) / UDP(sport=1, dport=2) / bytes(1280 - 48)
    between.send(small)
    between.expect_forwarded(small)
    assert checksums_are_right(small)


def test_a_subinterface_promises_what_its_parent_can_send(router):
    """Under two tags, at first and when the parent's MTU goes down: the longest packet must come out on the wire."""
    between = router(startup=["create interface vlan r0 200 inner 7", "set interface state r0.200.7 up",
                              "set interface address r0.200.7 10.7.0.1/24"])
    tags = Dot1AD(vlan=200) / Dot1Q(vlan=7)

    def tagged(frame):
        return Dot1AD in frame and frame[Dot1AD].vlan == 200 and frame[Dot1Q].vlan == 7

    for parent in (1500, 1400):
        between.daemon.cli(f"set interface mtu r0 {parent}")
        mtu = between.daemon.interface("r0.200.7")["mtu"]
        assert mtu == parent - 8
        longest = IP(src=LEFT4, dst="10.7.0.2", flags="DF") / UDP(sport=1, dport=2) / bytes(mtu - 28)
        between.send(longest)
        if parent == 1500:
            between.at_right.expect(lambda frame: tagged(frame) and ARP in frame, what="a question with both tags")
            between.at_right.send(Ether(src=between.mac["right"], dst=between.mac["r0"]) / tags /
                                  ARP(op=2, hwsrc=between.mac["right"], psrc="10.7.0.2",
                                      hwdst=between.mac["r0"], pdst="10.7.0.1"))
        seen = between.at_right.expect(lambda frame: tagged(frame) and UDP in frame, what=f"{mtu} bytes and both tags")
        assert len(seen[IP]) == mtu
        between.send(IP(src=LEFT4, dst="10.7.0.2", flags="DF") / UDP(sport=1, dport=2) / bytes(mtu - 28 + 1))
        answer = between.expect_answer(lambda frame: ICMP in frame and frame[ICMP].type == 3)
        assert (answer[ICMP].code, answer[ICMP].nexthopmtu) == (4, mtu)
    assert "takes 68 to 1392 bytes; raise that of r0 first" in between.daemon.refusal("set interface mtu r0.200.7 1400")
