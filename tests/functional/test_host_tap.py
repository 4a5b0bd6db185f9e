# SPDX-License-Identifier: Apache-2.0
"""The host's own stack behind the host tap: what it reaches, what is punted to it, what it is given and loses again."""
import pytest

from lib.net import Iperf, wait_until

STARTUP = [
    "create interface af-packet uplink",
    "set interface state uplink up",
    "set interface address uplink 192.0.2.2/24",
    "set interface address uplink 2001:db8::2/64",
    "create host-tap host address 10.1.255.1,fd00:1:ffff::1",
]


@pytest.fixture
def node(network, daemon):
    """A daemon with a pod, a host tap and an uplink, and the namespaces."""
    here, pod, outside = network.namespace("node"), network.namespace("pod"), network.namespace("outside")
    network.veth(here, "uplink", outside, "eth0")
    outside.address("eth0", "192.0.2.1/24", "2001:db8::1/64")
    outside.route("10.1.0.0/16", "192.0.2.2")
    outside.route("fd00:1::/32", "2001:db8::2")
    sluice = daemon(startup=[*STARTUP, f"create pod web netns {pod.path} address 10.1.0.2,fd00:1::2",
                             "add route 0.0.0.0/0 via 192.0.2.1", "add route ::/0 via 2001:db8::1"])
    return sluice, here, pod, outside


@pytest.mark.parametrize("pod_address, outside_address, tap_address",
                         [("10.1.0.2", "192.0.2.1", "10.1.255.1"), ("fd00:1::2", "2001:db8::1", "fd00:1:ffff::1")])
def test_the_host_pods_and_outside_reach_each_other(node, pod_address, outside_address, tap_address):
    _, here, pod, outside = node
    here.ping(pod_address)
    here.ping(outside_address)
    pod.ping(tap_address)
    outside.ping(tap_address)


@pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::2"])
def test_tcp_to_the_node_itself_is_the_hosts(node, address):
    sluice, here, _, outside = node
    assert Iperf(here, address).mbit(outside, seconds=1) > 10
    assert sluice.interface("uplink")["punts"] > 0


def test_the_host_hears_each_packet_once(node):
    _, here, _, outside = node
    done = outside.run("ping", "-n", "-c", "5", "-i", "0.2", "-W", "1", "192.0.2.2")
    assert "duplicates" not in done.stdout, done.stdout
    assert "duplicates" not in here.run("ping", "-n", "-c", "5", "-i", "0.2", "-W", "1", "192.0.2.1").stdout


def addresses(namespace):
    return {f"{a['local']}/{a['prefixlen']}" for link in namespace.ip_json("addr show host")
            for a in link.get("addr_info", []) if a["scope"] == "global"}


def test_routes_and_addresses_follow_pods_and_interfaces(node):
    sluice, here, _, _ = node
    assert addresses(here) == {"10.1.255.1/32", "192.0.2.2/32", "fd00:1:ffff::1/128", "2001:db8::2/128"}
    routes = {r["dst"] for r in here.ip_json("route show dev host")}
    assert {"default", "10.1.0.2", "192.0.2.0/24"} <= routes
    sluice.cli("delete pod web")
    sluice.cli("delete interface address uplink 192.0.2.2/24")
    assert addresses(here) == {"10.1.255.1/32", "fd00:1:ffff::1/128", "2001:db8::2/128"}
    assert {r["dst"] for r in here.ip_json("route show dev host")} == {"default"}


def test_what_a_deleted_interface_had_is_taken_back(node):
    sluice, here, _, _ = node
    sluice.cli("create interface vlan uplink 100")
    sluice.cli("set interface address uplink.100 198.51.100.2/24")
    sluice.cli("delete interface uplink")
    assert addresses(here) == {"10.1.255.1/32", "fd00:1:ffff::1/128"}
    assert {r["dst"] for r in here.ip_json("route show dev host")} == {"default", "10.1.0.2"}


def test_routes_and_addresses_come_back_when_the_link_was_down(node):
    sluice, here, _, _ = node

    def state():
        return (addresses(here), {r["dst"] for r in here.ip_json("route show dev host")},
                {r["dst"] for r in here.ip_json("-6 route show dev host proto static")})

    before = state()
    assert "fd00:1::2" in before[2] and "10.1.0.2" in before[1]
    here.ip("link set host down")
    assert state() != before
    sluice.cli("delete interface address uplink 192.0.2.2/24")
    sluice.cli("set interface address uplink 192.0.2.2/24")
    here.ip("link set host up")
    wait_until(lambda: state() == before, "the host to have its routes and addresses back")
    here.ping("10.1.0.2")


def test_what_the_kernel_refuses_is_tried_again(node):
    sluice, here, *_ = node
    here.sysctl("net.ipv6.conf.host.disable_ipv6", 1)
    sluice.cli("set interface address uplink 2001:db8:7::2/64")
    sluice.cli("set interface address uplink 203.0.113.2/24")
    assert "203.0.113.2/32" in addresses(here), "one family does not wait for the other"
    here.sysctl("net.ipv6.conf.host.disable_ipv6", 0)
    wait_until(lambda: "2001:db8:7::2/128" in addresses(here), "the address that was refused at first")
    wait_until(lambda: "2001:db8:7::/64" in {r["dst"] for r in here.ip_json("-6 route show dev host")}, "its route")


def test_the_same_command_again_changes_nothing_and_another_is_refused(node):
    sluice, *_ = node
    assert "unchanged" in sluice.cli("create host-tap host address 10.1.255.1,fd00:1:ffff::1")
    said = sluice.refusal("create host-tap host address 10.1.255.9")
    assert "10.1.255.9 instead of 10.1.255.1" in said and "nothing changed" in said
    assert "there is one at most" in sluice.refusal("create host-tap other address 10.1.255.9")


def test_it_goes_with_its_command_and_with_a_clean_stop(node):
    sluice, here, *_ = node
    sluice.cli("delete host-tap host")
    assert not here.ip_json("link show type tun")
    assert "unchanged" in sluice.cli("delete host-tap host")
    sluice.cli("create host-tap host address 10.1.255.1")
    sluice.stop()
    assert not here.ip_json("link show type tun")


def test_it_outlives_a_crash(node):
    sluice, here, pod, _ = node
    sluice.kill()
    assert addresses(here), "the host keeps its interface and addresses"
    sluice.start()
    wait_until(lambda: here.ping("10.1.0.2", count=1, check=False), "the host to reach the pod again")
