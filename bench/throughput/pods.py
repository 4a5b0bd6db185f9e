#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""TCP and UDP by iperf3 from pod to pod and from a pod to outside, through sluiced; beside it, in the same run, the
kernel's own routing over veth, and a bare relay between two TUNs (bench/throughput/tun_relay.cc), which is the limit of
whoever forwards between pods by read(2) and write(2). The three take turns; what is printed are medians.

    sluice  pod a, pod b (TUNs) - sluiced - veth - outside
    kernel  a, b (veths) - a namespace that routes - veth - outside
    relay   a, b (TUNs) - tun_relay

tcp-no-tso is TCP with TSO off in the pods. For sluiced the worker's cycles are reported too, for each data packet with its
share of acknowledgements: its own, which are those of passes that found packets without what passed in system calls, by
the time-stamp counter, in the calmest round; and all in user mode by the kernel's accounting, looking for packets while
there were none included. The kernel samples the latter with its timer tick, so short runs give rough figures.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", "")
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench/report")]

import figures  # noqa: E402
import machine  # noqa: E402
from lib.daemon import BUILD, Daemon, program  # noqa: E402
from lib.net import Iperf, Network, end  # noqa: E402
import subject  # noqa: E402

A, B, OUTSIDE = "10.1.0.2", "10.1.0.3", "192.0.2.1"
UDP = ("-u", "-b", "0", "-l", "1472")
# kind: where to, iperf3's arguments, TSO in the pods
KINDS = {
    "tcp": (B, (), True),
    "tcp-no-tso": (B, (), False),
    "udp": (B, UDP, True),
    "tcp-outside": (OUTSIDE, (), True),
    "tcp-from-outside": (OUTSIDE, ("-R",), True),
    "udp-outside": (OUTSIDE, UDP, True),
    "udp-512": (B, ("-u", "-b", "0", "-l", "512"), True),
    "udp-64": (B, ("-u", "-b", "0", "-l", "64"), True),
}


class Path:
    """One way between two pods, and to outside where it leads there."""
    has_outside = True

    def __init__(self, network, name):
        self.network, self.servers = network, {}
        self.a, self.b = network.namespace(f"{name}-a"), network.namespace(f"{name}-b")
        if self.has_outside:
            self.node, self.outside = network.namespace(f"{name}-node"), network.namespace(f"{name}-out")
            network.veth(self.node, "uplink", self.outside, "eth0")
            self.outside.address("eth0", f"{OUTSIDE}/24")
            self.outside.route("10.1.0.0/16", "192.0.2.2")

    def measure(self, kind, seconds):
        """Mbit/s that arrived."""
        address, arguments, tso = KINDS[kind]
        for pod in (self.a, self.b):
            pod.run("ethtool", "-K", "eth0", "tso", "on" if tso else "off")
        if address not in self.servers:
            self.servers[address] = Iperf(self.b if address == B else self.outside, address)
        return self.servers[address].mbit(self.a, seconds, arguments)

    def close(self):
        pass


class Kernel(Path):
    def __init__(self, network):
        super().__init__(network, "kernel")
        self.node.sysctl("net.ipv4.ip_forward", 1)
        self.node.address("uplink", "192.0.2.2/24")
        for pod, address, name in ((self.a, A, "pod-a"), (self.b, B, "pod-b")):
            network.veth(self.node, name, pod, "eth0")
            self.node.ip(f"addr add 10.1.255.1/32 dev {name}")
            self.node.route(f"{address}/32", interface=name)
            pod.address("eth0", f"{address}/32")
            pod.route("10.1.255.1/32", interface="eth0")
            pod.route("default", "10.1.255.1")


class Relay(Path):
    has_outside = False

    def __init__(self, network):
        super().__init__(network, "relay")
        words = [BUILD / "bench/tun_relay", self.a.path, "eth0", self.b.path, "eth0"]
        self.process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                        text=True)
        try:
            if self.process.stdout.readline().strip() != "ready":
                raise AssertionError("tun_relay did not start")
            for pod, address in ((self.a, A), (self.b, B)):
                pod.address("eth0", f"{address}/24")
        except BaseException:
            end(self.process)
            raise

    def close(self):
        end(self.process)


