# SPDX-License-Identifier: Apache-2.0
"""Every example that a command declares works as it stands, in a daemon where it makes sense.

The examples are the daemon's own: a command that is added without one, or with one that does not work, fails here. Where
an example needs something that no other example makes, put it into STARTUP or `world`.
"""
import re

import pytest

from lib.daemon import TRAFFIC_OF_EXAMPLES, program
from lib.net import run

STARTUP = [
    # Next hops are found by it where the examples' own addresses do not cover them.
    "add route 0.0.0.0/0 blackhole", "add route ::/0 blackhole",
    *TRAFFIC_OF_EXAMPLES]
# Things are made before they are used, and used before they go; what lies in something goes before it.
ORDER = ["create interface null", "create interface", "create", "set interface address", "set", "add", "trace",
         "packet-generator start", "packet-generator stop", "save", "show", "clear", "", "delete interface address", "delete",
         "delete interface"]
AT_THE_END = re.compile(r"(delete interface \S+)$")
ROUTES = "# what add routes file reads\n198.51.100.128/25 blackhole\n"
RINGS = ("xdp0",)  # interfaces of examples that have buffers for as long as they are there, which is no leak
FILES = re.compile(r" (?:send|receive|start) (/tmp/\S+)")


class OwnRunNetns:
    """A namespace whose programs see pods by the names that the examples have: /run/netns/web."""

    def __init__(self, namespace, pods):
        self.namespace, self.pods = namespace, pods
        self.name = namespace.name

    def command(self, *words):
        folder = f"/tmp/{self.name}-netns"
        script = [f"mkdir -p {folder}", f"mount -t tmpfs -o mode=755 {self.name} {folder}"]
        for name, pod in self.pods.items():
            script += [f"touch {folder}/{name}", f"mount --bind {pod.path} {folder}/{name}"]
        script += [f"mount --rbind {folder} /run/netns", 'exec "$@"']
        return ["nsenter", f"--net={self.namespace.path}", "unshare", "--mount", "sh", "-ec", "\n".join(script), "sh",
                *map(str, words)]


def rank(example):
    place = max((word for word in ORDER if (example + " ").startswith(word + " ") or not word), key=len)
    if place == "delete interface" and not AT_THE_END.match(example):
        place = "delete"
    return ORDER.index(place)


def described(sluice):
    """(examples of all commands, in an order in which they make sense; how many commands there are)."""
    done = sluice.ctl("--generate-docs")
    assert done.returncode == 0, done.stderr
    sections = done.stdout.split("\n### ")[1:]
    examples = []
    for section in sections:
        block = re.search(r"^Examples?:\n\n```text\n(.*?)```", section, re.MULTILINE | re.DOTALL)
        assert block, f"a command without an example: {section.splitlines()[0]}"
        examples += block.group(1).splitlines()
    return sorted(examples, key=rank), len(sections)


@pytest.fixture
def world(network, daemon):
    node, web, far = network.namespace("node"), network.namespace("web"), network.namespace("far")
    network.veth(node, "lo-test", far, "eth0")
    yield daemon(STARTUP, namespace=OwnRunNetns(node, {"web": web}))
    run("rmdir", f"/tmp/{node.name}-netns", check=False)


def test_every_example_works(world, tmp_path):
    examples, commands = described(world)
    (tmp_path / "node.routes").write_text(ROUTES)
    assert len(examples) >= commands > 40
    for example in examples:
        done = world.ctl(example, cwd=tmp_path)  # where the examples' own files go
        print(f"$ {example}\n{done.stdout}{done.stderr}")
        assert done.returncode == 0, f"{example}\n{done.stdout}{done.stderr}"
        assert not done.stderr
        # A stream of so many packets may be through before it is stopped, and the only worker has every queue already.
        if not example.startswith(("show", "clear", "delete", "packet-generator stop", "set interface rx-placement")):
            assert not done.stdout.startswith("unchanged"), f"{example}: there is nothing for it to do here"
        for file in FILES.findall(example):
            run("rm", "-f", file)
    for name in RINGS:
        world.cli(f"delete interface {name}")
    left = [row["name"] for row in world.json("show interface")]
    assert "null0" not in left and "pod/default/web" not in left and "host" not in left


def test_examples_that_show_work_for_those_who_may_only_read(world, tmp_path):
    examples, _ = described(world)
    (tmp_path / "node.routes").write_text(ROUTES)
    for example in examples:
        done = run(program("sluicectl"), "--socket", world.folder / "run/ro.sock", example, check=False, cwd=tmp_path)
        if example.startswith(("show", "save", "doctor", "explain", "top")):
            # What is to be shown may not be there yet.
            assert done.returncode == 0 or "no such" in done.stderr, f"{example}\n{done.stderr}"
        else:
            assert done.returncode == 1 and "read-only" in done.stderr and "nothing changed" in done.stderr, example


def test_the_order_of_examples_is_one_in_which_things_exist():
    commands = ["delete interface null0", "show ip fib", "set interface mtu null0 1400", "delete pod default/web",
                "create interface vlan null0 100", "create interface null null0", "delete interface address null0 1.2.3.4/5",
                "clear trace", "add route 0.0.0.0/0 blackhole", "pcap start"]
    assert sorted(commands, key=rank) == [
        "create interface null null0", "create interface vlan null0 100", "set interface mtu null0 1400",
        "add route 0.0.0.0/0 blackhole", "show ip fib", "clear trace", "pcap start",
        "delete interface address null0 1.2.3.4/5", "delete pod default/web", "delete interface null0"]
