#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Changes a node while it forwards, and counts what gets lost: a stream of numbered packets from pod to pod at half of
the rate that can be sustained without loss, first left alone, then with 100,000 routes added and deleted one by one, an
interface with routes of its own going down and up 1,000 times, and clients that ask without end.

What a machine sustains is what it brought across without loss for as long as a try takes, between a few tries. Sender,
receiver, sluiced and all clients share the machine's cores.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", "")
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench/report"), str(ROOT / "bench/throughput")]

import figures  # noqa: E402
from lib.daemon import program  # noqa: E402
from lib.net import Network, end  # noqa: E402
import subject  # noqa: E402
from stream import NEXT_HOPS, Node, Stream  # noqa: E402

FLAPPING = ["create interface null flap0", "set interface state flap0 up", "set interface address flap0 198.18.0.1/24",
            *(f"add route 198.19.{i}.0/24 via 198.18.0.2" for i in range(100))]
SHOWS = ("show interface", "show runtime", "show ip fib top 100", "show errors", "show neighbor")
TRIES = 6
STAY = 1000  # routes that are there at a time
FASTEST = 1_000_000  # packets a second


def places(result):
    return "".join(f", {place}: {count:,}" for place, count in result["where"].items())


def streamed(node, rate, seconds):
    stream = Stream(node, rate)
    try:
        time.sleep(seconds)
        return stream.stop()
    finally:
        stream.kill()


def sustained(node, seconds):
    """A rate at which nothing is lost, by halving what is left between one that goes and one that does not."""
    good, bad = 0, None
    rate = 50_000
    for number in range(TRIES):
        result = streamed(node, rate, seconds)
        goes = result["lost"] == 0 and result["rate"] > 0.97 * rate
        print(f"try {number + 1}/{TRIES}: {rate:,} packets a second: {result['lost']:,} of {result['sent']:,} lost"
              + places(result), file=sys.stderr, flush=True)
        good, bad = (max(good, rate), bad) if goes else (good, rate)
        rate = min(2 * rate, FASTEST) if bad is None else (good + bad) // 2
    if good == 0:
        sys.exit("tools/bench: packets are lost at every rate; is the machine busy?")
    return good


def scripts(node, arguments):
    """Files of commands: routes that come and go, an interface that does."""
    routes, flaps = node.daemon.folder / "churn.routes", node.daemon.folder / "churn.flaps"
    prefixes = [f"{20 + (i >> 14)}.{i >> 6 & 255}.{(i & 63) * 4}.0/{22 + i % 3}" for i in range(arguments.updates // 2)]
    with routes.open("w") as lines:
        for i, prefix in enumerate(prefixes):
            lines.write(f"add route {prefix} via {NEXT_HOPS[i % len(NEXT_HOPS)]}\n")
            if i >= STAY:
                lines.write(f"delete route {prefixes[i - STAY]}\n")
        lines.writelines(f"delete route {prefix}\n" for prefix in prefixes[-STAY:])
    with flaps.open("w") as lines:
        for _ in range(arguments.flaps):
            lines.write("set interface state flap0 down\nset interface state flap0 up\n")
    return routes, flaps


def churn(node, rate, arguments):
    """The stream under churn; what the churn was."""
    ctl = [str(program("sluicectl")), "--socket", str(node.daemon.socket)]
    files = scripts(node, arguments)
    stream, watching = Stream(node, rate), []
    try:
        for command in SHOWS:
            watching.append(subprocess.Popen([*ctl, "--watch", "0.1", command], stdout=subprocess.DEVNULL,
                                             stdin=subprocess.DEVNULL))
        begin = time.monotonic()
        changing = [subprocess.Popen([*ctl, "-f", str(file)], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
                    for file in files]
        watching += changing
        for process in changing:
            if process.wait(timeout=600):
                sys.exit("tools/bench: a change was refused")
        seconds = time.monotonic() - begin
        assert all(process.poll() is None for process in watching[:len(SHOWS)]), "a list that is watched has ended"
        return {**stream.stop(), "churn_seconds": round(seconds, 1)}
    finally:
        stream.kill()
        for process in watching:
            end(process)


def measure(arguments):
    network, node = Network(), None
    try:
        node = Node(network, FLAPPING)
        most = arguments.rate or sustained(node, arguments.seconds)
        disturbed = churn(node, most // 2, arguments)
        alone = streamed(node, most // 2, min(disturbed["churn_seconds"], 30))
        return {"sustained": most, "updates": arguments.updates, "flaps": arguments.flaps, "alone": alone,
                "disturbed": disturbed}
    finally:
        if node:
            node.close()
        network.close()


def options():
    parser = argparse.ArgumentParser(prog="tools/bench churn", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=100_000, help="routes that come or go (100,000)")
    parser.add_argument("--flaps", type=int, default=1000, help="of the interface (1,000)")
    parser.add_argument("--seconds", type=float, default=3, help="of each try for the rate (3)")
    parser.add_argument("--rate", type=int, help="packets a second that count as sustained, instead of trying")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/bench/churn.json", help="where to write")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are in build/release")
    return parser.parse_args()


def show(made):
    print(f"sustained without loss: {made['sustained']:,} packets a second; at half of it, {made['updates']:,} route "
          f"updates and {made['flaps']:,} flaps in {made['disturbed']['churn_seconds']} s")
    for name in ("alone", "disturbed"):
        row = made[name]
        print(f"{name:10} {row['lost']} of {row['sent']:,} packets lost at {row['rate']:,} a second" + places(row)
              + f"; the worker waited {row['worker_waited_seconds']} s for a CPU")


def main():
    arguments = options()
    description = subject.begin("churn", arguments.no_build, "udp_stream")
    made = measure(arguments)
    figures.write(arguments.output, description, {
        "churn": {"lost": made["disturbed"]["lost"], "lost_alone": made["alone"]["lost"],
                  "packets_per_second": made["disturbed"]["rate"], "seconds": made["disturbed"]["churn_seconds"]}},
        churn=made)
    show(made)
    print(f"written to {arguments.output}")


main()
