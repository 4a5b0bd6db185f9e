# SPDX-License-Identifier: Apache-2.0
"""Figures beside those of a baseline and what must be reached."""
import figures
import machine
from targets import TARGETS, reached, words


def shown(name, counters):
    """The counters of a figure that a comparison shows: what a packet costs, else all, and what has a target."""
    if "cycles_per_packet" not in counters:
        return list(counters)
    return ["cycles_per_packet"] + [counter for counter in counters
                                    if counter != "cycles_per_packet" and (name, counter) in TARGETS]


def rows(now, baseline):
    """(figure, counter, baseline or None, now, now over baseline or None, target's words, reached or None)."""
    made = []
    for name, counters in now.items():
        for counter in shown(name, counters):
            value, before = counters[counter], baseline.get(name, {}).get(counter)
            ratio = value / before if before else None
            how, limit = TARGETS.get((name, counter), ("", None))
            made.append((name, counter, before, value, ratio, words(how, limit), reached(how, limit, value)))
    return made


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(made):
    heads = ("figure", "counter", "baseline", "now", "ratio", "target", "")
    lines = [heads] + [(name, counter, number(before), number(value), f"{ratio:.2f}" if ratio else "-", target,
                        {True: "reached", False: "missed", None: ""}[met])
                       for name, counter, before, value, ratio, target, met in made]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    left = (0, 1, 6)
    return "\n".join("  ".join(cell.ljust(width) if i in left else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def about(name, there, here):
    """What the reader must know of the baseline's machine."""
    said = f"baseline {name}"
    differences = machine.differences(there, here)
    if not differences:
        return f"{said}: measured on a machine like this one"
    return "\n  ".join([f"{said}\nANOTHER MACHINE than the baseline's, so ratios say little:"] + differences)


def choose(baselines, here):
    """The (name, machine, figures) that was measured on a machine like this one, else the first, else None."""
    alike = [b for b in baselines if not machine.differences(b[1], here)]
    return (alike or baselines or [None])[0]


def load_baselines(folder):
    return [(path.stem, *figures.load(path)) for path in sorted(folder.glob("*.json"))]
