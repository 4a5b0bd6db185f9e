# SPDX-License-Identifier: Apache-2.0
"""tools/bench measures what it says, leaves nothing behind, compares, draws, and names what is wrong."""
import json
import os
import subprocess
from xml.etree import ElementTree

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


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("subject", ["pods", "routes", "churn", "devices"])
def test_what_is_not_built_is_named(subject, tmp_path):
    done = run(BENCH, subject, "--no-build", check=False, env={**os.environ, "SLUICE_BUILD": str(tmp_path)})
    assert done.returncode == 1 and not done.stdout
    assert f"{tmp_path}/bin/sluiced" in done.stderr and done.stderr.endswith("not built; leave --no-build out\n")


@pytest.mark.skipif(os.geteuid() != 0 or BUILD != ROOT / "build/release", reason="needs root and build/release")
def test_routes_are_loaded_and_counted_with_what_was_lost(tmp_path):
    path = tmp_path / "routes.json"
    done = run(BENCH, "routes", "--no-build", "--routes", 3000, "--rate", 1000, "--output", path)
    report = json.loads(path.read_text())
    assert "revision" in report["machine"] and report["routes"]["routes"] == 3000
    assert report["figures"]["routes/bulk"]["seconds"] > 0 and "lost" in report["figures"]["routes/bulk"]
    stream = report["routes"]["stream"]
    assert 0 <= stream["lost"] <= stream["sent"] > 0 and stream["repeated"] == 0
    assert report["routes"]["answers"]["count"] > 0 and report["routes"]["restart_seconds"] > 0
    assert "3,000 routes in " in done.stdout


@pytest.mark.skipif(os.geteuid() != 0 or BUILD != ROOT / "build/release", reason="needs root and build/release")
def test_churn_is_made_and_what_it_costs_is_counted(tmp_path):
    path = tmp_path / "churn.json"
    done = run(BENCH, "churn", "--no-build", "--updates", 2500, "--flaps", 20, "--rate", 2000, "--output", path)
    report = json.loads(path.read_text())
    assert "revision" in report["machine"] and "lost" in report["figures"]["churn"]
    for name in ("alone", "disturbed"):
        row = report["churn"][name]
        assert 0 <= row["lost"] <= row["sent"] > 0 and row["repeated"] == 0, row
    assert "2,500 route updates and 20 flaps in " in done.stdout


def test_devices_lists_its_entries_and_refuses_others():
    done = run(BENCH, "devices", "--help")
    assert "af_xdp_veth" in done.stdout
    done = run(BENCH, "devices", "--filter", "nothing", check=False)
    assert done.returncode == 2 and "nothing: no such entry; there are: af_xdp_veth" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or BUILD != ROOT / "build/release", reason="needs root and build/release")
def test_ways_through_devices_take_turns(tmp_path):
    path = tmp_path / "devices.json"
    done = run(BENCH, "devices", "--no-build", "--rounds", 1, "--seconds", 0.5, "--filter", "^af_xdp_veth$", "--ways",
               "sluice", "kernel", "--output", path, timeout=120)
    report = json.loads(path.read_text())
    made = report["figures"]["device/af_xdp_veth"]
    assert made["Mpps"] > 0 and made["Mpps_kernel"] > 0 and made["of_kernel"] > 0 and made["system_cycles"] >= 0
    assert set(report["devices"]["af_xdp_veth"]["medians"]) == {"sluice", "kernel"}
    assert "device/af_xdp_veth: Mpps " in done.stdout


def test_it_says_what_it_can_measure():
    for words, status, said in ((["--help"], 0, "pods"), (["pods", "--rounds"], 2, "expected one argument"),
                                (["nothing"], 2, "nothing: no such subject")):
        done = subprocess.run([BENCH, *words], capture_output=True, text=True, check=False)
        assert done.returncode == status and said in done.stdout + done.stderr, words

REPORT, PLOTS = ROOT / "bench/report/report.py", ROOT / "bench/report/plots.py"
MACHINE = {"cpu": "a CPU", "cpus": 2, "tsc_mhz": 2600, "avx512": True, "virtual": True, "compiler": "g++",
           "isa": "x86-64-v3", "revision": "abc", "time": "2026-01-02T03:04:05Z", "load": 0.5}
KERNELS = ("ethernet_input", "ip4_input", "ip4_lookup/100", "ip4_rewrite", "interface_output")


def cycles(value, **more):
    return {"cycles_per_packet": value, "Mpps": 2600 / value, **more}


