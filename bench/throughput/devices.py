#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packets through devices, beside who else can do the same. In each entry the ways take turns in one run; what is
written are medians. A peer that is not installed is left out, with how to install it.

{entries}
"""
import argparse
import importlib
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", "")
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench/report"), str(ROOT / "bench/throughput")]

import figures  # noqa: E402
import subject  # noqa: E402
from turns import Turns  # noqa: E402


def registry():
    """By name: what it is, and the function that measures it. Each device_*.py beside this file adds its own:

        ENTRIES = {"af_xdp_veth": ("one line for --help", measure)}    # the figure device/af_xdp_veth
        PROGRAMS = ("xdp_pour",)                                       # of build/release/bench, that it needs

    measure(turns) returns the figure's counters, numbers by name; see turns.py.
    """
    entries, programs = {}, []
    for path in sorted(pathlib.Path(__file__).parent.glob("device_*.py")):
        module = importlib.import_module(path.stem)
        entries.update(module.ENTRIES)
        programs += getattr(module, "PROGRAMS", ())
    return entries, sorted(set(programs))


def options(entries):
    listed = "\n".join(f"  {name:16} {about}" for name, (about, _) in entries.items())
    parser = argparse.ArgumentParser(prog="tools/bench devices", description=__doc__.replace("{entries}", listed),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each entry (5)")
    parser.add_argument("--seconds", type=float, default=3, help="that each way takes in a round (3)")
    parser.add_argument("--filter", default="", help="only entries in whose name this regular expression is found")
    parser.add_argument("--ways", nargs="+", metavar="WAY", help="only these of an entry's (all)")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/bench/devices.json", help="where to write")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are in build/release")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: must be at least 1")
    try:
        arguments.entries = {name: made for name, made in entries.items() if re.search(arguments.filter, name)}
    except re.error as error:
        parser.error(f"--filter {arguments.filter}: {error}")
    if not arguments.entries:
        parser.error(f"--filter {arguments.filter}: no such entry; there are: {', '.join(entries)}")
    return arguments


def show(name, counters, medians):
    print(f"device/{name}: " + ", ".join(f"{counter} {figures.rounded(value):,}" for counter, value in counters.items()))
    for way, made in medians.items():
        print(f"  {way:24} " + ", ".join(f"{counter} {figures.rounded(value):,}" for counter, value in made.items()))


def main():
    entries, programs = registry()
    arguments = options(entries)
    description = subject.begin("devices", arguments.no_build, *programs)
    made, details = {}, {}
    for name, (_, measure) in arguments.entries.items():
        turns = Turns(name, arguments)
        try:
            made[f"device/{name}"] = measure(turns)
        finally:
            turns.close()
        details[name] = {"medians": turns.medians, "rounds": turns.measured, "missing": turns.missing}
        show(name, made[f"device/{name}"], turns.medians)
    figures.write(arguments.output, description, made, rounds=arguments.rounds, seconds=arguments.seconds,
                  devices=details)
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
