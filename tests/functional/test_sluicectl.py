# SPDX-License-Identifier: Apache-2.0
"""sluicectl for programs and scripts: exit statuses, -f, --json, --dry-run, and what it says without a daemon."""
import json
import re
import socket
import subprocess

import pytest

from lib.daemon import TRAFFIC_OF_EXAMPLES, program
from lib.net import run


def ctl(*words):
    """sluicectl without a daemon of the test."""
    return run(program("sluicectl"), *words, check=False)


@pytest.fixture
def node(network, daemon):
    pod = network.namespace("pod")
    return daemon(startup=[f"create pod web netns {pod.path} address 10.1.0.2,fd00:1::2",
                           "create interface null null0", "set interface address null0 192.0.2.1/24"])


def outcome(done):
    return done.returncode, done.stdout, done.stderr


def test_done_and_unchanged_are_status_zero(node):
    assert node.ctl("add", "route", "10.9.0.0/16", "blackhole").returncode == 0
    again = node.ctl("add route 10.9.0.0/16 blackhole")
    assert outcome(again) == (0, "unchanged\n", "")


def test_a_refusal_is_status_one_on_stderr_and_changes_nothing(node):
    before = node.json("show ip fib")
    done = node.ctl("add route 10.9.0.0/16 via 192.0.2.2 weight 2 via 300.0.0.1")
    assert done.returncode == 2 and "300.0.0.1" in done.stderr, "no address: that is syntax"
    done = node.ctl("set interface mtu nowhere 1400")
    assert done.returncode == 1 and done.stdout == "" and "nothing changed" in done.stderr
    assert done.stderr.startswith("sluicectl: ") and done.stderr.count("\n") == 1
    assert node.json("show ip fib") == before


@pytest.mark.parametrize("words, said", [
    (["show", "interfaze"], "did you mean interface?"),
    (["show version now"], "column 14"),
    (["create interface null"], "NAME"),
    (["--no-such-option"], "no-such-option"),
    (["-f"], "file"),
    (["show interface 'null0"], "quote"),
])
def test_what_is_no_command_is_status_two(node, words, said):
    done = node.ctl(*words)
    assert done.returncode == 2 and done.stdout == "" and said.lower() in done.stderr.lower(), done.stderr


def test_without_a_daemon_the_status_is_three_and_the_socket_is_named(tmp_path):
    missing, dead, file = tmp_path / "none.sock", tmp_path / "dead.sock", tmp_path / "file"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    file.write_text("")
    script = tmp_path / "script"
    script.write_text("show version\n")
    for path, why in ((missing, "there is no such socket"), (dead, "nobody listens"), (file, "nobody listens")):
        for words in (["show version"], ["--json", "show", "version"], ["-f", script], []):
            done = ctl("--socket", path, *words)
            assert done.returncode == 3 and done.stdout == "", done.stderr
            assert done.stderr.startswith(f"sluicectl: no daemon at {path}: {why}"), done.stderr
            assert "unit sluice.service: " in done.stderr and "last log line: " in done.stderr


def test_a_socket_of_something_else_is_no_daemon(tmp_path):
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        words = [program("sluicectl"), "--socket", path, "show version"]
        with subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as done:
            out, error = done.communicate(timeout=30)
    assert (done.returncode, out) == (3, "") and str(path) in error, error


def write(folder, text):
    path = folder / "net.cmds"
    path.write_text(text)
    return path


def routes(node):
    return {row["prefix"] for row in node.json("show ip fib") if row["source"] == "static"}


def test_a_script_is_applied_whole(node, tmp_path):
    script = write(tmp_path, "# two routes\nadd route 10.9.0.0/16 blackhole\n\n  add route 10.8.0.0/16 prohibit # why\r\n")
    assert outcome(node.ctl("-f", script)) == (0, "", "")
    assert routes(node) == {"10.9.0.0/16", "10.8.0.0/16"}
    assert outcome(node.ctl("--file", script)) == (0, "unchanged\nunchanged\n", "")


def test_a_script_is_read_whole_before_its_first_line_runs(node, tmp_path):
    script = write(tmp_path, "add route 10.9.0.0/16 blackhole\nadd route 10.8.0.0/33 blackhole\n")
    code, out, error = outcome(node.ctl("-f", script))
    assert (code, out) == (2, "") and error.startswith(f"sluicectl: {script}:2:11: ") and "nothing has been run" in error
    assert routes(node) == set()


def test_a_script_takes_no_beginnings_of_words(node, tmp_path):
    assert node.ctl("sh int").returncode == 0
    done = node.ctl("-f", write(tmp_path, "sh int\n"))
    assert done.returncode == 2 and ":1:1: " in done.stderr


