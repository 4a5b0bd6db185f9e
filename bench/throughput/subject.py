# SPDX-License-Identifier: Apache-2.0
"""What all subjects that run a sluiced have in common: how they begin, and what they ask of it."""
import os
import pathlib
import signal
import sys

import machine
from lib.daemon import BUILD


def begin(name, no_build, *programs):
    """Ends the program where network namespaces cannot be had, or what it measures is not there; a signal ends it from
    now on so that it tidies up. Returns the machine's description. programs: of build/release/bench, beside sluiced."""
    if os.geteuid() != 0:
        sys.exit(f"tools/bench: network namespaces need root; run: sudo tools/bench {name}")
    if no_build:
        machine.must_exist(BUILD / "bin/sluiced", *(BUILD / "bench" / program for program in programs))
    else:
        machine.build("node", *programs)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    return machine.describe()


def worker_of(daemon):
    """The folder in /proc of its first worker's thread."""
    tasks = pathlib.Path(f"/proc/{daemon.process.pid}/task")
    return next(task for task in tasks.iterdir() if (task / "comm").read_text().startswith("sluice-wk"))


def close(daemon):
    """Stops it, and removes it even when it does not stop."""
    try:
        daemon.stop()
    finally:
        daemon.kill()
        daemon.remove()
