# SPDX-License-Identifier: Apache-2.0
"""Figures in files: what each subject of tools/bench writes to build/bench, and the baselines.

    {"machine": {…}, "figures": {"graph/ip4_forward/1000": {"cycles_per_packet": 31.2, "Mpps": 83.2}, …}, …}

A figure's name says what was measured, its first part is the subject; its counters say what came out. A baseline also
says of which revision each subject is ("subjects"). What else a file holds is its subject's own.
"""
import json
import pathlib
import statistics

# What Google Benchmark writes beside an entry's counters.
OWN_KEYS = {"name", "run_name", "run_type", "aggregate_name", "family_index", "per_family_instance_index", "repetitions",
            "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit", "label"}


class Bad(Exception):
    """A file that cannot be used: a sentence that names it and what is wrong with it."""


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def rounded(value):
    """Four digits: what is measured has no more."""
    return float(f"{value:.4g}") if value % 1 else value


def _json(path):
    path = pathlib.Path(path)
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise Bad(f"{path}: there is no such file; measure with tools/bench {path.stem}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Bad(f"{path}: {error}") from None
    except json.JSONDecodeError as error:
        raise Bad(f"{path}: no JSON: {error}; measure again") from None
    if not isinstance(content, dict):
        raise Bad(f"{path}: a {type(content).__name__}, not an object with machine and figures")
    return content


def load(path):
    """A file's machine and figures."""
    content = _json(path)
    for key in ("machine", "figures"):
        if not isinstance(content.get(key), dict):
            raise Bad(f"{path}: has no {key}; measure again with this version of tools/bench")
    for name, counters in content["figures"].items():
        if not isinstance(counters, dict) or not counters:
            raise Bad(f"{path}: {name}: must be an object of counters")
        for counter, value in counters.items():
            if not is_number(value):
                raise Bad(f"{path}: {name}: {counter} is {value!r}, not a number")
    return content["machine"], content["figures"]


def origins(path):
    """Of a baseline: revision, time and load of each subject."""
    found = _json(path).get("subjects", {})
    if not isinstance(found, dict) or not all(isinstance(origin, dict) for origin in found.values()):
        raise Bad(f"{path}: subjects must be an object of objects")
    return found


def write(path, machine, figures, **more):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: {counter: rounded(value) for counter, value in counters.items()}
            for name, counters in figures.items()}
    path.write_text(json.dumps({"machine": machine, "figures": kept, **more}, indent=1) + "\n")


def of_benchmark(path):
    """The counters of each entry in what Google Benchmark wrote of one run."""
    runs = _json(path).get("benchmarks")
    if not isinstance(runs, list):
        raise Bad(f"{path}: has no list of benchmarks; was sluice-bench interrupted?")
    figures = {}
    for run in runs:
        if not isinstance(run, dict) or not isinstance(run.get("name"), str):
            raise Bad(f"{path}: a benchmark without a name")
        if run.get("error_occurred"):
            raise Bad(f"{run['name']}: {run.get('error_message', 'it failed and does not say why')}")
        counters = {key: value for key, value in run.items() if key not in OWN_KEYS and is_number(value)}
        if not counters:
            raise Bad(f"{path}: {run['name']} has no counters")
        figures[run["name"]] = counters
    return figures


def medians(rounds):
    """Of several rounds' figures. A round in which an entry is missing does not count for it."""
    collected = {}
    for figures in rounds:
        for name, counters in figures.items():
            for counter, value in counters.items():
                collected.setdefault(name, {}).setdefault(counter, []).append(value)
    return {name: {counter: statistics.median(values) for counter, values in counters.items()}
            for name, counters in collected.items()}
