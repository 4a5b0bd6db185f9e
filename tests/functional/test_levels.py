# SPDX-License-Identifier: Apache-2.0
"""CPU levels of an installation: which one its sluiced runs at, and what it says when that cannot be."""
import os
import re
import shutil
import subprocess

import pytest

from lib.daemon import BUILD
from lib.net import run, wait_until

FLAGS = re.search(r"^flags.*", open("/proc/cpuinfo").read(), re.MULTILINE).group(0).split()
CPU = 4 if {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= set(FLAGS) else 3 if "avx2" in FLAGS else 2
BEST = f"x86-64-v{CPU}"


class Tree:
    """An installation with the real launcher. What it starts is a script that says of which level it is."""

    def __init__(self, folder, *levels):
        self.folder = folder
        (folder / "bin").mkdir()
        shutil.copy(BUILD / "launcher/sluiced", folder / "bin/sluiced")
        for level in levels:
            self.plugin(level, "tun")
            script = folder / "lib/sluice" / level / "sluiced"
            script.write_text(f'#!/bin/sh\necho "{level}: $*"\n')
            script.chmod(0o755)

    def plugin(self, level, name):
        path = self.folder / "lib/sluice" / level / f"{name}.so"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"\0sluice-isa={level}\0")
        return path

    def start(self, *words, **environment):
        return run(self.folder / "bin/sluiced", *words, check=False, env={**os.environ, **environment})

    def level(self, *words, **environment):
        done = self.start(*words, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.split(":")[0]


@pytest.fixture(name="tree")
def tree_of_all_levels(tmp_path):
    return Tree(tmp_path, "x86-64-v2", "x86-64-v3", "x86-64-v4")


def test_the_highest_level_that_the_cpu_has_runs_with_all_arguments(tree):
    done = tree.start("--config", "a file.yaml", "--unprivileged", "--help")
    assert done.stdout == f"{BEST}: --config a file.yaml --unprivileged --help\n" and done.stderr == ""
    shutil.rmtree(tree.folder / "lib/sluice" / BEST)
    (tree.folder / "lib/sluice/cmake").mkdir()
    if CPU > 2:
        assert tree.level() == f"x86-64-v{CPU - 1}"


def test_another_level_runs_when_it_is_asked_for(tree):
    for words in (["--isa", "x86-64-v2"], ["--isa=x86-64-v2"]):
        assert tree.level(*words) == "x86-64-v2"


def test_a_level_that_cannot_run_is_refused_with_those_that_can(tree):
    shutil.rmtree(tree.folder / "lib/sluice/x86-64-v3")
    there = "x86-64-v4, x86-64-v2" if CPU == 4 else "x86-64-v2"
    for asked in ("x86-64-v3", "x86-64-v9", "fast"):
        done = tree.start("--isa", asked)
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr == f"sluiced: --isa {asked}: not installed; installed and fit for this CPU: {there}\n"
    above = tree.folder / f"lib/sluice/x86-64-v{CPU + 1}"
    shutil.copytree(tree.folder / "lib/sluice/x86-64-v2", above, dirs_exist_ok=True)
    done = tree.start("--isa", above.name)
    assert done.returncode == 1
    assert done.stderr == (f"sluiced: --isa {above.name}: this CPU has {BEST}; installed and fit for it: {there}\n")
    shutil.rmtree(tree.folder / "lib/sluice")
    done = tree.start()
    assert done.returncode == 1 and "no level of the daemon is here; install Sluice again" in done.stderr


def test_a_level_without_a_plugin_is_passed_over_and_it_says_so(tree):
    tree.plugin("x86-64-v2", "shaper")
    done = tree.start()
    assert done.stdout.startswith("x86-64-v2: ")
    assert "x86-64-v3 has no shaper: CPU level x86-64-v2 is taken" in done.stderr
    file = tree.folder / "sluiced.yaml"
    for words in (["--config", file], ["-c", file], ["--check", file]):
        file.write_text("plugins: {load: [tun]}\n")
        assert tree.level(*words) == BEST, "shaper is not wanted"
        file.write_text("plugins: {load: [tun, shaper]}\n")
        assert tree.level(*words) == "x86-64-v2"
    file.write_text("plugins: {load: [tun, absent]}\n")
    assert tree.level("--config", file) == BEST, "the daemon says that there is no such plugin"
    for text in ("plugins: [", "plugins: {load: 3}", "[]", "plugins: {load: {a: b}}"):
        file.write_text(text)
        assert tree.level("--config", file) == "x86-64-v2", "what is wrong with the file is the daemon's to say"


def test_a_plugin_from_elsewhere_decides_too(tree, tmp_path):
    elsewhere = Tree.plugin(tree, "x86-64-v2", "shaper").rename(tmp_path / "shaper.so")
    assert tree.level("--plugin", elsewhere) == "x86-64-v2"
    (tmp_path / "flat").mkdir()
    elsewhere.rename(tmp_path / "flat/shaper.so")
    assert tree.level("--plugin-path", tmp_path / "flat") == "x86-64-v2"
    assert tree.level(SLUICE_PLUGIN_PATH=str(tmp_path / "flat")) == "x86-64-v2"
    (tmp_path / "by-level").mkdir()
    (tmp_path / "flat").rename(tmp_path / "by-level/x86-64-v3")
    file = tmp_path / "sluiced.yaml"
    file.write_text(f"plugins: {{path: {tmp_path}/by-level, load: [shaper]}}\n")
    if CPU >= 3:
        assert tree.level("--config", file) == "x86-64-v3"
    assert tree.level("--plugin", tmp_path / "absent.so") == BEST


@pytest.fixture(scope="module", name="prefix")
def installation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("levels")
    run("cmake", "--install", BUILD, "--prefix", folder, timeout=120)
    return folder


def test_the_installed_daemon_says_its_level_and_refuses_others(prefix, tmp_path):
    level = next(path.name for path in (prefix / "lib/sluice").iterdir())
    done = run(prefix / "bin/sluiced", "--isa", "x86-64-v9", check=False)
    assert done.returncode == 1 and f"installed and fit for this CPU: {level}\n" in done.stderr
    done = run(BUILD / "bin/sluiced", "--isa", "x86-64-v9", check=False)
    assert done.returncode == 1 and f"this sluiced is of {level}, and only an installed one" in done.stderr
    file = tmp_path / "sluiced.yaml"
    file.write_text(f"buffers: {{count: 4096, hugepages: false}}\njournal: none\n"
                    f"sockets: {{api: {tmp_path}/api.sock, read-only: {tmp_path}/ro.sock}}\n")
    process = subprocess.Popen([prefix / "bin/sluiced", "--unprivileged", "--isa", level, "--config", file],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ask(*words):
        return run(prefix / "bin/sluicectl", "--socket", tmp_path / "api.sock", *words, check=False).stdout

    try:
        wait_until(lambda: process.poll() is not None or level in ask("show", "version"), "show version", seconds=20)
        assert os.readlink(f"/proc/{process.pid}/exe") == str(prefix / "lib/sluice" / level / "sluiced")
        assert re.search(f"CPU level: +{level}", ask("show", "node", "ip4-input")), ask("show", "node", "ip4-input")
    finally:
        process.terminate()
        output = process.communicate(timeout=15)[0]
    assert process.returncode == 0, output


def test_packaging_refuses_levels_that_are_none():
    tool = BUILD.parents[1] / "tools/package"
    for words, said in ((["--levels", "x86-64-v2,v3"], "v3: must be x86-64-v2"), (["--levels"], "give a value"),
                        (["all"], "all: not known")):
        done = run(tool, *words, check=False)
        assert done.returncode == 2 and said in done.stderr
