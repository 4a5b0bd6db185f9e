# SPDX-License-Identifier: Apache-2.0
"""docs/second-node.md cannot rot: its files are built out of the tree, tested, and run in a real daemon as told there."""
import re

import pytest

from lib.daemon import ROOT
from lib.net import wait_until
from lib.out_of_tree import OutOfTree
from lib.refusal import has_all

PAGE = (ROOT / "docs/second-node.md").read_text()
# ```cpp guard/guard.h
FILES = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
HERE, LISTED = "192.0.2.1", "192.0.2.66"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """The page's plugin, built against an installation."""
    return OutOfTree(tmp_path_factory.mktemp("second"), FILES).plugin("guard")


def test_the_page_has_all_files_and_each_is_short():
    assert set(FILES) == {"CMakeLists.txt", *(f"guard/{name}" for name in (
        "CMakeLists.txt", "guard.h", "guard.proto", "guard_test.cc", "plugin.cc", "service.cc", "service.h", "table.h"))}
    assert all("SPDX-License-Identifier: Apache-2.0" in text.splitlines()[0] for text in FILES.values())
    assert max(len(text.splitlines()) for text in FILES.values()) < 80


@pytest.fixture
def guarded(network, daemon, plugin):
    """A daemon with the plugin, and who sends to it."""
    node, far = network.namespace("node"), network.namespace("far")
    network.veth(node, "eth0", far, "far0")
    far.address("far0", f"{LISTED}/24")
    sluice = daemon(startup=["create interface af-packet eth0", "set interface state eth0 up",
                             f"set interface address eth0 {HERE}/24"], arguments=["--plugin", plugin])
    return sluice, far


def answers(far):
    return far.ping(HERE, count=3, check=False) == 3


def test_the_page_works_in_a_daemon(guarded):
    sluice, far = guarded
    assert answers(far)
    assert "nobody is on the list" in sluice.cli("show guard")
    sluice.cli(f"add guard {LISTED}")
    assert answers(far), "the feature is not on yet"
    sluice.cli("set interface feature eth0 guard on")
    assert not answers(far)
    assert sluice.json("show guard") == [{"address": LISTED, "mode": "stop"}]
    errors = [row for row in sluice.json("show errors") if row["node"] == "guard"]
    assert errors and errors[0]["packets"] >= 3 and "show guard" in str(errors[0])
    sluice.cli("set guard mode count")
    assert answers(far)
    assert sluice.json(f"show guard {LISTED}") == [{"address": LISTED, "mode": "count"}]
    events = {each["name"]: each["packets"] for each in sluice.json("show node guard")["event"]}
    assert events["let-pass"] >= 3
    sluice.cli(f"delete guard {LISTED}")
    assert sluice.json("show guard") == []


def test_its_commands_are_checked_completed_and_refused_as_all_others(guarded, refused):
    sluice, _ = guarded
    assert sluice.cli(f"add guard {LISTED}") == "" and sluice.cli(f"add guard {LISTED}") == "unchanged\n"
    assert sluice.ctl("--dry-run", "add guard 192.0.2.67").returncode == 0
    assert sluice.ctl("add guard fd00::1").returncode == 2
    has_all(sluice.refusal("delete guard 192.0.2.65"), "no such guarded", f"did you mean {LISTED}?", "nothing changed")
    has_all(sluice.refusal("set guard mode shout", status=2), "stop", "count")
    assert [row["address"] for row in sluice.json("show guard")] == [LISTED]
    has_all(sluice.cli("--generate-docs"), "### add guard ", "### show guard ")
    has_all(sluice.cli("--generate-contract"), "form sluice.guard.Guard.Add add guard {address}")


def test_a_full_list_refuses_more_and_says_so(guarded, tmp_path):
    sluice, _ = guarded
    script = tmp_path / "many.cmds"
    script.write_text("".join(f"add guard 10.0.{i // 256}.{i % 256}\n" for i in range(1025)))
    done = sluice.ctl("-f", script)
    assert done.returncode == 1
    has_all(done.stderr, ":1025: sender 10.0.4.0", "holds 1024 and is full", "delete guard ADDRESS", "1024 of 1025 applied")


def test_its_list_outlives_the_daemon(guarded):
    sluice, far = guarded
    for command in (f"add guard {LISTED}", "set interface feature eth0 guard on"):
        sluice.cli(command)
    before = sluice.cli("show configuration")
    assert f"add guard {LISTED}" in before
    sluice.kill()
    sluice.start()
    assert sluice.cli("show configuration") == before
    wait_until(lambda: not answers(far), "its packets to be stopped again")
    assert sluice.json("show guard") == [{"address": LISTED, "mode": "stop"}]
