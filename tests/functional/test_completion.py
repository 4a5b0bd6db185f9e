# SPDX-License-Identifier: Apache-2.0
"""What is generated for those outside of sluicectl: bash's completion and the pages of the manual."""
import re
import shutil

import pytest

from lib.daemon import ROOT, program
from lib.net import run

# Calls the function as bash does when the tabulator is pressed behind a line.
PRESS = r"""
source "$1"
COMP_LINE=$2 COMP_POINT=${#2}
_sluicectl
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def node(daemon):
    return daemon(startup=["create interface null null0", "create interface null null1"])


@pytest.fixture
def press(node, tmp_path):
    """press("show int") → what bash would offer."""
    done = node.ctl("--completion", "bash")
    assert done.returncode == 0, done.stderr
    script = tmp_path / "completion"
    script.write_text(done.stdout)

    def press(rest, socket=node.socket, before=""):
        line = f"{program('sluicectl')} {before}--socket {socket} {rest}"
        return run("bash", "-uec", PRESS, "bash", script, line).stdout.splitlines()

    return press


def test_bash_completes_words_and_live_names(press):
    assert "interface" in press("show int") and press("show interf") == ["interface"]
    assert press("set interface state nu") == ["null0", "null1"]
    assert press("set interface state null0 ") == ["down", "up"]
    assert {"show", "add", "top"} <= set(press(""))
    assert press("nonsense ") == []
    assert press("show interface --w") == ["--watch"]


def test_bash_completes_options_and_their_files(press, tmp_path):
    assert press("--js") == ["--json"]
    assert "interface" in press("show int", before="--json --watch 1 ")
    (tmp_path / "net.cmds").write_text("")
    assert press(f"-f {tmp_path}/net.c") == [f"{tmp_path}/net.cmds"]


def test_without_a_daemon_bash_knows_the_commands(press, tmp_path):
    nowhere = tmp_path / "none.sock"
    assert "interface" in press("show int", socket=nowhere)
    assert {"show", "add", "top"} <= set(press("", socket=nowhere))
    assert press("show ip ", socket=nowhere).count("fib") == 1
    assert press("nonsense ", socket=nowhere) == []


def test_another_shell_is_refused(node):
    assert "bash" in node.refusal("--completion tcsh", status=2)


def test_the_configuration_of_the_manual_is_one(tmp_path):
    page = run(program("sluiced"), "--manual").stdout
    section = page.split("\n.SH CONFIGURATION\n")[1]
    lines = re.search(r"\.nf\n(.*?)\n\.fi", section, re.DOTALL).group(1).replace(r"\-", "-")
    file = tmp_path / "sluiced.yaml"
    file.write_text(lines + "\n")
    assert "ok, 1 startup commands" in run(program("sluiced"), "--check", file).stdout


def test_the_manual_says_what_the_programs_take(node):
    pages = {"sluicectl": node.ctl("--manual").stdout, "sluiced": run(program("sluiced"), "--manual").stdout}
    for name, page in pages.items():
        text = page.replace(r"\-", "-")
        options = re.findall(r"--[a-z-]+", run(program(name), "--help").stdout)
        assert len(options) > 3 and not [option for option in options if option not in text]
    assert "show interface address [{name}]" in pages["sluicectl"] and "save configuration {file}" in pages["sluicectl"]


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
@pytest.mark.parametrize("page", ["sluicectl.1", "sluiced.8"])
def test_groff_has_nothing_to_say_of_the_manual(page):
    done = run("groff", "-man", "-Tutf8", "-ww", ROOT / "docs/man" / page)
    assert done.stderr == "" and "SEE ALSO" in re.sub("\x1b\\[[0-9;]*m|.\x08", "", done.stdout)