def canned():
    """Figures of which every plot can be drawn."""
    graph = {"graph/ip4_forward/1000": cycles(40, **{"cycles/chain with ip4-input": 30, "cycles/null-output": 8}),
             "graph/ip4_forward/1000/unfused": cycles(60, **{"cycles/null-output": 8}, **{
                 f"cycles/{node.split('/')[0].replace('_', '-')}": 9.5 for node in KERNELS}),
             "graph/ip4_forward/500000": cycles(55), "graph/ip4_forward/1000000_host": cycles(90, MB=139),
             "graph/ip6_forward/1000": cycles(41)}
    graph |= {f"graph/ip4_forward_vector/{n}": cycles(400 / n) for n in (4, 8, 16)}
    graph |= {f"graph/ip4_forward_size/{n}": cycles(40) for n in (64, 512, 1518)}
    fib = {f"fib{family}/lookup/{n}": cycles(20, MB=1) for family in (4, 6) for n in (10, 1000)}
    return graph | fib | {f"node/{kernel}": cycles(10) for kernel in KERNELS}


def store(path, figures, **machine):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"machine": {**MACHINE, **machine}, "figures": figures}))


@pytest.fixture(name="folders")
def folders_of_a_run(tmp_path):
    """What was measured, and a baseline that it is compared with."""
    store(tmp_path / "measured/graph.json", {
        "graph/ip4_forward/1000": cycles(48), "graph/ip4_forward/1000000_host": cycles(80, MB=151),
        "graph/trace_on": cycles(30)})
    store(tmp_path / "measured/pods.json", {"pods/tcp": {"Mbit_per_second": 11000, "of_relay": 0.97}})
    store(tmp_path / "baselines/one.json", {"graph/ip4_forward/1000": cycles(32), "graph/trace_on": cycles(60)})
    return tmp_path


def report(folder, *words):
    return subprocess.run(["/usr/bin/python3", REPORT, "--measured", folder / "measured", "--baselines",
                           folder / "baselines", *words], capture_output=True, text=True, check=False)


def row(said, figure, counter):
    """The cells behind a figure's name and counter: baseline, now, ratio, and the target's two where there are."""
    return next(line.split()[2:] for line in said.splitlines() if line.split()[:2] == [figure, counter])


def test_figures_stand_beside_the_baseline_and_what_must_be_reached(folders):
    done = report(folders)
    assert done.returncode == 0, done.stderr
    assert row(done.stdout, "graph/ip4_forward/1000", "cycles_per_packet") == ["32", "48", "1.50", "≤", "32", "missed"]
    assert row(done.stdout, "graph/trace_on", "cycles_per_packet") == ["60", "30", "0.50"]
    assert row(done.stdout, "graph/ip4_forward/1000000_host", "cycles_per_packet") == ["-", "80", "-", "≤", "85",
                                                                                       "reached"]
    assert row(done.stdout, "graph/ip4_forward/1000000_host", "MB") == ["-", "151", "-", "≤", "150", "missed"]
    assert row(done.stdout, "pods/tcp", "of_relay") == ["-", "0.97", "-", "≥", "0.95", "reached"]
    assert row(done.stdout, "pods/tcp", "Mbit_per_second") == ["-", "11,000", "-"]
    assert "on a machine like this one" in done.stdout
    assert "pods/tcp" not in report(folders, "graph").stdout


def test_another_machine_is_named_and_the_baseline_of_a_machine_alike_preferred(folders):
    store(folders / "baselines/one.json", {"graph/trace_on": cycles(60)}, cpu="another CPU", tsc_mhz=3000)
    said = report(folders).stdout
    assert "ANOTHER MACHINE" in said and "cpu: another CPU there, a CPU here" in said
    assert "tsc_mhz: 3000 there, 2600 here" in said and "isa:" not in said
    store(folders / "baselines/two.json", {"graph/trace_on": cycles(15)}, tsc_mhz=2601)
    said = report(folders).stdout
    assert "ANOTHER" not in said and row(said, "graph/trace_on", "cycles_per_packet")[0] == "15"
    assert row(report(folders, "--baseline", "one").stdout, "graph/trace_on", "cycles_per_packet")[0] == "60"
    (folders / "baselines/one.json").unlink()
    (folders / "baselines/two.json").unlink()
    assert "no baseline in" in report(folders).stdout


def test_what_was_measured_takes_its_place_in_a_baseline(folders):
    made = folders / "baselines/new.json"
    assert report(folders, "--save", "new").returncode == 0
    assert len(json.loads(made.read_text())["figures"]) == 4
    (folders / "measured/pods.json").unlink()
    store(folders / "measured/graph.json", {"graph/trace_on": cycles(31.00049)}, revision="def")
    assert report(folders, "--save", "new").returncode == 0
    saved = json.loads(made.read_text())
    assert {name: list(counters.values())[0] for name, counters in saved["figures"].items()} == {
        "graph/trace_on": 31, "pods/tcp": 11000}
    assert saved["subjects"]["graph"]["revision"] == "def" and saved["subjects"]["pods"]["revision"] == "abc"
    assert saved["machine"]["cpu"] == "a CPU" and "revision" not in saved["machine"]
    assert "on a machine like this one" in report(folders, "--baseline", "new").stdout
    before = made.read_bytes()
    store(folders / "measured/node.json", {"node/ip4_input": cycles(9)}, cpus=4)
    for words in ([], ["node"]):
        done = report(folders, *words, "--save", "new")
        assert done.returncode == 1 and "were not measured alike (cpus: " in done.stderr
    assert made.read_bytes() == before
    done = report(folders, "--save", "../x")
    assert done.returncode == 2 and "--save ../x: a name has small letters" in done.stderr


