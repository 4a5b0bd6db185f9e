# SPDX-License-Identifier: Apache-2.0
"""sluice-new-plugin: from an installed Sluice to packets in and packets out, without root."""
import os
import subprocess

from scapy.layers.l2 import Ether
from scapy.utils import rdpcap, wrpcap

from lib.daemon import BUILD
from lib.net import run, wait_until

NOBODY = 65534


def test_a_new_plugin_builds_passes_its_test_and_runs_without_root(tmp_path):
    prefix, work = tmp_path / "prefix", tmp_path / "work"
    run("cmake", "--install", BUILD, "--prefix", prefix, timeout=120)
    work.mkdir()
    made = run(prefix / "bin/sluice-new-plugin", "my_node", cwd=work)
    assert "cmake -S my_node" in made.stdout
    run("cmake", "-S", "my_node", "-B", "my_node/build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=work,
        timeout=120)
    run("cmake", "--build", "my_node/build", cwd=work, timeout=300)
    run("ctest", "--test-dir", "my_node/build", "--no-tests=error", cwd=work)
    mine, theirs = "02:00:00:00:00:01", "02:00:00:00:00:02"
    wrpcap(str(work / "my_node/in.pcap"), [Ether(src=mine, dst=theirs, type=0x88B5) / bytes([i]) for i in range(3)])
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o011 == 0 and folder != folder.parent:
            folder.chmod(folder.stat().st_mode | 0o011)
    for path in (own, work, work / "my_node"):
        os.chown(path, NOBODY, NOBODY)
    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(own)}
    sluiced = subprocess.Popen(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", prefix / "bin/sluiced",
         "--unprivileged", "--config", "my_node/sluiced.yaml", "--plugin", "my_node/build/lib/sluice/my_node.so"],
        cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        sent = work / "my_node/out.pcap"
        whole = 24 + 3 * (16 + 15)  # the file's head; each packet's, and its bytes
        wait_until(lambda: sluiced.poll() is not None or sent.exists() and sent.stat().st_size >= whole,
                   "three packets in out.pcap", seconds=20)
        shown = run(prefix / "bin/sluicectl", "show", "runtime", env=environment, check=False)
        assert "my-node" in shown.stdout, shown.stdout + shown.stderr
    finally:
        sluiced.terminate()
        output = sluiced.communicate(timeout=15)[0]
    assert sluiced.returncode == 0, output
    packets = [p for p in rdpcap(str(sent)) if p.type == 0x88B5]  # the node asks for its own IPv6 address, too
    assert [(p.src, p.dst, bytes(p.payload)[0]) for p in packets] == [(theirs, mine, i) for i in range(3)]


def test_a_name_that_is_none_and_a_folder_that_is_there_are_refused(tmp_path):
    tool = BUILD.parents[1] / "tools/new-plugin"
    for name, said in (("My-Node", "must be one word"), ("macswap", "the example itself")):
        done = run(tool, name, cwd=tmp_path, check=False)
        assert done.returncode == 1 and said in done.stderr
    (tmp_path / "shaper").mkdir()
    done = run(tool, "shaper", cwd=tmp_path, check=False)
    assert done.returncode == 1 and "nothing was written" in done.stderr
    assert not list((tmp_path / "shaper").iterdir())
