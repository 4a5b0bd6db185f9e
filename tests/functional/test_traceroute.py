# SPDX-License-Identifier: Apache-2.0
"""traceroute from a pod through the node to the outside and back: the node is a hop, in both families."""
import re

import pytest

NODE4, NODE6, OUTSIDE4, OUTSIDE6, POD4, POD6 = ("192.0.2.2", "2001:db8::2", "192.0.2.1", "2001:db8::1", "10.1.0.2",
                                                "fd00:1::2")
BEHIND4, BEHIND6 = "198.51.100.1", "2001:db8:100::1"  # another host, behind outside
HOP = re.compile(r"^\s*(\d+)\s+(\S+)(.*)$", re.MULTILINE)


@pytest.fixture
def path(network, daemon):
    """pod -- node -- outside -- behind"""
    node, pod = network.namespace("node"), network.namespace("pod")
    outside, behind = network.namespace("outside"), network.namespace("behind")
    network.veth(node, "uplink", outside, "eth0")
    network.veth(outside, "eth1", behind, "eth0")
    outside.address("eth0", f"{OUTSIDE4}/24", f"{OUTSIDE6}/64")
    outside.address("eth1", "198.51.100.254/24", "2001:db8:100::fe/64")
    behind.address("eth0", f"{BEHIND4}/24", f"{BEHIND6}/64")
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        outside.sysctl(name, 1)
    for gateway in ("198.51.100.254", "2001:db8:100::fe"):
        behind.route("default", gateway)
    outside.route("10.1.0.0/16", NODE4)
    outside.route("fd00:1::/32", NODE6)
    daemon(startup=["create interface af-packet uplink", "set interface state uplink up",
                    f"set interface address uplink {NODE4}/24", f"set interface address uplink {NODE6}/64",
                    f"create pod web netns {pod.path} address {POD4},{POD6}",
                    f"add route 0.0.0.0/0 via {OUTSIDE4}", f"add route ::/0 via {OUTSIDE6}"])
    for target in (BEHIND4, BEHIND6):  # every neighbour on the way is known
        pod.ping(target, count=5, check=False)
        pod.ping(target, count=1)
    return pod, behind


def hops(namespace, target, *options):
    """[(hop's address, what came with the times)]"""
    done = namespace.run("traceroute", "-n", "-q", 2, "-N", 1, "-w", 2, "-m", 6, *options, target)
    print(done.stdout)
    return [(address, rest) for _, address, rest in HOP.findall(done.stdout.split("\n", 1)[1])]


@pytest.mark.parametrize("method", [(), ("-I",), ("-T", "-p", "9")], ids=["udp", "icmp", "tcp"])
@pytest.mark.parametrize("pod_address, node_hop, outside_hop, behind_hop",
                         [(POD4, NODE4, OUTSIDE4, BEHIND4), (POD6, NODE6, OUTSIDE6, BEHIND6)], ids=["ip4", "ip6"])
def test_the_node_is_a_hop_in_both_directions(path, pod_address, node_hop, outside_hop, behind_hop, method):
    pod, behind = path
    outward = hops(pod, behind_hop, *method)
    assert [address for address, _ in outward] == [node_hop, outside_hop, behind_hop]
    inward = hops(behind, pod_address, *method)
    assert [address for address, _ in inward][1:] == [node_hop, pod_address] and len(inward) == 3
    for address, times in outward + inward:
        assert times.count(" ms") == 2 and "*" not in times and "!" not in times, (address, times)
