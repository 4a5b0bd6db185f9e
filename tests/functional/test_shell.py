# SPDX-License-Identifier: Apache-2.0
"""The interactive shell on a terminal: prompt, history, completion, help, interrupts; and commands from a pipe."""
import signal
import subprocess

import pytest

from lib.daemon import program
from lib.net import wait_until
from lib.terminal import END, ENTER, INTERRUPT, TAB, UP, Terminal

PROMPT = r"sluice# "


@pytest.fixture
def node(network, daemon):
    pod = network.namespace("pod")
    return daemon(startup=[f"create pod web netns {pod.path} address 10.1.0.2", "create interface null null0",
                           "create interface null null1"])


class Shell(Terminal):
    def __init__(self, sluice, home):
        super().__init__([program("sluicectl"), "--socket", sluice.socket], {"HOME": str(home)})
        self.read_answer()

    def read_answer(self):
        """What comes until the next prompt."""
        text = self.read_until(PROMPT)
        wait_until(self.takes_keys, "the shell to take keys")
        return text

    def run(self, keys):
        """What comes after a line until the next prompt."""
        self.type(keys + ENTER)
        return self.read_answer()


@pytest.fixture
def shell(node, tmp_path):
    with Shell(node, tmp_path) as made:
        yield made


def test_a_command_is_run_and_the_shell_goes_on(shell):
    assert "version:" in shell.run("show version")
    assert "null0" in shell.run("show interface")
    shell.run("")
    shell.run("   ")
    shell.run("# a comment")
    shell.type("exit" + ENTER)
    assert shell.wait() == 0


@pytest.mark.parametrize("keys", ["quit" + ENTER, "  exit " + ENTER, END])
def test_the_shell_ends_when_asked(shell, keys):
    shell.type(keys)
    assert shell.wait() == 0


def test_an_error_does_not_end_the_shell_and_the_last_status_is_its_own(shell):
    assert "did you mean interface?" in shell.run("show interfaze")
    assert "no such interface" in shell.run("delete interface nowhere")
    shell.type(END)
    assert shell.wait() == 1


def test_unambiguous_beginnings_are_enough(shell):
    assert "null0" in shell.run("sh int")
    assert "version:" in shell.run("sho ver")
    said = shell.run("s int")
    assert "ambiguous" in said and "show" in said and "set" in said
    assert shell.run("set int st null0 up").count("sluicectl:") == 0
    assert " up " in shell.run("sh int null0 columns name,state,mtu")


def test_the_up_arrow_brings_a_line_back(shell):
    shell.run("show version")
    shell.run("show buffers")
    assert "pages" in shell.run(UP)
    assert "version:" in shell.run(UP + UP)


def test_the_history_outlives_the_shell(node, tmp_path):
    for _ in range(2):
        with Shell(node, tmp_path) as shell:
            shell.run("show version")
            shell.type(END)
            assert shell.wait() == 0
    file = tmp_path / ".sluicectl_history"
    assert file.read_text().count("version") == 1, "a line that is repeated is kept once"
    assert file.stat().st_mode & 0o077 == 0, "commands hold secrets, and are nobody else's"
    with Shell(node, tmp_path) as shell:
        assert "version:" in shell.run(UP)


def test_the_tabulator_completes_keywords_and_names(shell):
    shell.type("sho" + TAB + "int" + TAB)
    shell.read_until("show interface")
    shell.type("po" + TAB)
    shell.read_until("pod/web")
    table = shell.run("")
    assert "pod/web" in table and "null0" not in table
    # As far as it goes; the next one lists what there is.
    shell.type("set interface state nu" + TAB)
    shell.read_until("null")
    shell.type(TAB)
    listed = shell.read_until(r"null0\s+null1\s+" + PROMPT)
    assert "pod/web" not in listed
    shell.run("1 u" + TAB)
    assert "null1" in shell.run("show interface match null1 columns name,state")


def test_the_tabulator_has_nothing_to_add_to_a_wrong_word(shell):
    shell.type("show nonsense" + TAB)
    assert "expected" in shell.run("")


def test_a_question_mark_says_what_may_come_next(shell):
    shell.type("?")
    first = shell.read_answer()
    assert {"add", "clear", "create", "delete", "set", "show", "trace"} <= {
        line.split()[0] for line in first.splitlines() if line.startswith("  ")}
    shell.type("show v?")
    assert "Shows what runs" in shell.read_answer()
    assert "version:" in shell.run("ersion")
    shell.type("show interface ?")
    listed = shell.read_answer()
    assert "<enter>" in listed and "pod/web" in listed and "Only this interface" in listed
    assert "null0" in shell.run("")


def test_help_lists_the_first_words(shell):
    assert "  show " in shell.run("help")


def test_an_interrupt_gives_up_the_line_and_not_the_shell(shell):
    shell.type("delete interface null0")
    shell.read_until("null0")
    shell.type(INTERRUPT)
    shell.read_answer()
    assert "null0" in shell.run("show interface")


def test_an_interrupt_ends_a_command_that_waits(shell, node):
    node.signal(signal.SIGSTOP)
    try:
        shell.type("show interface" + ENTER)
        shell.read_until("show interface\n")
        shell.type(INTERRUPT)
        assert "interrupted" in shell.read_answer()
    finally:
        node.signal(signal.SIGCONT)
    assert "null0" in shell.run("show interface")


def test_the_shell_outlives_the_daemon(shell, node):
    assert "null0" in shell.run("show interface")
    node.kill()
    said = shell.run("show interface")
    assert f"no daemon at {node.socket}" in said and "nobody listens" in said
    shell.type(TAB)  # there are no names to be had
    assert "show" in shell.read_answer()
    assert "no daemon" in shell.run("show version")
    node.start()
    assert "null0" in shell.run("show interface")
    node.kill()
    shell.run("show interface")
    shell.type(END)
    assert shell.wait() == 3


def piped(sluice, text):
    return subprocess.run([program("sluicectl"), "--socket", sluice.socket], input=text, capture_output=True, text=True,
                          timeout=20)


def test_a_pipe_is_run_without_prompt_until_its_first_failure(node):
    done = piped(node, "# what there is\nshow interface null0 columns name\n\nshow interface null1 columns name\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "name\nnull0\nname\nnull1\n", "")
    done = piped(node, "set interface state null0 up\nset interface mtu nowhere 1400\nset interface state null1 up\n")
    assert done.returncode == 1 and done.stderr.startswith("sluicectl: line 2: name nowhere"), done.stderr
    assert [node.interface(name)["state"] for name in ("null0", "null1")] == ["up", "down"]
    done = piped(node, "show version\nshow nothing\n")
    assert done.returncode == 2 and done.stderr.startswith("sluicectl: line 2: column 6: "), done.stderr
    done = piped(node, "exit\nshow nothing\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert piped(node, "").returncode == 0
