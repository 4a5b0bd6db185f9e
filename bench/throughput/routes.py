#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Loads a million routes like the Internet's (bench/bgp_routes.h) into a sluiced that forwards, by `sluicectl add routes
file`: how long that takes, whether packets between two pods get lost meanwhile, how long another client waits for an
answer, what memory it takes, and how long a restart is until the routes are there again.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", "")
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench/report"), str(ROOT / "bench/throughput")]

import figures  # noqa: E402
from lib import daemon as daemons  # noqa: E402
from lib.daemon import BUILD  # noqa: E402
from lib.net import Network  # noqa: E402
import subject  # noqa: E402
from stream import NEXT_HOPS, Node, Stream  # noqa: E402


class Asking(threading.Thread):
    """Another client: asks again and again, and notes how long each answer took (the program's start included)."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.sluiced, self.took, self.ended = daemon, [], threading.Event()

    def run(self):
        ended = False
        while not ended:
            begin = time.monotonic()
            self.sluiced.cli("show version")
            self.took.append(time.monotonic() - begin)
            ended = self.ended.wait(0.1)

    def stop(self):
        self.ended.set()
        self.join()
        return {"count": len(self.took), "median_ms": round(statistics.median(self.took) * 1000, 1),
                "longest_ms": round(max(self.took) * 1000, 1)}


def load(node, file, arguments):
    """One load under a stream."""
    stream = Stream(node, arguments.rate)
    try:
        asking = Asking(node.daemon)
        asking.start()
        begin = time.monotonic()
        node.daemon.cli(f"add routes file {file}", timeout=300)
        seconds = time.monotonic() - begin
        answers = asking.stop()
        result = {"seconds": round(seconds, 2), "answers": answers, "stream": stream.stop()}
    finally:
        stream.kill()
    return result


def routes_of(node):
    return next(row["ip4_routes"] for row in node.daemon.json("show ip table") if row["table"] == 0)


def measure(arguments):
    network, node = Network(), None
    try:
        node = Node(network)
        file = node.daemon.folder / "some.routes"
        with file.open("w") as lines:
            subprocess.run([str(BUILD / "bench/bgp_lines"), str(arguments.routes), *NEXT_HOPS], stdout=lines, check=True)
        without, own = node.memory_mib(), routes_of(node)
        made = {"routes": arguments.routes, **load(node, file, arguments)}
        assert routes_of(node) - own == arguments.routes, "not all routes are there"
        made["memory_mib"] = node.memory_mib() - without
        journal = node.daemon.folder / "run/running"
        made["journal_mib"] = round(journal.stat().st_size / 2**20, 1) if journal.exists() else None
        if not arguments.no_restart:
            begin = time.monotonic()
            node.daemon.kill()
            daemons.READY_SECONDS = 300
            node.daemon.start()
            made["restart_seconds"] = round(time.monotonic() - begin, 2)
            assert routes_of(node) - own == arguments.routes, "not all routes have come back"
        return made
    finally:
        if node:
            node.close()
        network.close()


def show(made):
    stream, answers = made["stream"], made["answers"]
    print(f"{made['routes']:,} routes in {made['seconds']} s; {stream['lost']} of {stream['sent']:,} packets lost at "
          f"{stream['rate']:,} a second{''.join(f', {name}: {count}' for name, count in stream['where'].items())}")
    print(f"another client's answers: median {answers['median_ms']} ms, longest {answers['longest_ms']} ms; "
          f"{made['memory_mib']} MiB more memory, {made['journal_mib']} MiB of journal"
          + (f"; back {made['restart_seconds']} s after a kill" if "restart_seconds" in made else ""))


def options():
    parser = argparse.ArgumentParser(prog="tools/bench routes", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routes", type=int, default=1_000_000, help="how many (1,000,000)")
    parser.add_argument("--rate", type=int, default=20_000, help="of the stream between the pods, packets a second (20,000)")
    parser.add_argument("--no-restart", action="store_true", help="leave the restart out")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/bench/routes.json", help="where to write")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are in build/release")
    return parser.parse_args()


def main():
    arguments = options()
    description = subject.begin("routes", arguments.no_build, "udp_stream", "bgp_lines")
    made = measure(arguments)
    counters = {"seconds": made["seconds"], "lost": made["stream"]["lost"], "MB": made["memory_mib"],
                "longest_answer_ms": made["answers"]["longest_ms"]}
    if "restart_seconds" in made:
        counters["restart_seconds"] = made["restart_seconds"]
    figures.write(arguments.output, description, {"routes/bulk": counters}, routes=made)
    show(made)
    print(f"written to {arguments.output}")


main()
