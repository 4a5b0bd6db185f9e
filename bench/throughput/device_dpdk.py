# SPDX-License-Identifier: Apache-2.0
"""IPv4 forwarding between two of DPDK's virtual devices on one core, beside forwarding that only rewrites MAC addresses.

Both sides are programs of ours that stamp each packet with the same valid headers after receive (dpdk_stamp.h), because
net_null hands over buffers as they lie and dpdk-testpmd cannot; dpdk_mac does what testpmd's mac mode does, and is
measured without the stamp too, beside testpmd itself. Rates are by the CPU time that the forwarding thread has had.
"""
import os
import re
import time

from lib.daemon import BUILD
from lib.net import run
from lib.testpmd import Testpmd
from turns import Missing, peer

PROGRAMS = ("dpdk_forward", "dpdk_mac")
CORE = 1
MEMORY = 512  # MiB


class Program:
    """One that forwards for so many seconds and prints what it has reached."""

    def __init__(self, turns, name, *words):
        if not turns.hugepages(MEMORY):
            raise Missing(f"needs {MEMORY} MiB of hugepages: sysctl vm.nr_hugepages={MEMORY // 2}")
        self.command = [BUILD / "bench" / name, CORE], words

    def measure(self, seconds):
        program, words = self.command
        said = run(*program, seconds, *words, timeout=60 + seconds).stdout
        return {"Mpps": float(re.search(r"Mpps ([\d.]+)", said).group(1))}

    def close(self):
        pass


class Mac:
    """testpmd's own mac mode: packets of both ports by its worker's CPU time, both read when it has stopped."""

    def __init__(self, turns, kind):
        if not turns.hugepages(MEMORY):
            raise Missing(f"needs {MEMORY} MiB of hugepages: sysctl vm.nr_hugepages={MEMORY // 2}")
        peer("dpdk-testpmd", "dpdk-dev")
        self.testpmd = Testpmd(None, [f"net_{kind}0,size=64", f"net_{kind}1,size=64"], "--total-num-mbufs=16384",
                               mode="mac", eal=("--in-memory", "-m", "256"), lcores=f"0@0,1@{CORE}")

    def measure(self, seconds):
        time.sleep(seconds)
        packets = self.testpmd.ask("stop", r"(?s)Accumulated.*?RX-packets: (\d+)")[0]
        task = f"/proc/{self.testpmd.process.pid}/task"
        times = [int(open(f"{task}/{tid}/schedstat", encoding="ascii").read().split()[0]) for tid in os.listdir(task)
                 if "worker" in open(f"{task}/{tid}/comm", encoding="ascii").read()]
        return {"Mpps": int(packets) / (sum(times) / 1e9) / 1e6}

    def close(self):
        self.testpmd.close()


def measure_null(turns):
    turns.take({"sluice": lambda t: Program(t, "dpdk_forward", "null"),
                "mac_stamped": lambda t: Program(t, "dpdk_mac", "null", "stamp"),
                "mac": lambda t: Program(t, "dpdk_mac", "null", "plain"),
                "testpmd_mac": lambda t: Mac(t, "null")})
    return {f"{way}_Mpps": made["Mpps"] for way, made in turns.medians.items()} | turns.ratios("Mpps", "sluice")


def measure_ring(turns):
    turns.take({"sluice": lambda t: Program(t, "dpdk_forward", "ring"),
                "mac_stamped": lambda t: Program(t, "dpdk_mac", "ring", "stamp")})
    return {f"{way}_Mpps": made["Mpps"] for way, made in turns.medians.items()} | turns.ratios("Mpps", "sluice")


ENTRIES = {"dpdk_null": ("IPv4 forwarding between two net_null, beside testpmd's mac mode", measure_null),
           "dpdk_ring": ("the same between two net_ring", measure_ring)}
