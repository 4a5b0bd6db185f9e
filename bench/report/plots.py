#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the plots that docs/performance.md shows, from a baseline: the same figures make the same files."""
import argparse
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench/report")]

import figures  # noqa: E402

PEERS = json.loads((ROOT / "bench/report/peers.json").read_text())
BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#d9822b", "#3a8f4d", "#777777"
NODES = ("ethernet-input", "ip4-input", "ip4-lookup", "ip4-rewrite", "interface-output")
COLOURS = dict(zip(NODES, ("#4878a8", "#6fa8dc", "#d9822b", "#3a8f4d", "#8e6fb0")))


def of(made, name, counter="cycles_per_packet"):
    if counter not in made.get(name, {}):
        raise figures.Bad(f"{name}: {counter}: not among the figures; measure it and save the baseline again")
    return made[name][counter]


def by_number(made, pattern, counter="cycles_per_packet"):
    """The number in a figure's name and the counter, of all figures that a pattern matches, in their order."""
    found = [(int(match.group(1)), of(made, name, counter))
             for name in made if (match := re.fullmatch(pattern, name))]
    if not found:
        raise figures.Bad(f"{pattern}: no such figure; measure it and save the baseline again")
    return sorted(found)


def line(axes, points, label, colour, style="-"):
    axes.plot(*zip(*points), style, marker="o", markersize=4, color=colour, label=label)


def dots(axes, points, label, colour, marker):
    axes.plot([int(x) for x in points], list(points.values()), marker, color=colour, label=label)


def labels(axes, x, y):
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_ylim(bottom=0)
    axes.grid(True, linewidth=0.4, color="#dddddd")
    axes.set_axisbelow(True)


def plot_routes(axes, made):
    """Cycles by route count."""
    line(axes, by_number(made, r"graph/ip4_forward/(\d+)"), "IPv4, BGP-like", BLUE)
    line(axes, by_number(made, r"graph/ip6_forward/(\d+)"), "IPv6, BGP-like", GREEN)
    dots(axes, dict(by_number(made, r"graph/ip4_forward/(\d+)_host")), "IPv4, /32", BLUE, "s")
    line(axes, by_number(made, r"fib4/lookup/(\d+)"), "IPv4 lookup alone", BLUE, ":")
    line(axes, by_number(made, r"fib6/lookup/(\d+)"), "IPv6 lookup alone", GREEN, ":")
    dots(axes, PEERS["routes"], f"{PEERS['name']}, IPv4", GREY, "x--")
    dots(axes, PEERS["hosts"], f"{PEERS['name']}, IPv4, /32", GREY, "s")
    axes.set_xscale("log")
    labels(axes, "routes", "cycles a packet")
    axes.legend(fontsize=8)


def plot_vectors(axes, made):
    """Cycles by vector length."""
    ours = by_number(made, r"graph/ip4_forward_vector/(\d+)")
    line(axes, ours, "Sluice, ethernet-input to transmit, 1,000 routes", BLUE)
    dots(axes, PEERS["vector"], f"{PEERS['name']}, ip4-input to transmit", GREY, "x--")
    axes.set_xscale("log", base=2)
    axes.set_xticks([x for x, _ in ours], [str(x) for x, _ in ours])
    labels(axes, "packets in a vector", "cycles a packet")
    axes.legend(fontsize=8)


def plot_sizes(axes, made):
    """Throughput by packet size."""
    rates = by_number(made, r"graph/ip4_forward_size/(\d+)", "Mpps")
    line(axes, [(size, rate * size * 8 / 1000) for size, rate in rates], "Gbit/s in the graph, one worker", BLUE)
    axes.set_xscale("log", base=2)
    axes.set_xticks([size for size, _ in rates], [str(size) for size, _ in rates])
    axes.minorticks_off()
    labels(axes, "bytes of a frame", "Gbit/s")
    beside = axes.twinx()
    line(beside, rates, "million packets a second (right)", ORANGE, "--")
    beside.set_ylim(bottom=0)
    beside.set_ylabel("Mpps")
    lines = axes.get_lines() + beside.get_lines()
    axes.legend(lines, [drawn.get_label() for drawn in lines], fontsize=8, loc="center left")


