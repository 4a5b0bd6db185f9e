# SPDX-License-Identifier: Apache-2.0
"""docs/first-node.md cannot rot: its code is the plugin's, and what it tells to do works, out of the tree as well."""
import re

import pytest
from scapy.layers.l2 import Ether

from lib.daemon import ROOT, program
from lib.net import run
from lib.out_of_tree import OutOfTree
from lib.packets import Port

PAGE = (ROOT / "docs/first-node.md").read_text()
# ```cpp plugins/macswap/macswap.h
BLOCKS = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
OUTSIDE = "my-nodes/"


def returns_frames(sluice, far):
    """What the page does with a running daemon."""
    sluice.cli("set interface feature eth0 macswap on")
    features = sluice.json("show features eth0")
    assert [(row["arc"], row["feature"]) for row in features] == [("device-input", "macswap")]
    sluice.cli("trace add af-packet-input 1 filter ether proto 0x88b5")
    mine, theirs = "02:00:00:00:00:01", "02:00:00:00:00:02"
    with Port(far, "far0") as port:
        port.send(Ether(src=mine, dst=theirs, type=0x88B5) / b"hello")
        back = port.expect(lambda p: p.type == 0x88B5, what="the frame")
        assert (back.src, back.dst, bytes(back.payload)[:5]) == (theirs, mine, b"hello")
        trace = sluice.cli("show trace")
        assert re.search(rf"macswap: sender {mine} -> interface-output", trace), trace
        assert any(row["node"] == "macswap" and row["packets"] >= 1 for row in sluice.json("show runtime"))
        sluice.cli("set interface feature eth0 macswap off")
        assert sluice.json("show features eth0") == []
        port.send(Ether(src=mine, dst=theirs, type=0x88B5) / b"hello")
        port.expect_none(lambda p: p.type == 0x88B5)


@pytest.fixture
def wire(network):
    node, far = network.namespace("node"), network.namespace("far")
    network.veth(node, "eth0", far, "far0")
    return far


UPLINK = ["create interface af-packet eth0", "set interface state eth0 up"]


def test_the_page_shows_each_file_of_the_plugin_whole():
    shown = {path: text for path, text in BLOCKS if not path.startswith(OUTSIDE)}
    files = {f"plugins/macswap/{path.name}": path.read_text() for path in (ROOT / "plugins/macswap").iterdir()}
    assert shown == files


def test_the_plugin_is_under_sixty_lines_with_its_tests():
    files = [path for path in (ROOT / "plugins/macswap").iterdir() if path.suffix in (".h", ".cc")]
    assert sum(len(path.read_text().splitlines()) for path in files) < 60


def test_the_plugin_returns_frames_and_says_so(daemon, wire):
    returns_frames(daemon(startup=UPLINK), wire)


def test_a_daemon_may_stop_while_the_feature_is_on(daemon, wire):
    sluice = daemon(startup=UPLINK)
    sluice.cli("set interface feature eth0 macswap on")
    sluice.stop()


def test_the_plugin_built_out_of_the_tree_does_the_same(daemon, wire, tmp_path):
    mine = OutOfTree(tmp_path, {path.removeprefix(OUTSIDE).removeprefix("plugins/"): text for path, text in BLOCKS})
    plugin = mine.plugin("macswap")
    sluice = daemon(startup=UPLINK, configuration={"plugins": {"load": ["af_packet"]}},
                    arguments=["--plugin", plugin])
    returns_frames(sluice, wire)
    sluice.stop()
    # The same plugin, compiled with headers that the daemon does not have.
    header = mine.prefix / "include/sluice/abi_hash.h"
    ours = re.search(r'"([0-9a-f]{12})"', header.read_text()).group(1)
    header.write_text(header.read_text().replace(ours, "0123456789ab"))
    mine.build()
    refused = run(program("sluiced"), "--graph", "--plugin", plugin, check=False)
    assert refused.returncode == 1
    assert "0123456789ab" in refused.stderr and ours in refused.stderr and "build it again" in refused.stderr
    header.write_text(header.read_text().replace("0123456789ab", ours))
    # And compiled for CPUs that this daemon was not compiled for.
    leaf = mine.source / "macswap/CMakeLists.txt"
    leaf.write_text(leaf.read_text() + "target_compile_options(macswap_objects PRIVATE -mavx512f)\n")
    mine.build("--target", "macswap")
    refused = run(program("sluiced"), "--graph", "--plugin", plugin, check=False)
    assert refused.returncode == 1
    assert "macswap was compiled for CPUs of level x86-64-v4, this process for x86-64-v3" in refused.stderr
    assert "compile it for x86-64-v" in refused.stderr
