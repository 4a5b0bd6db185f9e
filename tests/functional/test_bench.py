# SPDX-License-Identifier: Apache-2.0
"""tools/bench pods measures what it says, leaves nothing behind, and names what is wrong with its arguments."""
import json
import os
import subprocess

import pytest

from lib.daemon import BUILD, ROOT
from lib.net import run

BENCH = str(ROOT / "tools/bench")


@pytest.mark.skipif(os.geteuid() != 0 or BUILD != ROOT / "build/release", reason="needs root and build/release")
def test_pods_are_measured_beside_kernel_and_relay(tmp_path):
    path = tmp_path / "pods.json"
    done = run(BENCH, "pods", "--no-build", "--rounds", 1, "--seconds", 1, "--kinds", "tcp", "udp", "--output", path)
    report = json.loads(path.read_text())
    assert {"cpu", "kernel", "tsc_mhz", "revision"} <= report["machine"].keys()
    for kind in ("tcp", "udp"):
        row = report["pods"][kind]
        assert all(row["mbit"][name] > 0 for name in ("sluice", "kernel", "relay")), row
        assert row["worker"]["sluice"]["data_packets"] > 0
        assert f"{kind} " in done.stdout
    left = [name for name in run("ip", "netns").stdout.split() if "-relay-" in name or "-kernel-" in name]
    assert not left


def test_it_says_what_it_can_measure():
    for words, status, said in ((["--help"], 0, "pods"), ([], 2, "pods"), (["nothing"], 2, "nothing: no such subject")):
        done = subprocess.run([BENCH, *words], capture_output=True, text=True, check=False)
        assert done.returncode == status and said in done.stdout + done.stderr, words
