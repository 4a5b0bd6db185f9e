# SPDX-License-Identifier: Apache-2.0
"""What does not compile says so in the first line of the error: which node, and what it lacks. With both compilers."""
import json
import re
import shlex
import shutil

import pytest

from lib.daemon import BUILD, ROOT
from lib.net import run

NODE = """
#include <sluice/plugin.h>
#include <sluice/testing/node_test.h>
struct Other {
  enum class Next : std::uint8_t { Elsewhere };
  enum class Drop : std::uint8_t { Late };
  using Verdict = sluice::Verdict<Next, Drop>;
};
struct Shaper {
  static constexpr sluice::NodeInfo kInfo{"shaper", "a node with a mistake"};
  enum class Next : std::uint8_t { Ip4Lookup };
  enum class Drop : std::uint8_t { Truncated, TooFast };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop drop) {
    switch (drop) {
      case Drop::Truncated: return "too short";
      case Drop::TooFast: return "above its rate";
    }
    return {};
  }
  Verdict operator()(sluice::Packet& packet, sluice::Worker&, Trace*) const noexcept {
    return packet.length ? Verdict(Next::Ip4Lookup) : Verdict(Drop::Truncated);
  }
};
"""
REGISTERED = 'SLUICE_PLUGIN(shaper, "registers it") { registry.node<Shaper>(); }\n'
TESTED = "void tested() { sluice::testing::NodeTest<Shaper> node; (void)node; }\n"
BODY = "return packet.length ? Verdict(Next::Ip4Lookup) : Verdict(Drop::Truncated);"
TOO_FAST = '      case Drop::TooFast: return "above its rate";\n'
OPERATOR = "Verdict operator()(sluice::Packet& packet, sluice::Worker&, Trace*) const noexcept {"


def lacks(what):
    return rf"sluice::node_lacks::{what}<Shaper\b"


# (what is wrong, what is replaced by what, a pattern of the first error)
MISTAKES = [
    ("its verdict is another's", [("using Verdict = sluice::Verdict<Next, Drop>;\n  struct Trace", "using Verdict = Other::Verdict;\n  struct Trace"),
                                  (BODY, "return sluice::Hold;")],
     lacks("VerdictThatIsSluiceVerdictOfItsNextAndDrop")),
    ("it returns a truth value", [(OPERATOR, OPERATOR.replace("Verdict", "bool")), (BODY, "return packet.length > 0;")],
     lacks("ItsVerdictAsTheResult")),
    ("its next is not declared", [("Verdict(Next::Ip4Lookup)", "Verdict(Next::Ip6Lookup)")], r"Ip6Lookup.*Shaper::Next"),
    ("a reason has no sentence", [(TOO_FAST, "")], lacks("SentenceInWhyForDrop")[:-2] + r", Shaper::(Drop::)?TooFast>"),
    ("a reason has none and why() no end", [(TOO_FAST + "    }\n    return {};\n", "    }\n")],
     lacks("SentenceInWhyForDrop")[:-2] + r", Shaper::(Drop::)?TooFast>"),
    ("there is no why()", [("std::string_view why(", "std::string_view because(")], lacks("SentenceInWhyForDrop")),
    ("it may throw", [(OPERATOR, OPERATOR.replace(" noexcept", ""))], lacks("NoexceptOnItsCallOperator")),
    ("it takes no trace", [(OPERATOR, OPERATOR.replace(", Trace*", ""))], lacks("CallOperatorOfAnyForm")),
    ("it has no info", [("kInfo", "kAbout")], lacks("StaticConstexprNodeInfoCalledKInfo")),
    ("its trace is no plain data", [("struct Trace {};", "using Trace = std::string;")],
     lacks("TraceThatIsTriviallyCopyableAndFitsTraceStep")),
]


def compile_command(compiler, source):
    """Checks a file as a plugin's author would compile it, outside the tree."""
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    entry = next(each for each in commands if each["file"] == str(ROOT / "plugins/macswap/macswap_test.cc"))
    words, kept = shlex.split(entry["command"]), []
    while words:
        word = words.pop(0)
        if word in ("-o", "-c"):
            words.pop(0)
        elif word.startswith(("-I", "-isystem", "-std", "-D", "-m")):
            kept.append(word)
            if word == "-isystem":
                kept.append(words.pop(0))
    return [compiler, *kept, "-Wall", "-Wextra", "-fsyntax-only", source], entry["directory"]


@pytest.fixture(params=["g++", "clang++-19"])
def first_error(request, tmp_path):
    """first_error(text): the first line of the compiler's error, or nothing."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed; run tools/packages")

    def check(text):
        source = tmp_path / "shaper.cc"
        source.write_text(text)
        command, folder = compile_command(request.param, source)
        said = run(*command, cwd=folder, check=False, timeout=120).stderr
        return next((line for line in said.splitlines() if re.search(r"\berror: ", line)), "")

    return check


def test_without_a_mistake_it_compiles(first_error):
    assert first_error(NODE + REGISTERED + TESTED) == ""


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[0])
def test_the_first_line_names_the_node_and_what_it_lacks(first_error, mistake):
    _, replacements, pattern = mistake
    wrong = NODE
    for was, becomes in replacements:
        assert was in wrong
        wrong = wrong.replace(was, becomes)
    said = first_error(wrong + REGISTERED)
    assert re.search(pattern, said), said


def test_a_node_test_says_the_same(first_error):
    wrong = NODE.replace(OPERATOR, OPERATOR.replace(" noexcept", ""))
    assert re.search(lacks("NoexceptOnItsCallOperator"), first_error(wrong + TESTED))
