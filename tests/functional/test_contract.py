# SPDX-License-Identifier: Apache-2.0
"""The daemon keeps the committed contract of its API, and the previous release's sluicectl works against it."""
import os
import re

import pytest

from lib.daemon import ROOT, program
from lib.net import run
from lib.refusal import has_all

CONTRACT = ROOT / "docs/api/contract.txt"


@pytest.fixture
def node(daemon):
    return daemon(startup=["create interface null null0"])


def test_the_committed_contract_is_kept_and_whole(node):
    kept = node.ctl("--check-contract", CONTRACT)
    assert kept.returncode == 0, f"{kept.stderr}\ndocs/compatibility.md says what to do"
    assert node.ctl("--generate-contract").stdout == CONTRACT.read_text(), "run tools/docs and commit what it writes"


def test_what_a_daemon_does_not_keep_is_said(node, tmp_path):
    promised = tmp_path / "contract.txt"
    text = CONTRACT.read_text()
    major = int(re.search(r"^major (\d+)$", text, re.MULTILINE).group(1))
    text = text.replace("field sluice.control.Version.pid number 4 type uint32", "field sluice.control.Version.pid number 9 type string")
    text += ("\nservice sluice.gone.Gone\nmethod sluice.gone.Gone.Show request sluice.Nothing reply sluice.Done\n"
             "form sluice.control.Meta.ShowVersion show release\n")
    promised.write_text(text)
    done = node.ctl("--check-contract", promised)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines() == [f"sluicectl: {promised}: {line}" for line in (
        "field sluice.control.Version.pid: number was 9, is 4", "field sluice.control.Version.pid: type was string, is uint32",
        "service sluice.gone.Gone: is gone",
        'form sluice.control.Meta.ShowVersion: no form takes all that "show release" took')]
    promised.write_text(text.replace(f"major {major}\n", f"major {major + 1}\n"))
    done = node.ctl("--check-contract", promised)
    assert done.stderr.startswith(f"sluicectl: {promised}: major version: was {major + 1}, is {major}\n")


def test_a_file_that_is_no_contract_is_said(node, tmp_path):
    (tmp_path / "none.txt").write_text("major 0\nlorem ipsum\n")
    for path, words in ((tmp_path / "none.txt", ["line 2", "lorem ipsum"]), (tmp_path / "missing", ["cannot be read"])):
        done = node.ctl("--check-contract", path)
        assert done.returncode == 2
        has_all(done.stderr, str(path), *words)


def previous_release():
    """The latest release's tag; SLUICE_PREVIOUS_RELEASE names another commit."""
    tags = run("git", "-C", ROOT, "tag", "--list", "v[0-9]*", "--sort=-version:refname", check=False).stdout.split()
    return os.environ.get("SLUICE_PREVIOUS_RELEASE") or (tags[0] if tags else None)


@pytest.fixture(scope="module")
def previous_ctl(tmp_path_factory):
    """sluicectl as it was at the latest tag."""
    tag = previous_release()
    if not tag:
        pytest.skip("there is no tag v* yet, so no previous release")
    folder = tmp_path_factory.mktemp("previous")
    tree = folder / "tree"
    run("git", "-C", ROOT, "worktree", "add", "--detach", tree, tag, timeout=120)
    try:
        run("cmake", "--preset", "release", "-Wno-dev", "-DSLUICE_TESTS=OFF", "-DSLUICE_BENCH=OFF", cwd=tree, timeout=300)
        run("cmake", "--build", "--preset", "release", "--target", "sluicectl", cwd=tree, timeout=3600)
        yield next((tree / "build/release").rglob("bin/sluicectl")), (tree / "docs/api/contract.txt")
    finally:
        run("git", "-C", ROOT, "worktree", "remove", "--force", tree, check=False)


def test_the_previous_releases_sluicectl_works_against_this_daemon(node, previous_ctl, tmp_path):
    old, contract = previous_ctl

    def ctl(*words):
        return run(old, "--socket", node.socket, *words, check=False, cwd=tmp_path)

    assert node.ctl("--check-contract", contract).returncode == 0
    reference = ctl("--generate-docs").stdout
    examples = [line for block in re.findall(r"^Examples?:\n\n```text\n(.*?)```", reference, re.MULTILINE | re.DOTALL)
                for line in block.splitlines()]
    shows = [example for example in examples if example.startswith("show ")]
    assert len(shows) > 20
    for example in shows:
        done = ctl("--json", example)
        # What is to be shown may not be there.
        assert done.returncode == 0 or "no such" in done.stderr, f"{example}\n{done.stderr}"
    for command, said in (("add route 10.9.0.0/16 blackhole", ""), ("add route 10.9.0.0/16 blackhole", "unchanged\n")):
        done = ctl(command)
        assert (done.returncode, done.stdout) == (0, said), done.stderr
    assert any(row["prefix"] == "10.9.0.0/16" for row in node.json("show ip fib"))
    assert ctl("set interface mtu nowhere 1400").returncode == 1 and ctl("show nothing").returncode == 2
