# SPDX-License-Identifier: Apache-2.0
"""Forwarding of 64-byte frames between two veths, whose other ends lie in two namespaces: out of one come frames as fast
as the kernel can make them, the other's kernel throws them away. The sender has one core, the forwarder another.

xdp_pour.cc sends XDP frames, which are no socket buffers yet when they come out of the veth: whoever forwards pays for
those that he needs. testpmd sends one for each packet, as most senders do, and is the slower sender."""
import os
import pathlib
import time

from lib.daemon import BUILD, Daemon
from lib.net import end, wait_until
import machine
import subject
from testpmd import Testpmd

SENDER, SINK, IN, OUT = ("02:00:00:00:0a:01", "02:00:00:00:0b:fe", "02:00:00:00:0d:01", "02:00:00:00:0d:02")
GENERATOR_CORE, FORWARDER_CORE = 0, 1
FROM, TO = "198.18.0.1", "198.19.0.2"


class Pour:
    """xdp_pour, from when it says that it is ready."""

    def __init__(self, namespace, core, *words):
        self.process = namespace.popen("taskset", "-c", core, BUILD / "bench/xdp_pour", *words, stderr=None)
        if self.process.stdout.readline().strip() != "ready":
            end(self.process)
            raise AssertionError("xdp_pour did not start")

    def close(self):
        self.process.terminate()
        self.process.wait(10)


class Veths:
    """left g0 -- in node out -- g1 right. A subclass forwards in node, from start() to close()."""

    def __init__(self, turns):
        Veths.made = getattr(Veths, "made", 0) + 1
        self.turns, network = turns, turns.network
        self.left, self.right, self.node = (network.namespace(f"{name}{Veths.made}") for name in ("left", "right", "node"))
        network.veth(self.left, "g0", self.node, "in", offloads=False)
        network.veth(self.right, "g1", self.node, "out", offloads=False)
        for namespace, name, mac in ((self.left, "g0", SENDER), (self.right, "g1", "02:00:00:00:0b:01"), (self.node, "in", IN),
                                     (self.node, "out", OUT)):
            namespace.sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1)
            namespace.ip(f"link set {name} address {mac}")
        for name in ("in", "out"):
            self.node.run("ethtool", "-K", name, "gro", "on")  # its NAPI: the way that frames take without an XDP program
        self.forwarder = self.thread = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def count(self):
        """Packets that the sink got, and the sender sent."""
        def link(namespace, name):
            return namespace.ip_json(f"-s link show {name}")[0]["stats64"]
        return link(self.right, "g1")["rx"]["packets"], link(self.left, "g0")["tx"]["packets"]

    def spent(self, sender):
        """CPU seconds: of the sender, which receives for the forwarder too, and forwards where the kernel does; of the
        forwarding thread in user mode and in the kernel, where there is one."""
        def times(folder):
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13]]
        made = {"sender_cycles": sum(times(pathlib.Path(f"/proc/{sender.process.pid}")))}
        if self.thread:
            made["user_cycles"], made["system_cycles"] = times(self.thread)
        return made

    def measure(self, seconds):
        generator = self.turns.generator(self)
        try:
            wait_until(lambda: self.count()[0] > 1000, "forwarded packets")
            time.sleep(0.5)
            before, began, spent = self.count(), time.monotonic(), self.spent(generator)
            time.sleep(seconds)
            after, took, now = self.count(), time.monotonic() - began, self.spent(generator)
            forwarded, offered = (b - a for a, b in zip(before, after))
            made = {"Mpps": forwarded / took / 1e6, "offered_Mpps": offered / took / 1e6}
            packets = {name: offered if name == "sender_cycles" else forwarded for name in spent}
            return {**made, **{name: (now[name] - spent[name]) * machine.tsc_hertz() / max(packets[name], 1)
                               for name in spent}}
        finally:
            generator.close()

    def start(self):
        raise NotImplementedError

    def close(self):
        if self.forwarder:
            self.forwarder.close()
        for namespace in (self.left, self.right, self.node):
            namespace.delete()
            self.turns.network.namespaces = {name: each for name, each in self.turns.network.namespaces.items()
                                             if each is not namespace}


class Kernel(Veths):
    def start(self):
        self.node.sysctl("net.ipv4.ip_forward", 1)
        self.node.sysctl("net.ipv4.conf.all.rp_filter", 0)
        self.node.sysctl("net.ipv4.conf.in.rp_filter", 0)
        self.node.address("in", "198.18.255.1/16")
        self.node.address("out", "198.19.255.1/16")
        self.node.ip(f"neigh add {TO} lladdr {SINK} dev out")


class TestpmdMac(Veths):
    def start(self):
        self.forwarder = Testpmd(self.turns, self.node, FORWARDER_CORE, ["net_af_xdp0,iface=in", "net_af_xdp1,iface=out"],
                                 "--total-num-mbufs=16384", f"--eth-peer=1,{SINK}")
        self.thread = self.forwarder.worker()


class Sluice(Veths):
    create = "af-xdp {}"

    def start(self):
        self.daemon = None
        pages = self.turns.hugepages(64)
        self.daemon = Daemon(self.node, [
            *(f"create interface {self.create.format(name)}" for name in ("in", "out")),
            *(f"set interface state {name} up" for name in ("in", "out")),
            "set interface address in 198.18.255.1/16", "set interface address out 198.19.255.1/16",
            f"add neighbor {TO} mac {SINK} interface out", *self.more()],
            {"workers": {"count": 1, "cpus": [FORWARDER_CORE]}, "buffers": {"count": 16384, "hugepages": pages}})
        self.thread = subject.worker_of(self.daemon)

    def more(self):
        return ()

    def close(self):
        try:
            if self.daemon:
                subject.close(self.daemon)
        finally:
            super().close()


class SluicePolled(Sluice):
    """The worker does the driver's work too."""
    create = "af-xdp {} busy-poll 64"

    def more(self):
        return [f"set interface rx-mode {name} polling" for name in ("in", "out")]


class SluicePacket(Sluice):
    create = "af-packet {} queues 1"


def frames(veths):
    return Pour(veths.left, GENERATOR_CORE, "g0", SENDER, IN, FROM, TO)


def socket_buffers(veths):
    return Testpmd(veths.turns, veths.left, GENERATOR_CORE, ["net_af_xdp0,iface=g0"], "--txpkts=64",
                   "--total-num-mbufs=8192", f"--eth-peer=0,{IN}", f"--tx-ip={FROM},{TO}", mode="txonly", memory=128)


def measure(turns, generator=frames, more=()):
    turns.generator = generator
    made = turns.take({"sluice": Sluice, "testpmd": TestpmdMac, "kernel": Kernel, **dict(more)})
    counters = {f"Mpps_{way}": each["Mpps"] for way, each in made.items() if way != "sluice"}
    if "sluice" in made:
        counters = {"Mpps": made["sluice"]["Mpps"], **turns.ratios("Mpps", "sluice"), **counters,
                    **{name: made["sluice"][name] for name in ("user_cycles", "system_cycles")}}
    return counters


ENTRIES = {
    "af_xdp_veth": ("IPv4 forwarding of 64-byte frames between two veths, which come as XDP frames",
                    lambda turns: measure(turns, more={"busy_poll": SluicePolled, "af_packet": SluicePacket}.items())),
    "af_xdp_veth_skb": ("the same, which come as socket buffers (of testpmd)",
                        lambda turns: measure(turns, socket_buffers)),
}
PROGRAMS = ("xdp_pour",)
