# SPDX-License-Identifier: Apache-2.0
"""Network namespaces and what joins them. Everything is named after this process and goes away with it."""
import contextlib
import ctypes
import itertools
import json
import os
import shutil
import signal
import subprocess
import time

RUN = "sl" + os.environ.get("SLUICE_TEST_RUN", f"p{os.getpid()}")
RUN += "-" + worker if (worker := os.environ.get("PYTEST_XDIST_WORKER")) else ""
_libc = ctypes.CDLL(None, use_errno=True)
_links = itertools.count()
CLONE_NEWNET = 0x40000000


def run(*command, check=True, timeout=60, **options):
    """A command's result, text; a failure shows what it said."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, **options)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_until(condition, what, seconds=10, every=0.05):
    """The first true result of condition(); after `seconds`, a failure that says what was waited for: a text, or what
    makes it then."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what() if callable(what) else what}")
        time.sleep(every)


def end(process):
    """Kills it unless it has ended, and takes its status."""
    process.kill()
    process.wait()


class Namespace:
    def __init__(self, name):
        self.name = f"{RUN}-{name}"
        self.path = f"/run/netns/{self.name}"
        self.processes = []
        run("ip", "netns", "add", self.name)
        self.ip("link set lo up")

    def command(self, *words):
        """The command line that runs words in here; the process keeps its id."""
        return ["nsenter", f"--net={self.path}", *map(str, words)]

    def run(self, *command, **options):
        """run("ping -c 1 10.0.0.1") or run("ping", "-c", 1, address)."""
        words = command[0].split() if len(command) == 1 else command
        return run(*self.command(*words), **options)

    def popen(self, *command, **options):
        words = command[0].split() if len(command) == 1 else command
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL, "text": True,
                   **options}
        process = subprocess.Popen(self.command(*words), **options)
        self.processes.append(process)
        return process

    def ip(self, arguments, **options):
        return run("ip", "-n", self.name, *arguments.split(), **options)

    def ip_json(self, arguments):
        return json.loads(run("ip", "-j", "-n", self.name, *arguments.split()).stdout or "[]")

    def sysctl(self, name, value):
        self.run("sysctl", "-qw", f"{name}={value}")

    def address(self, interface, *addresses, up=True):
        """Gives addresses (with prefix length) and takes the interface up. IPv6 ones are usable at once."""
        for address in addresses:
            self.ip(f"addr add {address} dev {interface}" + (" nodad" if ":" in address else ""))
        if up:
            self.ip(f"link set {interface} up")

    def route(self, prefix, via=None, interface=None):
        family = "-6 " if ":" in prefix or (via and ":" in via) else ""
        self.ip(f"{family}route add {prefix}" + (f" via {via}" if via else "") + (f" dev {interface}" if interface else ""))

    def ping(self, address, count=3, size=56, interval=0.2, extra=(), check=True):
        """The number of answers; fails when one is missing, unless check is false."""
        done = self.run("ping", "-n", "-c", count, "-i", interval, "-W", 2, "-s", size, *extra, address, check=False)
        received = next((int(line.split(", ")[1].split()[0]) for line in done.stdout.splitlines()
                         if "packets transmitted" in line), 0)
        if check and received != count:
            raise AssertionError(f"ping {address} from {self.name}: {received} of {count} answers\n"
                                 f"{done.stdout}{done.stderr}")
        return received

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the namespace inside the block: sockets made there stay there."""
        with open("/proc/thread-self/ns/net") as before, open(self.path) as inside:
            if _libc.setns(inside.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {self.path}")
            try:
                yield self
            finally:
                _libc.setns(before.fileno(), CLONE_NEWNET)

    def delete(self):
        for process in self.processes:
            end(process)
        if not os.path.exists(self.path):
            return
        for pid in run("ip", "netns", "pids", self.name, check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "delete", self.name)


def lose(namespace, interface, percent):
    """Loses packets that come in at an interface, at random.

    A classic BPF program drops them, not netem: many kernels lack that, and it is for what goes out only, where the
    sender's own TCP hears of it and need not send again.
    """
    limit = (1 << 32) * percent // 100
    program = f"4,32 0 0 {0x100000000 - 0x1000 + 56},53 1 0 {limit},6 0 0 2,6 0 0 0"  # ld rand; jge limit; drop; pass
    namespace.run(f"tc qdisc add dev {interface} clsact")
    namespace.run("tc", "filter", "add", "dev", interface, "ingress", "bpf", "direct-action", "bytecode", program)


class Network:
    """What a test makes; close() removes all of it, also when the test failed half-way."""

    def __init__(self):
        self.namespaces = {}

    def namespace(self, name):
        self.namespaces[name] = Namespace(name)
        return self.namespaces[name]

    def veth(self, first, first_name, second, second_name, mtu=None, offloads=True, queues=None):
        """Joins two namespaces. Without offloads, both ends send finished checksums and no super-packets. queues: of each
        end and direction."""
        a, b = f"sl{os.getpid() % 100000}a{next(_links)}", f"sl{os.getpid() % 100000}b{next(_links)}"
        many = ["numtxqueues", queues, "numrxqueues", queues] if queues else []
        run("ip", "link", "add", a, "netns", first.name, *many, "type", "veth", "peer", "name", b, "netns", second.name,
            *many)
        for namespace, temporary, name in ((first, a, first_name), (second, b, second_name)):
            namespace.ip(f"link set {temporary} name {name}")
            if mtu:
                namespace.ip(f"link set {name} mtu {mtu}")
            if not offloads:
                namespace.run("ethtool", "-K", name, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
            namespace.ip(f"link set {name} up")

    def close(self):
        errors = []
        for namespace in reversed(list(self.namespaces.values())):
            try:
                namespace.delete()
            except AssertionError as error:
                errors.append(str(error))
        assert not errors, "\n".join(errors)


class Iperf:
    """iperf3 with a server in one namespace and clients in others."""

    def __init__(self, server, address, port=5201):
        assert shutil.which("iperf3"), "iperf3 is not installed; run tools/packages"
        self.address, self.port = address, port
        # Nobody reads what it says each second, and it would stand still when a pipe is full, after a quarter of an hour.
        self.process = server.popen("iperf3", "-s", "-p", port, stdout=subprocess.DEVNULL)
        version = "-6" if ":" in address else "-4"
        wait_until(lambda: f":{port}" in server.run("ss", version, "-tlnH").stdout or
                   f":{port}" in server.run("ss", "-tlnH").stdout, "iperf3's server", seconds=5)

    def run(self, client, seconds=2, extra=()):
        """iperf3's JSON report; fails when it does."""
        done = client.run("iperf3", "-c", self.address, "-p", self.port, "-t", seconds, "-J", *extra, check=False,
                          timeout=seconds + 30)
        report = json.loads(done.stdout or "{}")
        if done.returncode or "error" in report:
            raise AssertionError(f"iperf3 to {self.address}: {report.get('error', done.stderr)}")
        return report

    def mbit(self, client, seconds=2, extra=()):
        """What arrived, in Mbit/s."""
        end = self.run(client, seconds, extra)["end"]
        return end.get("sum_received", end.get("sum"))["bits_per_second"] / 1e6