def stack_of(made):
    """By bar: pieces (label, colour, cycles) from the bottom."""
    unfused, fused = "graph/ip4_forward/1000/unfused", "graph/ip4_forward/1000"
    kernel = {node: f"node/{node.replace('-', '_')}" for node in NODES} | {"ip4-lookup": "node/ip4_lookup/100"}

    def piece(entry, counter, label, colour):
        return label, colour, made[entry].get(counter, 0)

    def with_rest(entry, pieces):
        rest = of(made, entry) - sum(cycles for _, _, cycles in pieces)
        return pieces + [("between the nodes", "#cccccc", max(rest, 0))]

    def sent(entry):
        return piece(entry, "cycles/null-output", "null-output, frees the packets", "#b0a080")

    return {
        "kernels\nalone": [(node, COLOURS[node], of(made, kernel[node])) for node in NODES],
        "as separate\nnodes": with_rest(unfused, [(node, COLOURS[node], of(made, unfused, f"cycles/{node}"))
                                                  for node in NODES] + [sent(unfused)]),
        "fused": with_rest(fused, [("the chain", BLUE, of(made, fused, "cycles/chain with ip4-input")), sent(fused)]),
        PEERS["name"]: [("in sum", GREY, PEERS["routes"]["10"])],
    }


def plot_nodes(axes, made):
    """Cost per node, stacked."""
    shown = set()
    for bar, pieces in stack_of(made).items():
        bottom = 0
        for label, colour, cycles in pieces:
            axes.bar(bar, cycles, 0.6, bottom, color=colour, label="_" + label if label in shown else label)
            shown.add(label)
            bottom += cycles
        axes.text(bar, bottom, f"{bottom:.0f}", ha="center", va="bottom", fontsize=9)
    labels(axes, "", "cycles a packet")
    axes.margins(y=0.1)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))


PLOTS = {"routes": plot_routes, "vectors": plot_vectors, "sizes": plot_sizes, "nodes": plot_nodes}


def draw(made, folder, note):
    """Writes FOLDER/NAME.svg for each plot."""
    import matplotlib  # here: what only compares needs none

    matplotlib.use("svg")
    # Text stays text, and identifiers do not depend on the time: the same figures make the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sluice", "font.family": "sans-serif",
                                "font.sans-serif": ["DejaVu Sans"], "font.size": 9})
    from matplotlib.figure import Figure

    drawn = []
    for name, plot in PLOTS.items():
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        plot(axes, made)
        axes.set_title(plot.__doc__.rstrip("."), fontsize=10, loc="left")
        figure.text(1, 0, note, fontsize=5, color=GREY, ha="right", va="bottom")
        drawn.append((folder / f"{name}.svg", figure))
    folder.mkdir(parents=True, exist_ok=True)  # nothing is written unless all of them can be drawn
    for path, figure in drawn:
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        path.write_text("\n".join(text.rstrip() for text in path.read_text().splitlines()) + "\n")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench plots", description=__doc__)
    parser.add_argument("--baselines", type=pathlib.Path, default=ROOT / "bench/baselines", metavar="FOLDER")
    parser.add_argument("--baseline", default="zen4", metavar="NAME", help="whose figures are drawn (zen4)")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/performance", metavar="FOLDER")
    arguments = parser.parse_args()
    try:
        description, made = figures.load(arguments.baselines / f"{arguments.baseline}.json")
        graph = figures.origins(arguments.baselines / f"{arguments.baseline}.json").get("graph", {})
        note = f"{description.get('cpu')}, TSC {description.get('tsc_mhz')} MHz, {graph.get('revision')}"
        draw(made, arguments.output, note)
    except figures.Bad as error:
        sys.exit(f"tools/bench: {error}")
    print(f"drawn: {', '.join(f'{arguments.output}/{name}.svg' for name in PLOTS)}")


if __name__ == "__main__":
    main()