@pytest.mark.parametrize("text, said", [
    ("{", "no JSON"), ("", "no JSON"), ("[]", "a list, not an object"), ("\xff", "codec"),
    ("{}", "has no machine"), ('{"machine": {}}', "has no figures"), ('{"machine": {}, "figures": []}', "has no figures"),
    ('{"machine": {}, "figures": {"x": 3}}', "x: must be an object of counters"),
    ('{"machine": {}, "figures": {"x": {}}}', "x: must be an object of counters"),
    ('{"machine": {}, "figures": {"x": {"y": "3"}}}', "x: y is '3', not a number"),
    ('{"machine": {}, "figures": {"x": {"y": true}}}', "x: y is True, not a number")])
def test_files_that_cannot_be_used_are_refused_with_their_name(folders, text, said):
    for place in ("measured/graph.json", "baselines/one.json"):
        kept = (folders / place).read_bytes()
        (folders / place).write_bytes(text.encode("latin-1"))
        done = report(folders)
        assert done.returncode == 1 and f"{folders / place}: " in done.stderr and said in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        (folders / place).write_bytes(kept)


def test_what_is_not_there_is_refused_with_what_to_do(folders):
    for words, said in (["node"], "measure with tools/bench node"), (["--baseline", "x"], "there are: one"):
        done = report(folders, *words)
        assert done.returncode == 1 and said in done.stderr, done.stderr
    for path in (folders / "measured").iterdir():
        path.unlink()
    done = report(folders)
    assert done.returncode == 1 and "nothing has been measured yet; run: tools/bench" in done.stderr


def plots(folder, output):
    return subprocess.run(["/usr/bin/python3", PLOTS, "--baselines", folder, "--baseline", "canned", "--output", output],
                          capture_output=True, text=True, check=False)


def test_plots_are_drawn_the_same_from_the_same_figures(tmp_path):
    store(tmp_path / "canned.json", canned())
    for name in ("a", "b"):
        done = plots(tmp_path, tmp_path / name)
        assert done.returncode == 0, done.stderr
    made = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert set(made) == {"routes.svg", "vectors.svg", "sizes.svg", "nodes.svg"}
    assert made == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert b"cycles a packet" in made["routes.svg"] and b"VPP 26.10" in made["nodes.svg"]
    for path in (tmp_path / "a").iterdir():
        ElementTree.parse(path)
    changed = canned()
    changed["graph/ip4_forward/500000"] = cycles(200)
    store(tmp_path / "canned.json", changed)
    assert plots(tmp_path, tmp_path / "b").returncode == 0
    differ = {name for name, content in made.items() if content != (tmp_path / "b" / name).read_bytes()}
    assert differ == {"routes.svg"}


@pytest.mark.parametrize("missing, said", [
    ("node/ip4_rewrite", "node/ip4_rewrite: cycles_per_packet: not among the figures"),
    ("graph/ip4_forward_size", "ip4_forward_size/(\\d+): no such figure")])
def test_a_plot_without_its_figures_is_refused_and_none_is_written(tmp_path, missing, said):
    store(tmp_path / "canned.json", {name: made for name, made in canned().items() if not name.startswith(missing)})
    done = plots(tmp_path, tmp_path / "out")
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not (BUILD / "bench/sluice-bench").exists(), reason="needs sluice-bench")
def test_entries_are_measured_in_rounds(tmp_path):
    path = tmp_path / "pool.json"
    words = ["--program", BUILD / "bench/sluice-bench", "--no-build", "--seconds", "0.01", "--output", path]
    done = run(BENCH, "pool", *words, "--rounds", 2)
    saved = json.loads(path.read_text())
    assert saved["rounds"] == 2 and saved["figures"]["pool/alloc_free"]["cycles_per_packet"] > 0
    assert "round 2/2 1/1 pool/alloc_free" in done.stderr
    done = run(BENCH, "pool", *words, "--filter", "nothing", check=False)
    assert done.returncode == 1 and "nothing: no such entry; there are: pool/alloc_free" in done.stderr
    done = run(BENCH, "pool", *words, "--rounds", 0, check=False)
    assert done.returncode == 2 and "--rounds 0: must be at least 1" in done.stderr


def test_the_page_shows_the_baseline_as_it_is(tmp_path):
    done = run("/usr/bin/python3", PLOTS, "--output", tmp_path)
    page = (ROOT / "docs/performance.md").read_text()
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in (ROOT / "docs/performance").iterdir()), done.stdout
    for name in drawn:
        assert f"(performance/{name})" in page
        fresh = (tmp_path / name).read_bytes() == (ROOT / "docs/performance" / name).read_bytes()
        assert fresh, f"docs/performance/{name} is of other figures; run: tools/bench plots"
