# SPDX-License-Identifier: Apache-2.0
"""Pods: attached, idempotent, kept over a crash, cleaned up. The kernel's stack in the namespaces is the peer."""
import socket
import threading

import pytest

from lib.net import Iperf, run, wait_until

A4, A6, B4, B6 = "10.5.0.1", "2001:db8:5::1", "10.5.0.2", "2001:db8:5::2"


def tuns(namespace):
    """The names of the TUN interfaces in a namespace."""
    return [link["ifname"] for link in namespace.ip_json("link show type tun") if link]


def two_pods(network):
    a, b = network.namespace("a"), network.namespace("b")
    return a, b, [f"create pod shop/a netns {a.path} address {A4},{A6}",
                  f"create pod shop/b netns {b.path} address {B4},{B6}"]


def test_pods_reach_each_other_in_both_families(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup)
    a.ping(B4)
    a.ping(B6)
    a.ping(B4, size=1400)
    assert sluice.interface("pod/shop/a")["rx_packets"] >= 9
    assert sluice.json("show errors all") is not None


def test_a_pod_has_addresses_mtu_and_default_routes(network, daemon):
    a = network.namespace("a")
    sluice = daemon()
    sluice.cli(f"create pod a netns {a.path} address {A4},{A6} interface net7 mtu 1400")
    link = a.ip_json("addr show dev net7")[0]
    assert link["mtu"] == 1400
    assert {(x["local"], x["prefixlen"]) for x in link["addr_info"] if x["scope"] == "global"} == {(A4, 32), (A6, 128)}
    assert a.ip_json("route show default")[0]["gateway"] == "169.254.1.1"
    assert a.ip_json("-6 route show default")[0]["gateway"] == "fe80::1"


def test_the_same_pod_again_is_unchanged_and_a_different_one_refused(network, daemon):
    a = network.namespace("a")
    sluice = daemon()
    command = f"create pod a netns {a.path} address {A4}"
    sluice.cli(command)
    assert "unchanged" in sluice.cli(command)
    said = sluice.refusal(f"create pod a netns {a.path} address 10.5.0.9")
    assert "10.5.0.9" in said and A4 in said and "nothing changed" in said
    sluice.cli("delete pod a")
    assert not tuns(a)
    assert "unchanged" in sluice.cli("delete pod a"), "deleting is safe to repeat"


@pytest.mark.parametrize("netns, word", [("/run/netns/nowhere", "nowhere"), ("/etc/hostname", "/etc/hostname")])
def test_a_wrong_namespace_is_named_and_nothing_is_made(network, daemon, netns, word):
    sluice = daemon()
    assert word in sluice.refusal(f"create pod a netns {netns} address {A4}")
    assert sluice.json("show interface") == []


def test_a_namespace_is_named_by_a_process_in_it(network, daemon):
    a, b = network.namespace("a"), network.namespace("b")
    holder = a.popen("sleep", "1000")
    sluice = daemon(startup=[f"create pod b netns {b.path} address {B4}"])
    sluice.cli(f"create pod a netns /proc/{holder.pid}/ns/net address {A4}")
    a.ping(B4)
    holder.kill()
    holder.wait()
    wait_until(lambda: [row["name"] for row in sluice.json("show pod")] == ["b"], "the pod to go with the process")


def test_the_names_of_pods_interfaces_are_theirs(network, daemon):
    a = network.namespace("a")
    sluice = daemon()
    assert "names that begin with pod/" in sluice.refusal("create interface null pod/a")
    assert "names that begin with pod/" in sluice.refusal("--dry-run create interface null pod/a")
    sluice.cli(f"create pod a netns {a.path} address {A4}")
    assert "use delete pod a" in sluice.refusal("delete interface pod/a")


def test_an_address_in_use_is_refused(network, daemon):
    a, b = network.namespace("a"), network.namespace("b")
    sluice = daemon()
    sluice.cli(f"create pod a netns {a.path} address {A4}")
    assert A4 in sluice.refusal(f"create pod b netns {b.path} address {A4}")
    assert not tuns(b)


def test_only_the_pods_own_source_addresses_come_in(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup)
    a.ip("addr add 10.5.0.77/32 dev eth0")
    assert a.ping(B4, count=2, extra=("-I", "10.5.0.77"), check=False) == 0
    dropped = {row["reason"]: row["packets"] for row in sluice.json("show errors")}
    assert dropped.get("spoofed-source", 0) >= 2


def test_a_super_packet_travels_whole(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup)
    iperf = Iperf(b, B4)
    iperf.run(a, seconds=1)
    row = sluice.interface("pod/shop/b")
    assert row["tx_bytes"] / row["tx_packets"] > 3000, "segments of 1500 bytes would mean that packets were cut"


class Chat:
    """A TCP connection between two pods that says something now and then and minds every answer."""

    def __init__(self, server, client, address):
        with server.entered():
            listener = socket.create_server((address, 7007))
        with client.entered():
            self.client = socket.create_connection((address, 7007), timeout=10)
        self.server, _ = listener.accept()
        listener.close()

    def say(self, word):
        self.client.settimeout(20)
        self.server.settimeout(20)
        self.client.sendall(word)
        assert self.server.recv(len(word), socket.MSG_WAITALL) == word
        self.server.sendall(word)
        assert self.client.recv(len(word), socket.MSG_WAITALL) == word

    def close(self):
        self.client.close()
        self.server.close()


