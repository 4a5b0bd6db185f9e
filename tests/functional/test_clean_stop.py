# SPDX-License-Identifier: Apache-2.0
"""A clean stop, under load and with everything made that can be, leaves the host as it was."""
import signal

import pytest

from lib.net import wait_until

A4, A6, B4 = "10.5.0.1", "2001:db8:5::1", "10.5.0.2"
SETTINGS = ("disable_ipv6", "forwarding", "arp_ignore", "rp_filter")


def kernel_state(namespace):
    """What a daemon could leave in a namespace: links, addresses, routes, rules, settings."""
    kept = {command: namespace.run("ip", *command.split()).stdout.splitlines()
            for command in ("-4 route show table all", "-6 route show table all", "rule", "-6 rule")}
    kept["links"] = [(link["ifname"], link["mtu"], *sorted(
        address["local"] for address in link.get("addr_info", []))) for link in namespace.ip_json("address show")]
    kept["settings"] = namespace.run("sh", "-c", " ".join(
        ["grep -s ''", *(f"/proc/sys/net/ipv?/conf/*/{setting}" for setting in SETTINGS)])).stdout.splitlines()
    return {key: sorted(lines) for key, lines in kept.items()}


def expect_as_before(namespace, before):
    """The kernel takes seconds to give an interface its link-local address again."""
    def changes():
        now = kernel_state(namespace)
        return {key: set(now[key]) ^ set(before[key]) for key in before if now[key] != before[key]}

    wait_until(lambda: not changes(), lambda: f"{namespace.name} to be as it was; it differs by {changes()}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_load_leaves_every_namespace_as_it_was(network, daemon, number):
    node, outside, a, b, host = (network.namespace(name) for name in ("node", "outside", "a", "b", "host"))
    network.veth(node, "up0", outside, "eth0")
    network.veth(node, "up1", outside, "eth1")
    outside.address("eth0", "192.0.2.1/24")
    outside.route("10.5.0.0/16", "192.0.2.2")
    wait_until(lambda: all("tentative" not in namespace.run("ip -6 address").stdout for namespace in (node, outside)),
               "the kernel's own addresses")
    before = {namespace.name: kernel_state(namespace) for namespace in (node, a, b, host)}
    sluice = daemon(startup=[
        f"create pod a netns {a.path} address {A4},{A6}", f"create pod b netns {b.path} address {B4} mtu 1400",
        "create interface af-packet up0", "set interface state up0 up", "set interface address up0 192.0.2.2/24",
        "create interface af-packet up1", "create interface vlan up0 100", "create interface tap tap0",
        f"create interface tun tun0 netns {host.path} host-address 10.9.0.1/24", "create host-tap host address 10.7.0.1",
        "add route 0.0.0.0/0 via 192.0.2.1", "add route 10.0.0.0/8 blackhole table 7",
        "create packet-generator s interface up0 stream ethernet src 02::1 dst 02::2 / ip4 src 10.6.0.1 dst 10.5.0.9 / udp",
        "packet-generator start s"])
    floods = [a.popen("ping", "-q", "-i", "0.002", B4), outside.popen("ping", "-q", "-i", "0.002", A4),
              # Nobody answers there: packets wait for a neighbour when the end comes.
              b.popen("ping", "-q", "-i", "0.002", "192.0.2.99")]
    wait_until(lambda: min(sluice.interface(name)["rx_packets"] for name in ("pod/a", "pod/b", "up0")) > 200, "traffic")
    assert sluice.buffers_used() > 0, "packets wait for 192.0.2.99"
    sluice.signal(number)
    sluice.stop()
    for flood in floods:
        flood.kill()
        flood.wait()
    assert not [path.name for path in (sluice.folder / "run").iterdir() if path.suffix in (".sock", ".lock")]
    for namespace in (node, a, b, host):
        expect_as_before(namespace, before[namespace.name])
