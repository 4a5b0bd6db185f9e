# SPDX-License-Identifier: Apache-2.0
"""Lines that are no commands, or not of this node: each says what was expected and where, and changes nothing."""
import re

import pytest

from lib.refusal import has_all, state

STARTUP = ["create interface null null0", "create interface null null1", "add route 10.0.0.0/8 blackhole"]


@pytest.fixture
def node(daemon):
    return daemon(startup=STARTUP)


@pytest.mark.parametrize("line, words", [
    # Wrong words.
    ("shew version", ["column 1", '"shew"', "expected", "did you mean show?"]),
    ("show interfaze", ["column 6", '"interfaze"', "did you mean interface?"]),
    ("set interface state null0 sideways", ["column 27", "sideways", "up or down"]),
    # Wrong order.
    ("interface show", ["column 1", '"interface"', "expected"]),
    ("set mtu interface null0 1400", ["column 5", '"mtu"', "expected", "interface"]),
    ("set interface mtu 1400 null0", ["column 24", "null0", "68 to 65535"]),
    ("add route via 10.0.0.1 10.9.0.0/16", ["column 15", "10.0.0.1", "expected via"]),
    # Too many arguments, and too few.
    ("show version now", ["column 14", '"now"', "the command ends before it"]),
    ("delete interface null0 null1", ["column 24", '"null1"', "the command ends before it"]),
    ("add route 10.9.0.0/16 blackhole blackhole", ["column 33", '"blackhole"']),
    ("set interface mtu null0", ["column 24", "the line ends", "MTU"]),
    # Out of range, or of another kind.
    ("set interface mtu null0 5", ["column 25", "mtu 5", "68 to 65535 bytes"]),
    ("set interface mtu null0 99999999999999999999", ["column 25", "68 to 65535 bytes"]),
    ("set interface mtu null0 -1", ["column 25", "-1"]),
    ("add route 10.9.0.0/33 blackhole", ["column 11", "10.9.0.0/33", "prefix"]),
    ("add route 10.9.0.1/16 blackhole", ["column 11", "bits behind the prefix length"]),
    ("set interface address null0 10.9.0.1", ["column 29", "10.9.0.1", "prefix length"]),
    ("show log level loud", ["column 16", "loud", "warning"]),
    # A quotation mark without its other.
    ('show interface "null0', ["quote"]),
])
def test_a_line_that_is_no_command_says_where_and_what_was_expected(node, line, words):
    before = state(node, [])
    done = node.ctl(line)
    assert done.returncode == 2 and done.stdout == "", done.stderr
    has_all(done.stderr, *words)
    assert state(node, []) == before


@pytest.mark.parametrize("line, words", [
    ("delete interface nul0", ["nul0", "no such interface", "did you mean null0?", "nothing changed"]),
    ("set interface mtu nul1 1400", ["nul1", "no such interface", "did you mean null1?", "nothing changed"]),
    ("set interface feature null0 macswop on", ["macswop", "did you mean macswap?", "nothing changed"]),
    ("show node ip4-lookop", ["ip4-lookop", "did you mean ip4-lookup?"]),
    ("show interface nowhere", ["nowhere", "no such interface"]),
    ("delete neighbor 10.0.0.1 interface nul0", ["nul0", "no such interface", "did you mean null0?", "nothing changed"]),
    ("packet-generator start nothing", ["nothing", "no such packet-generator", "nothing changed"]),
])
def test_an_unknown_name_comes_with_the_nearest_known_one(node, line, words):
    before = state(node, [])
    done = node.ctl(line)
    assert done.returncode == 1 and done.stdout == "", done.stderr
    has_all(done.stderr, *words)
    assert state(node, []) == before


def test_a_beginning_that_a_plugin_has_made_ambiguous_names_all_that_it_may_be(network, daemon):
    fewer = daemon(configuration={"plugins": {"load": ["null", "pg"]}})
    has_all(fewer.refusal("create p flood"), "flood", "nothing changed")  # understood, and refused for what it lacks
    more = daemon()
    has_all(more.refusal("create p flood", status=2), "column 8", '"p" is ambiguous: packet-generator, pod')
    assert more.json("show packet-generator") == []


def test_a_script_that_is_refused_at_line_thirteen_says_how_far_it_came(node):
    lines = [f"add route 10.{i}.0.0/16 blackhole" for i in range(40)]
    lines[12] = "set interface mtu nul0 1400"
    script = node.folder / "net.cmds"
    script.write_text("\n".join(lines) + "\n")
    done = node.ctl("-f", script)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(rf"sluicectl: {script}:13: name nul0: no such interface; did you mean null0\?; nothing changed; "
                        r"12 of 40 applied\n", done.stderr), done.stderr
    made = {row["prefix"] for row in node.json("show ip fib") if row["source"] == "static"}
    assert made == {"10.0.0.0/8", *(f"10.{i}.0.0/16" for i in range(12))}
