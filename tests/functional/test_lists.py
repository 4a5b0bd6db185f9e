# SPDX-License-Identifier: Apache-2.0
"""Lists as operators have them: watched with rates, on 80 columns, through a pager."""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from lib.daemon import program
from lib.net import end, wait_until
from lib.terminal import ENTER, INTERRUPT, Terminal

PROMPT = r"sluice# "
TITLE = r"\d\d:\d\d:\d\d  show interface, every 0.2 s"


@pytest.fixture
def pods(network):
    return [network.namespace(name) for name in ("a", "b")]


@pytest.fixture
def node(pods, daemon):
    return daemon(startup=[f"create pod default/a-name-of-some-length-{i} netns {pod.path} address 10.1.0.{i + 2}"
                           for i, pod in enumerate(pods)])


def ctl(sluice, *words):
    return [program("sluicectl"), "--socket", sluice.socket, *words]


class Watch:
    """sluicectl --watch whose output goes to a file, not to a terminal."""

    def __init__(self, sluice, folder, *words):
        self.file, self.said = folder / "watched", folder / "said"
        with self.file.open("wb") as out, self.said.open("wb") as error:
            command = list(map(str, ctl(sluice, "--watch", "0.2", *words)))
            self.process = subprocess.Popen(command, stdout=out, stderr=error, stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def text(self):
        return self.file.read_text()

    def looks(self):
        return self.text().count(", every 0.2 s\n")

    def wait_looks(self, more):
        """Waits for so many looks from now on."""
        seen = self.looks()
        wait_until(lambda: self.looks() >= seen + more, f"{more} more looks; there is\n{self.text()}")

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(10) == 0


def test_a_watch_prints_one_table_after_the_other_with_rates(node, pods, tmp_path):
    with Watch(node, tmp_path, "show interface columns name,rx-packets,mtu") as watch:
        watch.wait_looks(2)
        first, second = re.split(r"\n\n", watch.text())[:2]
        assert re.fullmatch(TITLE.replace("interface", "interface columns name,rx-packets,mtu"), first.splitlines()[0])
        assert first.splitlines()[1].split() == ["name", "rx-packets", "rx-packets/s", "mtu"]
        assert len(first.splitlines()[2].split()) == 3, "nothing to compare with yet"
        assert len(second.splitlines()[2].split()) == 4

        def rates():
            return [float(line.split()[2]) for line in watch.text().splitlines() if len(line.split()) == 4
                    and line.startswith("pod/")]

        def moves():
            pods[0].ping("10.1.0.3")
            return any(rate > 0 for rate in rates())

        wait_until(moves, "a rate that is not 0")
        watch.interrupt()
    assert watch.said.read_text() == ""


def test_a_watch_goes_on_when_its_daemon_comes_back(node, tmp_path):
    with Watch(node, tmp_path, "show interface") as watch:
        watch.wait_looks(1)
        node.kill()
        wait_until(lambda: "waiting for the daemon" in watch.said.read_text(), "the watch to miss its daemon")
        assert f"sluicectl: waiting for the daemon: no daemon at {node.socket}" in watch.said.read_text()
        node.start()
        wait_until(lambda: "is back" in watch.said.read_text(), "the watch to find its daemon")
        watch.wait_looks(2)
        watch.interrupt()


def test_a_watch_for_programs_prints_one_array_after_the_other(node, tmp_path):
    with Watch(node, tmp_path, "--json", "show interface columns name,mtu") as watch:
        wait_until(lambda: watch.text().count("]") >= 2, "two arrays")
        watch.interrupt()
    arrays = [json.loads(part + "]") for part in watch.text().split("]")[:-1]]
    assert all([row["name"] for row in array] == [row["name"] for row in arrays[0]] for array in arrays)


def test_a_watch_ends_when_what_it_shows_is_gone(node, tmp_path):
    with Watch(node, tmp_path, "show interface pod/default/a-name-of-some-length-0") as watch:
        watch.wait_looks(1)
        node.cli("delete pod default/a-name-of-some-length-0")
        assert watch.process.wait(10) == 1
    assert "a-name-of-some-length-0: no such interface" in watch.said.read_text()


@pytest.mark.parametrize("words, status, said", [
    (["--watch", "0", "show interface"], 2, "--watch 0: must be 0.1 to 86400 seconds"),
    (["--watch", "soon", "show interface"], 2, "--watch soon: must be"),
    (["show interface --watch"], 2, "--watch: expected seconds behind it"),
    (["show", "interface", "--watch", "1000000"], 2, "--watch 1000000: must be"),
    (["--watch", "1"], 2, "give a command"),
    (["--watch", "1", "show interfaze"], 2, "did you mean interface?"),
    (["add route 10.9.0.0/16 blackhole --watch 1"], 1, "only commands that show something can be watched"),
])
def test_what_cannot_be_watched_is_refused(node, words, status, said):
    done = node.ctl(*words)
    assert done.returncode == status and done.stdout == "" and said in done.stderr, done.stderr
    assert not [route for route in node.json("show ip fib") if route["prefix"].startswith("10.9.")]


@pytest.mark.parametrize("key", [INTERRUPT, "q"])
def test_on_a_terminal_a_watch_is_redrawn_in_place(node, key):
    with Terminal(ctl(node, "--watch", "0.2", "show interface"), rows=12, columns=80) as terminal:
        for _ in range(3):
            terminal.read_until(r"a-name-of-some-length-1|length-1")
        terminal.read_until(TITLE)
        terminal.type(key)
        assert terminal.wait() == 0
        screen = terminal.screen()
    assert [bool(re.fullmatch(TITLE, line)) for line in screen].count(True) == 1, screen
    assert sum("length-1" in line for line in screen) == 1 and "rx-packets/s" in screen[1], screen
    assert max(map(len, screen)) <= 80


def test_on_a_small_terminal_a_watch_shows_what_fits(node):
    with Terminal(ctl(node, "show graph --watch 0.2"), rows=8, columns=40) as terminal:
        for _ in range(3):
            terminal.read_until("show graph, every 0.2 s")
        terminal.type("q")
        assert terminal.wait() == 0
        screen = [line for line in terminal.screen() if line]
    assert len(screen) == 7 and max(map(len, screen)) <= 40, screen


def test_a_watch_on_a_terminal_says_that_the_daemon_was_gone(node):
    with Terminal(ctl(node, "--watch", "0.2", "show interface"), columns=160) as terminal:
        terminal.read_until("length-1")
        node.kill()
        terminal.read_until("waiting for the daemon: no daemon at ")
        node.start()
        terminal.read_until("the daemon was gone and is back")
        terminal.read_until("length-1")
        terminal.type(INTERRUPT)
        assert terminal.wait() == 0


def test_a_watch_in_the_shell_ends_and_the_shell_goes_on(node, tmp_path):
    with Terminal(ctl(node), {"HOME": str(tmp_path)}) as shell:
        shell.read_until(PROMPT)
        for key in (INTERRUPT, "q"):
            wait_until(shell.takes_keys, "the shell to take keys")
            shell.type("show interface --watch 0.2" + ENTER)
            for _ in range(2):
                shell.read_until("length-1")
            shell.type(key)
            shell.read_until(PROMPT)
        wait_until(shell.takes_keys, "the shell to take keys")
        shell.type("show version" + ENTER)
        shell.read_until("version:")


def paged(sluice, *words, environment=None, rows=10):
    """What comes to a small terminal with a pager that marks what went through it."""
    with Terminal(ctl(sluice, *words), {"PAGER": "sed s/^/paged:/", **(environment or {})}, rows=rows) as terminal:
        assert terminal.wait() == 0
        return terminal.everything


def test_what_is_longer_than_the_terminal_goes_through_the_pager(node):
    long, short = "show graph", "show interface"
    assert paged(node, long).count("paged:") > 10
    assert "paged:" not in paged(node, short) and "length-1" in paged(node, short)
    assert "paged:" not in paged(node, long, rows=500)
    assert "paged:" in paged(node, "help")
    for words in (["--no-pager", long], ["--json", long]):
        assert "paged:" not in paged(node, *words)
    for pager in ("", "no-such-pager-anywhere"):
        text = paged(node, long, environment={"PAGER": pager})
        assert "ip4-lookup" in text and "paged:" not in text
    done = node.ctl(long, env={**os.environ, "PAGER": "sed s/^/paged:/"})
    assert done.returncode == 0 and "paged:" not in done.stdout, "it is no terminal"


def test_a_pager_that_is_left_ends_the_output(node):
    with Terminal(ctl(node, "show graph"), {"PAGER": "head -n 2"}, rows=5) as terminal:
        assert terminal.wait() == 0
        assert terminal.everything.count("\n") == 2


@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
def test_an_interrupt_while_the_pager_shows_leaves_it_to_the_pager(node):
    with Terminal(ctl(node, "show graph"), {"PAGER": "less -RX", "LESS": ""}, rows=10) as terminal:
        terminal.read_until("node  ")
        wait_until(terminal.takes_keys, "less to take keys")
        terminal.type(INTERRUPT)
        terminal.read_until("node  ")  # less shows its page anew
        terminal.type("q")
        assert terminal.wait() == 0


def test_no_line_of_a_list_is_longer_than_80_columns(node):
    done = node.ctl("--generate-docs")
    shows = re.findall(r"^show .*(?<![\]}.])$", done.stdout, re.MULTILINE)
    lists = 0
    for command in sorted(set(shows)):
        done = node.ctl(command + " top 1000", env={**os.environ, "COLUMNS": "80"})
        if done.returncode:
            continue  # no list, or of something that is not there
        lists += 1
        for line in done.stdout.splitlines():
            assert len(line) <= 80, f"{command}\n{done.stdout}"
    assert lists > 10


def test_top_takes_two_looks_and_ends_where_there_is_no_terminal(node):
    text = node.cli("top")
    assert re.match(r"\d\d:\d\d:\d\d  top, every 1 s\n\nWORKERS\n", text)
    assert "sluice-wk0" in text and "\nINTERFACES\n" in text and "\nDROPS" in text and text.count("length-1") == 1
    done = node.ctl("top interfaces 1", env={**os.environ, "COLUMNS": "80"})
    assert "\nINTERFACES, the busiest 1 of 2\n" in done.stdout and max(map(len, done.stdout.splitlines())) <= 80


def test_top_shows_what_happens_now(node, pods):
    pings = [pods[0].popen("ping", "-n", "-q", "-i", "0.01", address) for address in ("10.1.0.3", "203.0.113.9")]
    try:
        def busy():
            look = node.json("top interfaces 1")[0]
            return look if look["interface"][0]["rx_packets"] > 10 and look["drop"] else None
        look = wait_until(busy, "traffic to show", seconds=20)
    finally:
        for ping in pings:
            ping.kill()
    assert look["interfaces"] == 2 and len(look["interface"]) == 1
    assert look["interface"][0]["rx_bits"] > 8 * look["interface"][0]["rx_packets"]
    assert 0 < look["worker"][0]["load"] <= 100
    assert look["drop"][0]["reason"] == "no-route" and look["drop"][0]["rate"] > 0


def test_top_on_a_terminal_looks_until_it_is_ended(node):
    with Terminal(ctl(node, "top"), rows=24, columns=80) as terminal:
        for _ in range(2):
            terminal.read_until("DROPS")
        terminal.type("q")
        assert terminal.wait() == 0
        screen = terminal.screen()
    assert screen.count("WORKERS") == 1 and max(map(len, screen)) <= 80, screen
    with Terminal(ctl(node, "top", "count", "2"), rows=24, columns=80) as terminal:
        assert terminal.wait() == 0
        assert terminal.everything.count("WORKERS") == 2