class Built(Daemon):
    """A sluiced of this build or of another one."""
    def __init__(self, build, *setup):
        self.build = build
        super().__init__(*setup, environment={"LD_LIBRARY_PATH": str(build / "lib/sluice")})

    def command(self):
        return [str(self.build / "bin/sluiced") if word == str(program("sluiced")) else word
                for word in super().command()]


class Sluice(Path):
    def __init__(self, network, commands=(), name="sluice", build=BUILD):
        super().__init__(network, name)
        self.daemon = Built(build, self.node, [
            "create interface af-packet uplink", "set interface state uplink up",
            "set interface address uplink 192.0.2.2/24", "add route 0.0.0.0/0 via 192.0.2.1",
            f"create pod a netns {self.a.path} address {A}", f"create pod b netns {self.b.path} address {B}",
            *commands])
        self.spent, self.own = {}, {}
        self.worker = subject.worker_of(self.daemon)

    def now(self):
        """Ticks of the worker in user and kernel mode, packets that came, and each node's cycles."""
        fields = (self.worker / "stat").read_text().rsplit(")", 1)[1].split()
        interfaces = {row["name"]: row for row in self.daemon.json("show interface")}
        nodes = {f"cycles {row['node']}": row["cycles"] for row in self.daemon.json("show runtime")}
        thread = self.daemon.json("show threads")[0]
        return {"user": int(fields[11]), "system": int(fields[12]), "busy": thread["busy_cycles"],
                "calls": thread.get("system_cycles", 0), "sleeps": thread["sleeps"], "loops": thread["loops"],
                "from_client": interfaces["pod/a"]["rx_packets"],
                "back": interfaces["pod/b"]["rx_packets"] + interfaces["uplink"]["rx_packets"],
                "written": sum(interfaces[i]["tx_packets"] for i in ("pod/a", "pod/b", "uplink")),
                "bytes": interfaces["pod/a"]["rx_bytes"] + interfaces["uplink"]["rx_bytes"], **nodes}

    def measure(self, kind, seconds):
        before = self.now()
        reached = super().measure(kind, seconds)
        spent = {name: value - before.get(name, 0) for name, value in self.now().items()}
        self.own.setdefault(kind, []).append((spent["busy"] - spent["calls"]) / max(self.data_packets(kind, spent), 1))
        total = self.spent.setdefault(kind, {})
        for name, value in spent.items():
            total[name] = total.get(name, 0) + value
        return reached

    @staticmethod
    def data_packets(kind, spent):
        return spent["back"] if kind == "tcp-from-outside" else spent["from_client"]

    def worker_report(self, kind):
        """Of all rounds: cycles of the worker for a packet, and what packets were like."""
        s = self.spent[kind]
        cycles = machine.tsc_hertz() / os.sysconf("SC_CLK_TCK")
        packets = s["from_client"] + s["back"]
        data = self.data_packets(kind, s)
        return {"packets": packets, "data_packets": data, "written": s["written"],
                "bytes_a_data_packet": round(s["bytes"] / max(data, 1)),
                # Of the calmest round: whatever interrupts the worker in its own code adds to them.
                "own_cycles_a_data_packet": round(min(self.own[kind])),
                "own_cycles_of_rounds": [round(own) for own in self.own[kind]],
                "call_cycles_a_data_packet": round(s["calls"] / max(data, 1)),
                "sleeps_a_data_packet": round(s["sleeps"] / max(data, 1), 2),
                "loops_a_data_packet": round(s["loops"] / max(data, 1), 2),
                "user_cycles_a_packet": round(s["user"] * cycles / max(packets, 1)),
                "user_cycles_a_data_packet": round(s["user"] * cycles / max(data, 1)),
                "system_cycles_a_data_packet": round(s["system"] * cycles / max(data, 1)),
                "node_cycles_a_packet": {name[7:]: round(value / max(packets, 1), 1)
                                         for name, value in s.items() if name.startswith("cycles ") and value}}

    def close(self):
        subject.close(self.daemon)


