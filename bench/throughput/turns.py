# SPDX-License-Identifier: Apache-2.0
"""Ways to do the same that take turns: what one entry of tools/bench devices measures with.

    def measure(turns):
        made = turns.take({"sluice": Sluice, "testpmd": Testpmd})
        return {"Mpps": made["sluice"]["Mpps"], **turns.ratios("Mpps", "sluice")}

A way is made with the Turns, measures in each round and is closed at the end. Its constructor may raise Missing.
"""
import contextlib
import pathlib
import shutil
import statistics
import sys

from lib.net import Network


class Missing(Exception):
    """A way cannot be measured on this machine: a sentence with what to do."""


def peer(program, package):
    """Where a peer's program is."""
    found = shutil.which(program)
    if not found:
        raise Missing(f"{program} is not installed; run: apt-get install {package}")
    return found


class Turns:
    def __init__(self, name, arguments):
        self.name, self.rounds, self.seconds, self.only = name, arguments.rounds, arguments.seconds, arguments.ways
        self.network, self.stack = Network(), contextlib.ExitStack()
        self.measured, self.medians, self.missing = {}, {}, {}

    def take(self, ways):
        """Medians of each way's counters. ways: by name, what makes one of these Turns: an object with measure(seconds),
        which returns counters by name, and close(). They live one at a time: each is made and closed in each round."""
        for number in range(self.rounds):
            for name, make in ways.items():
                if name in self.missing or (self.only and name not in self.only):
                    continue
                try:
                    way = make(self)
                except Missing as error:
                    self.missing[name] = str(error)
                    print(f"device/{self.name}: {name} is left out: {error}", file=sys.stderr, flush=True)
                    continue
                with contextlib.closing(way):
                    made = way.measure(self.seconds)
                self.measured.setdefault(name, []).append(made)
                said = ", ".join(f"{counter} {value:,.4g}" for counter, value in made.items())
                print(f"round {number + 1}/{self.rounds} device/{self.name} {name:12} {said}", file=sys.stderr, flush=True)
        self.medians = {name: {counter: statistics.median(each[counter] for each in rounds) for counter in rounds[0]}
                        for name, rounds in self.measured.items()}
        return self.medians

    def ratios(self, counter, ours):
        """of_OTHER: how many times as much ours is, for each other way that was measured."""
        if ours not in self.medians:
            return {}
        return {f"of_{name}": self.medians[ours][counter] / made[counter]
                for name, made in self.medians.items() if name != ours and made.get(counter)}

    def hugepages(self, mebibytes):
        """Sees that so much memory is free in 2 MiB hugepages until the end, for peers that are used with them. Whether it is."""
        folder = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
        before, free = (int((folder / name).read_text()) for name in ("nr_hugepages", "free_hugepages"))
        wanted = mebibytes // 2 - free
        if wanted > 0:
            (folder / "nr_hugepages").write_text(str(before + wanted))
            self.stack.callback((folder / "nr_hugepages").write_text, str(before))
        return int((folder / "free_hugepages").read_text()) * 2 >= mebibytes

    def close(self):
        try:
            self.stack.close()
        finally:
            self.network.close()
