# SPDX-License-Identifier: Apache-2.0
"""A hundred sluicectl at once, changes and lists, while pods talk; some stand still, some die in the middle."""
import os
import re
import signal
import subprocess

import pytest

from lib.daemon import program
from lib.net import wait_until

CLIENTS = 100
ROUTES = 3000
A4, B4 = "10.7.0.1", "10.7.0.2"


def descriptors(sluice):
    return len(os.listdir(f"/proc/{sluice.process.pid}/fd"))


def changes(number):
    """Commands that leave everything as it was."""
    own, prefix = f"null{number}", f"10.{100 + number}.0.0/16"
    return [f"create interface null {own}", f"set interface mtu {own} 1400", f"set interface address {own} 10.9.{number}.1/24",
            f"add route {prefix} blackhole", "show interface", f"add route 10.9.{number}.128/25 interface {own}",
            f"delete route {prefix}", f"delete interface {own}"]


LISTS = ["show interface", "show ip fib", "show runtime", "show configuration", "show pod", "show errors"]


class Clients:
    def __init__(self, sluice, folder):
        self.sluice, self.folder, self.processes = sluice, folder, []

    def start(self, *words):
        command = [program("sluicectl"), "--socket", self.sluice.socket, *words]
        self.processes.append(subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                               stderr=subprocess.PIPE, text=True))
        return self.processes[-1]

    def script(self, name, lines):
        file = self.folder / name
        file.write_text("\n".join(lines) + "\n")
        return file

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()


@pytest.fixture
def busy(network, daemon, tmp_path):
    """A daemon with two pods and many routes, and its clients."""
    a, b = network.namespace("a"), network.namespace("b")
    sluice = daemon(startup=[f"create pod a netns {a.path} address {A4}", f"create pod b netns {b.path} address {B4}"])
    clients = Clients(sluice, tmp_path)
    sluice.script(clients.script("routes", [f"add route 172.{16 + i // 256}.{i % 256}.0/24 blackhole" for i in range(ROUTES)]))
    yield sluice, clients, a
    clients.close()


def stopped_in_a_list(clients):
    """A client that has got the first bytes of a long list and stands still."""
    client = clients.start("show ip fib detail")
    assert client.stdout.read(1)
    client.send_signal(signal.SIGSTOP)
    return client


def test_a_hundred_clients_at_once_get_what_they_ask_for_and_traffic_goes_on(busy):
    sluice, clients, a = busy
    before, open_before = sluice.cli("show configuration"), descriptors(sluice)
    a.ping(B4)
    ping = a.popen("ping", "-n", "-q", "-i", "0.01", B4)
    still = [stopped_in_a_list(clients) for _ in range(5)]
    working = []
    for number in range(CLIENTS):
        lines = changes(number) if number % 2 else LISTS
        working.append(clients.start("-f", clients.script(f"client{number}", lines * 3)))
    dying = [stopped_in_a_list(clients) for _ in range(5)]
    for client in dying:
        client.kill()
    for number, client in enumerate(working):
        output, error = client.communicate(timeout=120)
        assert client.returncode == 0, f"client {number}: {error}"
        assert ("pod/a" in output) and (number % 2 or output.count("172.16.0.0/24") == 6), output[-2000:]
    assert sluice.cli("show configuration") == before, "each has taken away what it made"
    ping.send_signal(signal.SIGINT)
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", ping.communicate(timeout=10)[0]).groups())
    assert sent - received <= 1 < sent, "only the last answer may not have come yet"
    for client in still:
        client.kill()
    wait_until(lambda: descriptors(sluice) <= open_before, "the sockets of clients that have gone to be closed")
    a.ping(B4)


def test_a_client_that_is_killed_in_the_middle_of_a_script_leaves_whole_commands(busy):
    sluice, clients, _ = busy
    open_before = descriptors(sluice)
    prefixes = [f"10.{i // 250}.{i % 250}.0/24" for i in range(5000)]
    killed = clients.start("-f", clients.script("long", [f"add route {prefix} prohibit" for prefix in prefixes]))

    def made():
        return {line.split()[2] for line in sluice.cli("show configuration").splitlines() if line.endswith(" prohibit")}

    wait_until(made, "the first of its commands to be done")
    killed.kill()
    wait_until(lambda: descriptors(sluice) <= open_before, "its socket to be closed")
    done = made()
    assert done == set(prefixes[:len(done)]), "one after the other, and none that was not asked for"
    rows = {row["prefix"] for row in sluice.json("show ip fib") if "prohibit" in row["forwarding"]}
    assert rows == done, "what is configured is what forwards"