def measure(arguments):
    """results[kind][path]: Mbit/s of each round; and the worker's report of each kind."""
    results = {kind: {} for kind in arguments.kinds}
    network, paths = Network(), {}
    try:
        makers = {"sluice": lambda n: Sluice(n, arguments.command), "kernel": Kernel, "relay": Relay}
        for name in arguments.paths:
            paths[name] = makers[name](network)
        if arguments.beside:
            paths["beside"] = Sluice(network, arguments.command, "beside", arguments.beside)
        for number in range(arguments.rounds):
            for kind in arguments.kinds:
                said = []
                for name, path in paths.items():
                    if KINDS[kind][0] == OUTSIDE and not path.has_outside:
                        continue
                    results[kind].setdefault(name, []).append(path.measure(kind, arguments.seconds))
                    said.append(f"{name} {results[kind][name][-1]:8.0f}")
                print(f"round {number + 1}/{arguments.rounds} {kind:18} {'   '.join(said)} Mbit/s", file=sys.stderr,
                      flush=True)
        reports = {kind: {name: path.worker_report(kind) for name, path in paths.items() if isinstance(path, Sluice)}
                   for kind in arguments.kinds}
        return results, reports
    finally:
        for path in paths.values():
            path.close()
        network.close()


def summary(results, reports):
    """By kind: medians, ratios, the worker."""
    made = {}
    for kind, by_path in results.items():
        medians = {name: round(statistics.median(rates), 1) for name, rates in by_path.items()}
        row = {"mbit": medians, "rounds": by_path, "worker": reports[kind]}
        for other in ("relay", "kernel", "beside"):
            if other in medians and "sluice" in medians:
                row[f"of_{other}"] = round(medians["sluice"] / medians[other], 3)
        made[kind] = row
    return made


def figures_of(made):
    """For comparisons with a baseline."""
    return {f"pods/{kind}": {"Mbit_per_second": row["mbit"]["sluice"],
                             **{name: row[name] for name in ("of_relay", "of_kernel") if name in row},
                             **{name: row["worker"]["sluice"][name]
                                for name in ("own_cycles_a_data_packet", "user_cycles_a_data_packet")}}
            for kind, row in made.items() if "sluice" in row["mbit"]}


def show(made):
    print(f"{'Mbit/s, medians':18} {'sluice':>8} {'relay':>8} {'kernel':>8} {'beside':>8}  sluice's of them (%)    "
          "cycles a data packet (own, in user mode), its bytes")
    for kind, row in made.items():
        rates = " ".join(f"{row['mbit'][name]:8.0f}" if name in row["mbit"] else f"{'-':>8}"
                         for name in ("sluice", "relay", "kernel", "beside"))
        shares = " ".join(f"{row[name] * 100:7.0f}" if name in row else f"{'-':>7}"
                          for name in ("of_relay", "of_kernel", "of_beside"))
        workers = "   ".join(
            f"({w['own_cycles_a_data_packet']}, {w['user_cycles_a_data_packet']}), {w['bytes_a_data_packet']}"
            for w in row["worker"].values())
        print(f"{kind:18} {rates} {shares}   {workers}")


def options():
    parser = argparse.ArgumentParser(prog="tools/bench pods", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="of each measurement (7)")
    parser.add_argument("--seconds", type=int, default=2, help="that each one takes (2)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND",
                        help=f"what to measure: {', '.join(KINDS)} (all)")
    parser.add_argument("--paths", nargs="+", choices=("sluice", "kernel", "relay"), metavar="PATH",
                        default=("sluice", "kernel", "relay"), help="which ways: sluice, kernel, relay (all)")
    parser.add_argument("--beside", type=pathlib.Path, metavar="BUILD",
                        help="another build's folder, whose sluiced takes its turns too: before and after a change")
    parser.add_argument("--command", action="append", default=[], help="another command for sluiced's start")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/bench/pods.json", help="where to write")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are in build/release")
    return parser.parse_args()


def main():
    arguments = options()
    description = subject.begin("pods", arguments.no_build, "tun_relay")
    made = summary(*measure(arguments))
    figures.write(arguments.output, description, figures_of(made), seconds=arguments.seconds, pods=made)
    show(made)
    print(f"written to {arguments.output}")


main()
