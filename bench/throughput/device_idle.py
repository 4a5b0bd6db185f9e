# SPDX-License-Identifier: Apache-2.0
"""What a daemon takes of a core that has interfaces of every kind and nothing to do."""
import os
import time

from lib.daemon import Daemon, Refused
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

EACH = 10
SETTLE = 3


class Idle:
    def __init__(self, turns):
        network = turns.network
        Idle.made = getattr(Idle, "made", 0) + 1
        node, far = network.namespace(f"idle{Idle.made}"), network.namespace(f"far{Idle.made}")
        for kind in ("af", "xdp"):
            for i in range(EACH):
                network.veth(node, f"{kind}{i}", far, f"{kind}{i}")
                for namespace in (node, far):
                    namespace.sysctl(f"net.ipv6.conf.{kind}{i}.disable_ipv6", 1)
        self.daemon = Daemon(node, configuration={"workers": {"count": 1}, "buffers": {"count": 65536}})
        try:
            self.kinds = [kind for kind, make in self.kinds_of(far).items() if self.add(kind, make)]
        except BaseException:
            self.close()
            raise

    def kinds_of(self, far):
        """By driver, the command that makes interface number i."""
        capture = self.daemon.folder / "one.pcap"
        wrpcap(str(capture), [Ether() / IP() / UDP()])
        return {
            "null": lambda i: f"create interface null null{i} source rate 1 count 1",
            "pcap": lambda i: f"create interface pcap pcap{i} receive {capture}",
            "tun": lambda i: f"create interface tun tun{i} netns {far.path}",
            "tap": lambda i: f"create interface tap tap{i} netns {far.path}",
            "af-packet": lambda i: f"create interface af-packet af{i}",
            "af-xdp": lambda i: f"create interface af-xdp xdp{i}",
            "dpdk": lambda i: f"create interface dpdk dpdk{i} vdev net_ring{i} queues 1",  # net_null never stops giving
        }

    def add(self, kind, make):
        """False where the daemon has no such driver, or this machine cannot carry it: then all kinds but this."""
        try:
            names = []
            for i in range(EACH):
                self.daemon.cli(make(i))
                names.append(make(i).split()[3])
            for name in names:
                self.daemon.cli(f"set interface state {name} up")
                self.daemon.cli(f"set interface rx-mode {name} adaptive")
            return True
        except Refused as refused:
            print(f"device/idle: without {kind}: {refused.stderr.strip() or refused.stdout.strip()}", flush=True)
            for name in names:
                self.daemon.cli(f"delete interface {name}")
            return False

    def cpu_seconds(self):
        """Of the whole daemon, all its threads."""
        fields = open(f"/proc/{self.daemon.process.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def measure(self, seconds):
        time.sleep(SETTLE)
        began, before = time.monotonic(), self.cpu_seconds()
        time.sleep(max(seconds, 10))
        took, after = time.monotonic() - began, self.cpu_seconds()
        return {"percent_of_a_core": 100 * (after - before) / took, "interfaces": EACH * len(self.kinds)}

    def close(self):
        try:
            self.daemon.stop()
        finally:
            self.daemon.kill()
            self.daemon.remove()


def measure(turns):
    return turns.take({"sluice": Idle})["sluice"]


ENTRIES = {"idle": (f"a core's share that a daemon takes with {EACH} idle interfaces of each kind", measure)}
