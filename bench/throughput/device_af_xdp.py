# SPDX-License-Identifier: Apache-2.0
"""Forwarding of 64-byte frames between two veths, which ends in two other namespaces: one sends as fast as it can."""
import os
import time

from lib.daemon import Daemon
from lib.net import wait_until
import machine
import subject
from testpmd import Testpmd

SENDER, SINK, IN, OUT = ("02:00:00:00:0a:01", "02:00:00:00:0b:01", "02:00:00:00:0d:01", "02:00:00:00:0d:02")
GENERATOR_CORE, FORWARDER_CORE = 0, 1
FLOWS_FROM, TO = "198.18.0.1", "198.19.0.2"


class Veths:
    """left g0 -- in DUT out -- g1 right. A subclass forwards in DUT, from self.start() to self.stop()."""
    source_arguments = ()

    def __init__(self, turns):
        Veths.made = getattr(Veths, "made", 0) + 1
        self.turns, network = turns, turns.network
        self.left, self.right, self.node = (network.namespace(f"{name}{Veths.made}") for name in ("left", "right", "node"))
        network.veth(self.left, "g0", self.node, "in", offloads=False)
        network.veth(self.right, "g1", self.node, "out", offloads=False)
        for namespace, name, mac in ((self.left, "g0", SENDER), (self.right, "g1", SINK), (self.node, "in", IN),
                                     (self.node, "out", OUT)):
            namespace.sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1)
            namespace.ip(f"link set {name} address {mac}")
        for name in ("in", "out"):
            self.node.run("ethtool", "-K", name, "gro", "on")  # its NAPI: the way that frames take without an XDP program
        self.forwarder = None
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

    def worker(self):
        """CPU seconds of the forwarding thread in user mode and in the kernel, where it is ours."""
        return None

    def measure(self, seconds):
        generator = Testpmd(self.turns, self.left, GENERATOR_CORE, ["net_af_xdp0,iface=g0"], "--txpkts=64",
                            "--total-num-mbufs=8192", f"--eth-peer=0,{IN}", f"--tx-ip={FLOWS_FROM},{TO}", mode="txonly",
                            memory=128)
        try:
            wait_until(lambda: self.count()[0] > 1000, "forwarded packets")
            before, began, spent = self.count(), time.monotonic(), self.worker()
            time.sleep(seconds)
            after, took = self.count(), time.monotonic() - began
            received, sent = (b - a for a, b in zip(before, after))
            made = {"Mpps": received / took / 1e6, "offered_Mpps": sent / took / 1e6}
            if spent:
                cycles = machine.tsc_hertz() / max(received, 1)
                made.update({name: (now - then) * cycles for (name, then), now in
                             zip(spent.items(), self.worker().values())})
            return made
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
    driver = "af_xdp"

    def start(self):
        self.forwarder = Testpmd(self.turns, self.node, FORWARDER_CORE,
                                 [f"net_{self.driver}0,iface=in", f"net_{self.driver}1,iface=out"],
                                 "--total-num-mbufs=16384", f"--eth-peer=1,{SINK}")


class TestpmdMacPacket(TestpmdMac):
    driver = "af_packet"


class Sluice(Veths):
    driver = "af-packet"

    def start(self):
        self.daemon = Daemon(self.node, [
            *(f"create interface {self.driver} {name} queues 1" for name in ("in", "out")),
            *(f"set interface state {name} up" for name in ("in", "out")),
            "set interface address in 198.18.255.1/16", "set interface address out 198.19.255.1/16",
            f"add neighbor {TO} mac {SINK} interface out"], {"workers": {"count": 1, "cpus": [FORWARDER_CORE]}})
        self.thread = subject.worker_of(self.daemon)

    def worker(self):
        fields = (self.thread / "stat").read_text().rsplit(")", 1)[1].split()
        ticks = os.sysconf("SC_CLK_TCK")
        return {"user_cycles": int(fields[11]) / ticks, "system_cycles": int(fields[12]) / ticks}

    def close(self):
        try:
            if getattr(self, "daemon", None):
                subject.close(self.daemon)
        finally:
            super().close()


def measure(turns):
    made = turns.take({"sluice_af_packet": Sluice, "testpmd": TestpmdMac, "testpmd_af_packet": TestpmdMacPacket,
                       "kernel": Kernel})
    return {f"{way}_Mpps": each["Mpps"] for way, each in made.items()}


ENTRIES = {"af_xdp_veth": ("IPv4 forwarding of 64-byte frames between two veths", measure)}
