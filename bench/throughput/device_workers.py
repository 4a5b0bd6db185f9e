# SPDX-License-Identifier: Apache-2.0
"""One worker and two over two queues of a null device, in one process: sluice-bench device/workers."""
import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Workers:
    """Both counts of workers take turns within the program."""

    def __init__(self, turns):
        pass

    def measure(self, seconds):
        with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
            path = pathlib.Path(folder) / "out.json"
            subprocess.run([ROOT / "build/release/bench/sluice-bench", "--benchmark_filter=^device/workers/",
                            f"--benchmark_out={path}", "--benchmark_out_format=json"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
            runs = {run["name"].split("/")[2]: run for run in json.loads(path.read_text())["benchmarks"]}
        one, two, rss = runs["1"], runs["2"], runs["rss"]
        return {"Mpps_1": one["Mpps"], "Mpps_2": two["Mpps"], "ratio": two["ratio"],
                "ratio_of_cpu": two["ratio_of_cpu"], "cycles_per_packet": two["cycles_per_packet"],
                "rss_cycles_per_packet": rss["cycles_per_packet"]}

    def close(self):
        pass


def measure(turns):
    return turns.take({"sluice": Workers})["sluice"]


ENTRIES = {"workers": ("two workers over two queues of a null device, beside one", measure)}
PROGRAMS = ("sluice-bench",)