def test_a_script_stops_at_the_first_refusal_and_says_how_far_it_came(node, tmp_path):
    script = write(tmp_path, "add route 10.9.0.0/16 blackhole\n# next to nothing\nset interface mtu nowhere 1400\n"
                   "add route 10.8.0.0/16 blackhole\n")
    code, out, error = outcome(node.ctl("-f", script))
    assert (code, out) == (1, "")
    assert re.fullmatch(rf"sluicectl: {script}:3: .*nowhere.*nothing changed; 1 of 3 applied\n", error), error
    assert routes(node) == {"10.9.0.0/16"}


def test_a_script_that_cannot_be_read_is_named(node, tmp_path):
    for path in (tmp_path / "missing", tmp_path):
        done = node.ctl("-f", path)
        assert done.returncode == 2 and f"{path}: cannot be read: " in done.stderr, done.stderr
    done = node.ctl("-f", write(tmp_path, ""), "show", "version")
    assert done.returncode == 2 and "show version" in done.stderr
    assert outcome(node.ctl("-f", write(tmp_path, ""))) == (0, "", "")


def test_a_daemon_that_dies_under_a_script_is_status_three(node, tmp_path):
    script = write(tmp_path, "add route 10.9.0.0/16 blackhole\n" + "show ip fib detail\n" * 3000)
    words = [program("sluicectl"), "--socket", node.socket, "-f", script]
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline()
        node.kill()
        error = running.communicate(timeout=30)[1]
    assert running.returncode == 3, error
    assert re.search(rf"net\.cmds:\d+: no daemon at {node.socket}: .*; \d+ of 3001 applied\n", error), error


def test_a_dry_run_changes_nothing(node):
    assert node.ctl("--dry-run", "add route 10.9.0.0/16 blackhole").returncode == 0
    assert routes(node) == set()
    assert node.ctl("-n", "set interface mtu nowhere 1400").returncode == 1


def test_json_of_what_is_done_is_an_object(node):
    assert node.json("add route 10.9.0.0/16 blackhole") == {"unchanged": False, "text": ""}
    assert node.json("add route 10.9.0.0/16 blackhole") == {"unchanged": True, "text": ""}


def test_json_numbers_are_whole_and_exact(node):
    row = node.interface("null0")
    assert row["rx_packets"] == 0 and isinstance(row["rx_packets"], int) and row["mtu"] == 9000
    assert node.json("show interface match nothing-like-it") == []
    assert node.json("show interface sort -name top 1 columns mtu,name") == [{"mtu": 1500, "name": "pod/web"}]
    version = node.json("show version")
    assert isinstance(version, dict) and version["pid"] == node.process.pid and isinstance(version["uptime"], int)


def described(sluice):
    """(examples, whether they list something, the fields of a row) of each command that shows something."""
    shows = []
    for section in sluice.ctl("--generate-docs").stdout.split("\n### ")[1:]:
        reply = re.search(r"^Shows( for each)?:\n\n\| field .*\n\|---\|---\|\n((?:\|.*\n?)*)", section, re.MULTILINE)
        if reply:
            examples = re.search(r"^Examples?:\n\n```text\n(.*?)```", section, re.MULTILINE | re.DOTALL)
            shows.append((examples.group(1).splitlines(), reply.group(1),
                          set(re.findall(r"^\| `(\w+)` \|", reply.group(2), re.MULTILINE))))
    return shows


def test_json_is_an_object_or_an_array_with_every_field_that_is_described(network, node, tmp_path):
    shows = described(node)
    assert len(shows) > 20
    node.cli("create packet-generator flood interface null0 count 1 stream ethernet src 02::1 dst 02::2")
    for name, address in (("default/web", "10.1.0.5"), ("gateway", "10.1.255.1")):  # what examples speak of
        node.cli(f"create pod {name} netns {network.namespaces['pod'].path} address {address} interface {address}")
    for line in TRAFFIC_OF_EXAMPLES:
        node.cli(line)
    assert node.ctl("save", "configuration", "node.cmds", cwd=tmp_path).returncode == 0  # one example reads it
    rows = 0
    for examples, several, fields in shows:
        for example in examples:
            done = node.ctl("--json", example, cwd=tmp_path)
            assert done.returncode == 0, f"{example}: {done.stderr}"
            reply = json.loads(done.stdout)
            assert isinstance(reply, list if several else dict), example
            for row in reply if several else [reply]:
                rows += 1
                assert set(row) == fields, f"{example}: {row}"
                assert None not in row.values(), f"{example}: {row}"
    assert rows > 60
    assert node.json("show neighbor") == [], "an empty list is one, too"
