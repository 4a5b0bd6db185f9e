#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs entries of build/release/bench/sluice-bench, all of them once in each round, so that what others do on the
machine meets all alike; what is written are medians of the rounds."""
import argparse
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench/report")]

import figures  # noqa: E402
import machine  # noqa: E402


def options():
    parser = argparse.ArgumentParser(prog="tools/bench FAMILY", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", help="first part of the entries' names: graph, fib4, …")
    parser.add_argument("--rounds", type=int, default=5, help="of all entries (5)")
    parser.add_argument("--seconds", type=float, default=0.2, help="that each entry takes at least in a round (0.2)")
    parser.add_argument("--filter", default="", help="only entries in whose name this regular expression is found")
    parser.add_argument("--output", type=pathlib.Path, help="where to write (build/bench/FAMILY.json)")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/bench/sluice-bench",
                        help="another build's sluice-bench")
    parser.add_argument("--no-build", action="store_true", help="take the program as it is")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: must be at least 1")
    try:
        re.compile(arguments.filter)
    except re.error as error:
        parser.error(f"--filter {arguments.filter}: {error}")
    return arguments


def entries(arguments):
    """The names of the entries that are wanted."""
    if not arguments.program.is_file():
        sys.exit(f"tools/bench: {arguments.program}: not built; leave --no-build out")
    listed = subprocess.run([arguments.program, "--benchmark_list_tests"], capture_output=True, text=True, check=False)
    if listed.returncode:
        sys.exit(f"tools/bench: {arguments.program}: status {listed.returncode}\n{listed.stderr}")
    names = [name for name in listed.stdout.split() if name.startswith(arguments.family + "/")]
    wanted = [name for name in names if re.search(arguments.filter, name)]
    if not wanted:
        sys.exit(f"tools/bench: {arguments.filter or arguments.family}: no such entry; there are: {', '.join(names)}")
    return wanted


def one_round(arguments, names, said):
    """The figures of a round, and its progress."""
    exactly = f"^({'|'.join(map(re.escape, names))})$"
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        path = pathlib.Path(folder) / "out.json"
        process = subprocess.Popen(
            [arguments.program, f"--benchmark_filter={exactly}", f"--benchmark_min_time={arguments.seconds}",
             f"--benchmark_out={path}", "--benchmark_out_format=json", "--benchmark_color=false"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
        try:
            done = 0
            for line in process.stdout:
                if not line.startswith(tuple(names)):
                    continue
                done += 1
                cycles = re.search(r"cycles_per_packet=([\d.]+[munkM]?)", line)
                print(f"{said} {done}/{len(names)} {line.split()[0]:36} {cycles.group(1) if cycles else '':>8}",
                      file=sys.stderr, flush=True)
            status = process.wait()
        finally:
            process.kill()
            process.wait()
        if status:
            sys.exit(f"tools/bench: {arguments.program} ended with status {status}")
        return figures.of_benchmark(path)


def main():
    arguments = options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    if not arguments.no_build:
        machine.build("sluice-bench")
    names = entries(arguments)
    description = machine.describe()
    output = arguments.output or ROOT / f"build/bench/{arguments.family}.json"
    try:
        rounds = [one_round(arguments, names, f"round {number + 1}/{arguments.rounds}")
                  for number in range(arguments.rounds)]
    except figures.Bad as error:
        sys.exit(f"tools/bench: {error}")
    figures.write(output, description, figures.medians(rounds), rounds=arguments.rounds)
    print(f"written to {output}")


main()