def test_an_open_connection_goes_on_over_a_crash_and_a_restart(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup)
    chat = Chat(b, a, B4)
    chat.say(b"before")
    sluice.kill()
    assert a.ip_json("route show default"), "the pod keeps its interface and routes"
    sluice.start()
    chat.say(b"after")
    chat.close()
    a.ping(B6)


def test_a_clean_stop_leaves_nothing_behind(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup)
    sluice.stop()
    assert not tuns(a)
    assert not tuns(b)
    assert not sluice.socket.exists()


def test_a_namespace_that_vanishes_under_load_is_removed_and_nobody_notices(network, daemon):
    a, b, startup = two_pods(network)
    c = network.namespace("c")
    sluice = daemon(startup=[*startup, f"create pod c netns {c.path} address 10.5.0.3"])
    load = c.popen("ping", "-i", "0.002", "-q", A4)
    flood = a.popen("ping", "-i", "0.002", "-q", "10.5.0.3")
    wait_until(lambda: sluice.interface("pod/c")["rx_packets"] > 50, "traffic from pod c")
    load.kill()
    load.wait()
    c.delete()
    wait_until(lambda: all(row["name"] != "pod/c" for row in sluice.json("show interface")), "pod/c to be removed")
    flood.kill()
    flood.wait()
    a.ping(B4)
    assert "10.5.0.3" not in sluice.cli("show ip fib")


def test_a_namespace_that_takes_the_path_keeps_its_own_interface(network, daemon):
    a = network.namespace("a")
    sluice = daemon(startup=[f"create pod a netns {a.path} address {A4}"])
    a.delete()
    a = network.namespace("a")
    a.ip("link add eth0 type veth peer name eth1")
    wait_until(lambda: not sluice.json("show pod"), "the pod to go with its namespace")
    assert a.ip_json("link show eth0")


def test_a_pod_in_the_namespace_that_has_the_path_now(network, daemon):
    a, b = network.namespace("a"), network.namespace("b")
    sluice = daemon(startup=[f"create pod b netns {b.path} address {B4}", f"create pod a netns {a.path} address {A4}"])
    command = f"create pod a netns {a.path} address {A4}"
    # The path leads to another namespace all at once, so that the daemon cannot have looked in between.
    run("sh", "-c", f"umount {a.path} && unshare --net={a.path} true")
    sluice.cli("--dry-run " + command)
    sluice.cli(command)
    a.ping(B4)


class Traffic:
    """Pings and a TCP conversation between two pods, all the time. At the end none may be lost, and both have gone on."""

    def __init__(self, client, server, address):
        self.client, self.address, self.chat = client, address, Chat(server, client, address)
        self.ended, self.sent, self.answered, self.words, self.errors = threading.Event(), 0, 0, 0, []

    def __enter__(self):
        self.threads = [threading.Thread(target=self._watch, args=[work]) for work in (self._ping, self._talk)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        self.chat.close()
        if kind is None:
            assert not self.errors, self.errors
            assert self.sent == self.answered > 100, f"{self.answered} of {self.sent} pings were answered"
            assert self.words > 100, f"{self.words} words in all"

    def _watch(self, work):
        try:
            while not self.ended.is_set():
                work()
        except Exception as error:  # the test's own thread says it
            self.errors.append(repr(error))

    def _ping(self):
        self.sent += 50
        self.answered += self.client.ping(self.address, count=50, interval=0.01, check=False)

    def _talk(self):
        self.chat.say(b"%08d" % self.words * 100)
        self.words += 1
        self.ended.wait(0.005)


def test_five_hundred_pods_come_and_go_under_traffic(network, daemon):
    a, b, startup = two_pods(network)
    homes = [network.namespace(f"home{n}") for n in range(5)]
    sluice = daemon(startup=startup)
    script = sluice.folder / "pods.cmds"
    pods = [(f"many/p{i}", homes[i % 5], f"10.6.{i // 250}.{i % 250 + 1}", f"p{i}") for i in range(500)]
    with Traffic(a, b, B4):
        for _ in range(2):
            script.write_text("".join(f"create pod {name} netns {home.path} address {address} interface {interface}\n"
                                      for name, home, address, interface in pods))
            sluice.script(script)
            assert len(sluice.json("show pod")) == 502
            for _, _, address, _ in pods[-5:]:  # their default routes are the ones that count in their homes
                a.ping(address, count=2)
            script.write_text("".join(f"delete pod {name}\n" for name, *_ in pods))
            sluice.script(script)
            assert [row["name"] for row in sluice.json("show interface")] == ["pod/shop/a", "pod/shop/b"]
            assert not any(tuns(home) for home in homes)
            assert len(sluice.json("show ip fib")) == 2


def test_an_idle_daemon_costs_nearly_nothing_and_answers_at_once(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup)
    a.ping(B4, count=1)

    def ticks():
        with open(f"/proc/{sluice.process.pid}/stat") as stat:
            return sum(map(int, stat.read().rsplit(")")[1].split()[11:13]))

    before = ticks()
    b.run("sleep", "10")
    used = ticks() - before
    assert used <= 10, f"{used} ticks of 10 ms in 10 s of idleness: over 1 % of a core"
    a.ping(B4, count=1)
