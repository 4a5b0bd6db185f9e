# SPDX-License-Identifier: Apache-2.0
"""IPIP tunnels whose other end is Linux: this machine's kernel may have none, so it is Debian's in QEMU.

Over IPv6 it puts a destination option in front of the inner header (RFC 2473 section 4.1.1), which is stepped over.
"""
import pytest
from lib import guest
from lib.net import wait_until
from lib.packets import Port, checksums_are_right
from lib.tunnels import LEFT4, LEFT6, ONE4, ONE6, TWO4, TWO6, Side, gateway
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6

# Behind each outer family an address of each inner one, and left has an address for each to come back by.
INSIDE = {4: ("10.3.4.2", "fd00:3:4::2"), 6: ("10.3.6.2", "fd00:3:6::2")}
BACK = {4: (LEFT4, LEFT6), 6: ("10.1.0.6", "2001:db8:1::6")}
SCRIPT = f"""
ip link set lo up
ip link set eth0 up
ip addr add {TWO4}/24 dev eth0
ip addr add {TWO6}/64 dev eth0 nodad
ip link add t4 type sit local {TWO4} remote {ONE4} mode any tos inherit
ip link add t6 type ip6tnl local {TWO6} remote {ONE6} mode any tclass inherit
for t in 4 6; do
  ip link set t$t up
  ip addr add 10.3.$t.2/32 dev t$t
  ip addr add fd00:3:$t::2/128 dev t$t nodad
done
ip route add {LEFT4}/32 dev t4
ip route add {LEFT6}/128 dev t4
ip route add {BACK[6][0]}/32 dev t6
ip route add {BACK[6][1]}/128 dev t6
"""


@pytest.fixture
def linux(network, daemon, tmp_path):
    if lack := guest.missing():
        pytest.skip(f"needs {lack}")
    node, left = network.namespace("node"), network.namespace("left")
    network.veth(node, "l0", left, "eth0", offloads=False)
    other = guest.Guest(node, "u0", tmp_path, ["sit", "ip6_tunnel"], SCRIPT)
    try:
        left.address("eth0", f"{LEFT4}/24", f"{LEFT6}/64", *(f"{a}/{64 if ':' in a else 24}" for a in BACK[6]))
        left.route("default", gateway(LEFT4))
        left.route("default", gateway(LEFT6))
        sluice = daemon(Side("l0", LEFT4, LEFT6, ONE4, ONE6).startup + [
            command for t, (local, remote) in {4: (ONE4, TWO4), 6: (ONE6, TWO6)}.items() for command in (
                f"create interface ipip ipip{t} local {local} remote {remote}", f"set interface state ipip{t} up",
                f"add route {INSIDE[t][0]}/32 interface ipip{t}", f"add route {INSIDE[t][1]}/128 interface ipip{t}")])
        other.wait()
        yield sluice, left, node
    finally:
        other.close()


def test_all_four_forms_with_a_linux_kernel(linux):
    sluice, left, node = linux
    with Port(node, "u0") as underlay:
        for t in (4, 6):
            for address, source in zip(INSIDE[t], BACK[t]):
                wait_until(lambda: left.ping(address, count=1, extra=["-I", source], check=False), f"{address} to answer", seconds=20)
                left.ping(address, count=5, extra=["-I", source])
                left.ping(address, count=2, size=1300, extra=["-I", source])
                # ECN and DSCP of the request come back in the reply, through Linux's own RFC 6040.
                left.ping(address, count=2, extra=["-I", source, "-Q", "0xba"])
                layer = IP if t == 4 else IPv6
                seen = underlay.expect(lambda f: layer in f and f[layer].src in (TWO4, TWO6) and 0xba ==
                                       (f[IP].tos if t == 4 else f[IPv6].tc), what="Linux's outer packet")
                assert checksums_are_right(seen[layer])
    for row in sluice.json("show ipip tunnel"):
        assert row["rx_packets"] >= 18 and row["tx_packets"] >= 18, row
    drops = {(row["node"], row["reason"]): int(row["packets"]) for row in sluice.json("show errors")}
    assert not [key for key, packets in drops.items() if key[0].startswith("ipip") and packets], drops
