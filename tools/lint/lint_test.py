# SPDX-License-Identifier: Apache-2.0
"""Each lint passes what is right and fails what is wrong, with a sentence that names it."""
import json
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SPDX = "// SPDX-License-Identifier: Apache-2.0\n"


def run(lint, root, *arguments):
    return subprocess.run([HERE / lint, "--root", root, *arguments], capture_output=True, text=True)


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def assert_refuses(done, *words):
    assert done.returncode == 1, done.stdout + done.stderr
    for word in words:
        assert word in done.stdout


def assert_passes(done):
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("lint", ["layering", "sizes", "licence", "format", "names", "commits", "tidy"])
def test_every_lint_has_help(lint):
    done = subprocess.run([HERE / lint, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "usage:" in done.stdout


@pytest.mark.parametrize("path, target", [
    ("src/core/a.cc", "ip/fib.h"), ("src/net/a.cc", "interface/b.h"), ("src/session/a.h", "control/b.h"),
    ("src/ip/a.cc", "plugins/pg/state.h"), ("src/ip/a.cc", "pg/state.h"), ("include/sluice/a.h", "core/b.h"),
    ("plugins/pg/a.cc", "core/pool.h"), ("plugins/pg/a.cc", "nat/state.h"), ("drivers/tun/a.cc", "pg/state.h"),
    ("drivers/tun/a.cc", "control/loop.h"), ("src/core/a.cc", "../net/b.h"), ("src/core/a.cc", "src/core/b.h")])
def test_layering_refuses(tmp_path, path, target):
    for leaf in ("plugins/pg", "plugins/nat", "drivers/tun"):
        write(tmp_path, f"{leaf}/CMakeLists.txt", "")
    write(tmp_path, path, f'#pragma once\n\n#include "{target}"\n')
    assert_refuses(run("layering", tmp_path), f"{path}:3:")


@pytest.mark.parametrize("path, target", [
    ("src/ip/a.cc", "core/pool.h"), ("src/control/a.cc", "session/b.h"), ("src/daemon/main.cc", "control/b.h"),
    ("src/ip/a.cc", "sluice/packet.h"), ("plugins/pg/a.cc", "pg/pg.pb.h"), ("plugins/pg/a.cc", "state.h"),
    ("drivers/tun/a.cc", "net/if.h"), ("src/core/a.cc", "sys/socket.h"), ("tools/sluicectl/a.cc", "control/b.h")])
def test_layering_passes(tmp_path, path, target):
    write(tmp_path, "plugins/pg/CMakeLists.txt", "")
    style = "<>" if target in ("net/if.h", "sys/socket.h") else '""'
    write(tmp_path, path, f"#include {style[0]}{target}{style[1]}\n")
    assert_passes(run("layering", tmp_path))


def function(lines, head="int f(int a)"):
    return f"{head} {{\n" + "  g();\n" * (lines - 2) + "}\n"


@pytest.mark.parametrize("head", [
    "int f(int a)", "auto C::f() const noexcept -> int", "template <class T>\nvoid f(T t)",
    "C::C(int a) : a_(a), b_{a}", "void f(S s = {})", "TEST(Area, SaysSo)", "struct C* f()", "bool operator==(const C& a, const C& b)"])
def test_sizes_refuses_a_long_function_of_any_form(tmp_path, head):
    write(tmp_path, "a.cc", "namespace sluice {\n" + function(75, head) + "}\n")
    assert_refuses(run("sizes", tmp_path), "a.cc:2:", "at most 70")


def test_sizes_refuses_a_long_method_inside_a_class(tmp_path):
    write(tmp_path, "a.h", "class C final : public D<int> {\n public:\n" + function(80, "void f() override") + "};\n")
    assert_refuses(run("sizes", tmp_path), "f has 81 lines")


def test_sizes_passes_what_only_looks_long(tmp_path):
    tables = "constexpr int kTable[] = {\n" + "  1,\n" * 90 + "};\n"
    scopes = "namespace a {\nstruct B {\n" + "  int c;\n" * 90 + "};\nenum class E {\n" + "  X,\n" * 80 + "};\n}\n"
    strings = 'const char* s = R"(\n' + "{\n" * 80 + ')";\n'
    write(tmp_path, "a.cc", tables + scopes)
    write(tmp_path, "b.cc", strings + function(70) + function(70, "void h(S s = {})"))
    assert_passes(run("sizes", tmp_path))


def test_sizes_refuses_a_long_file_and_a_long_python_function(tmp_path):
    write(tmp_path, "a.h", "int a;\n" * 401)
    write(tmp_path, "b.py", "def f():\n" + "    g()\n" * 75)
    assert_refuses(run("sizes", tmp_path), "a.h:1: 401 lines", "b.py:1: f has 76 lines")


def test_licence_refuses_a_source_without_it(tmp_path):
    write(tmp_path, "a.cc", "int a;\n")
    write(tmp_path, "b", "#!/bin/sh\ntrue\n")
    write(tmp_path, "c.cc", SPDX + "int a;\n")
    assert_refuses(run("licence", tmp_path), "a.cc:1:", "b:2:", "2 findings in 3 files")


def test_format_refuses_layout_and_whitespace(tmp_path):
    shutil.copy(HERE.parents[1] / ".clang-format", tmp_path)
    write(tmp_path, "a.cc", "int  a ;\n")
    write(tmp_path, "b.md", "text \n")
    write(tmp_path, "c.cmake", "\tset(a)\n")
    write(tmp_path, "d.py", "a = 1")
    assert_refuses(run("format", tmp_path), "a.cc:1:", "b.md:1: trailing", "c.cmake:1: tab", "d.py:1: the last line")


def node(name, owner):
    return f'struct {owner} {{\n  static constexpr NodeInfo kInfo{{"{name}", "help"}};\n}};\n'


@pytest.mark.parametrize("path, name, owner", [
    ("src/ip/ip4_lookup.h", "ip4-lookup", "Ip4Lookup2"), ("src/ip/lookup4.h", "ip4-lookup", "Ip4Lookup"),
    ("src/ip/ip4_lookup.h", "IP4_lookup", "Ip4Lookup"), ("drivers/tun/rx.h", "tap-input", "TapInput")])
def test_names_refuses_a_node_of_two_names(tmp_path, path, name, owner):
    write(tmp_path, path, node(name, owner))
    assert_refuses(run("names", tmp_path), f"{path}:2: node {name}")


def test_names_passes_nodes_with_one_name(tmp_path):
    write(tmp_path, "src/ip/ip4_lookup.h", node("ip4-lookup", "Ip4Lookup"))
    write(tmp_path, "drivers/tun/rx.h", node("tun-input", "TunInput"))
    assert_passes(run("names", tmp_path))


def test_names_refuses_a_plugin_of_two_names(tmp_path):
    write(tmp_path, "plugins/pg/CMakeLists.txt", "sluice_plugin(pq SOURCES plugin.cc)\n")
    write(tmp_path, "plugins/pg/plugin.cc", "SLUICE_PLUGIN(pd, \"help\") {}\n")
    write(tmp_path, "plugins/pg/pg.proto", "package sluice.gp;\n")
    write(tmp_path, "plugins/pg/state.h", "namespace sluice::gen {\n}\n")
    assert_refuses(run("names", tmp_path), "says pq, must be pg", "says pd", "says sluice.gp", "says gen")


@pytest.mark.parametrize("message", [
    "Add a thing\n", "core: " + "x" * 70 + "\n", "core: end.\n", "core: a\nno blank line\n", "fixup! core: a\n",
    "core: a\n\n" + "a body line " * 9 + "\n"])
def test_commits_refuses(tmp_path, message):
    file = tmp_path / "message"
    file.write_text(message)
    assert_refuses(run("commits", tmp_path, "--hook", file))


def test_commits_looks_at_the_branch(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True,
                       capture_output=True)
    git("init", "-b", "main")
    git("commit", "--allow-empty", "-m", "core: start\n\nBecause something must be first.")
    assert_passes(run("commits", tmp_path))
    git("checkout", "-b", "work")
    git("commit", "--allow-empty", "-m", "Stuff")
    assert_refuses(run("commits", tmp_path), "'Stuff'", "1 findings in 1 commits")


def test_tidy_finds_a_use_after_move(tmp_path):
    write(tmp_path, ".clang-tidy", (HERE.parents[1] / ".clang-tidy").read_text())
    write(tmp_path, "a.cc", "#include <string>\n#include <utility>\nstd::string f(std::string s) {\n"
                            "  std::string t = std::move(s);\n  return t + s;\n}\n")
    write(tmp_path, "b.cc", "int g() { return 1; }\n")
    write(tmp_path, "c.cc", "namespace {\nint g() { return 2; }\n}\nint h() { return g(); }\n")  # not with b.cc in one
    write(tmp_path, "build/compile_commands.json", json.dumps([
        {"directory": str(tmp_path), "command": f"g++ -std=c++20 -c {name}.cc -o {name}.o", "file": f"{name}.cc"}
        for name in "abc"]))
    assert_refuses(run("tidy", tmp_path, tmp_path / "build"), "use-after-move", "1 findings in 3 files")
    write(tmp_path, "a.cc", "int f() { return 1; }\n")
    assert_passes(run("tidy", tmp_path, tmp_path / "build"))
