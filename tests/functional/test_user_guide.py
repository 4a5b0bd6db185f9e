# SPDX-License-Identifier: Apache-2.0
"""Every command of docs/user-guide.md works, in the order of the page."""
import re
import shlex

from lib.daemon import ROOT
from lib.net import run

PAGE = (ROOT / "docs/user-guide.md").read_text()
COMMANDS = [line.removeprefix("$ ") for line in PAGE.splitlines() if line.startswith("$ ")]
ROUTES = re.search(r"^```text\n(# node.routes\n.*?)^```", PAGE, re.MULTILINE | re.DOTALL).group(1)
DISCARDED = "203.0.113."  # the page asks for it to find a drop


def test_every_command_of_the_page_works(network, daemon):
    node, far = network.namespace("node"), network.namespace("far")
    pods = {name: network.namespace(name) for name in ("web", "db")}
    network.veth(node, "eth1", far, "far0")
    far.address("far0", "192.0.2.1/24", "2001:db8::1/64")
    sluice = daemon()
    assert len(COMMANDS) > 60
    (sluice.folder / "node.routes").write_text(ROUTES)
    for command in COMMANDS:
        words = shlex.split(command)
        if words[-1] == "&":
            pods[words[3]].popen(*words[4:-1])
            continue
        if words[:3] == ["ip", "netns", "exec"]:
            done = pods[words[3]].run(*words[4:], check=False)
            assert DISCARDED in command or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            continue
        assert words[0] == "sluicectl", command
        for name, pod in pods.items():
            words = [pod.path if word == f"/run/netns/{name}" else word for word in words]
        words = [word.replace("/tmp/", f"{sluice.folder}/") for word in words]
        done = sluice.ctl(*words[1:], cwd=sluice.folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        print(f"$ {command}\n{done.stdout}")
    assert run("ip", "-n", pods["web"].name, "link", "show", "eth0", check=False).returncode != 0
