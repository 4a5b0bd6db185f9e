#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what was measured (build/bench/*.json) with a baseline and with what must be reached. With --save it becomes
the baseline. Nothing is measured."""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench/report")]

import compare  # noqa: E402
import figures  # noqa: E402
import machine  # noqa: E402

BASELINES = ROOT / "bench/baselines"


def options():
    parser = argparse.ArgumentParser(prog="tools/bench report", description=__doc__)
    parser.add_argument("subjects", nargs="*", help="of these only (all that was measured)")
    parser.add_argument("--measured", type=pathlib.Path, default=ROOT / "build/bench", metavar="FOLDER",
                        help="where the subjects have written (build/bench)")
    parser.add_argument("--baselines", type=pathlib.Path, default=BASELINES, metavar="FOLDER",
                        help="where baselines are (bench/baselines)")
    parser.add_argument("--baseline", metavar="NAME", help="this one, not the one of a machine like this")
    parser.add_argument("--save", metavar="NAME", help="make what was measured (part of) the baseline NAME")
    arguments = parser.parse_args()
    if arguments.save and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", arguments.save):
        parser.error(f"--save {arguments.save}: a name has small letters, digits and dashes")
    return arguments


def measured(arguments):
    """By subject: machine and figures."""
    paths = [arguments.measured / f"{name}.json" for name in arguments.subjects]
    paths = paths or sorted(arguments.measured.glob("*.json"))
    if not paths:
        raise figures.Bad(f"{arguments.measured}: nothing has been measured yet; run: tools/bench")
    return {path.stem: figures.load(path) for path in paths}


def baseline_for(arguments, here):
    known = compare.load_baselines(arguments.baselines)
    if not arguments.baseline:
        return compare.choose(known, here)
    named = [b for b in known if b[0] == arguments.baseline]
    if not named:
        raise figures.Bad(f"baseline {arguments.baseline}: not in {arguments.baselines}; "
                          f"there are: {', '.join(b[0] for b in known) or 'none'}")
    return named[0]


def save(arguments, subjects):
    """What was measured takes the place of the same subjects' figures; those of others stay."""
    path = arguments.baselines / f"{arguments.save}.json"
    first, (here, _) = next(iter(subjects.items()))
    alike = {name: description for name, (description, _) in subjects.items()}
    kept, origins = {}, {}
    if path.exists():
        alike[arguments.save], kept = figures.load(path)
        origins = figures.origins(path)
    for name, other in alike.items():
        if differences := machine.differences(here, other):
            raise figures.Bad(f"{first} and {name} were not measured alike ({'; '.join(differences)}); measure one of "
                              "them again, or save under another name")
    made = {name: counters for name, counters in kept.items() if name.split("/")[0] not in subjects}
    for name, (description, measured_figures) in subjects.items():
        made |= measured_figures
        origins[name] = {key: description.get(key) for key in ("revision", "time", "load")}
    general = {key: value for key, value in here.items() if key not in ("revision", "time", "load")}
    figures.write(path, general, made, subjects=origins)
    print(f"baseline written to {path}; draw it: tools/bench plots --baseline {arguments.save}")


def main():
    arguments = options()
    try:
        subjects = measured(arguments)
        here = next(iter(subjects.values()))[0]
        found = baseline_for(arguments, here)
        print(compare.about(found[0], found[1], here) if found else f"no baseline in {arguments.baselines} yet")
        for name, (description, _) in subjects.items():
            print(f"{name}: {description.get('revision')}, {description.get('time')}, load {description.get('load')}")
        together = {name: counters for _, made in subjects.values() for name, counters in made.items()}
        print("\n" + compare.table(compare.rows(together, found[2] if found else {})))
        if arguments.save:
            save(arguments, subjects)
    except figures.Bad as error:
        sys.exit(f"tools/bench: {error}")


main()
