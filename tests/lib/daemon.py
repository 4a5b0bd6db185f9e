# SPDX-License-Identifier: Apache-2.0
"""A sluiced of the test's own: its namespace, its folder, its sockets."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import yaml

from lib.net import RUN, end, run, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release")).resolve()
ALARMS = re.compile(r"Sanitizer|runtime error:|Assertion|terminate called|double free|leaked|Segmentation fault")
READY_SECONDS = 20
STOP_SECONDS = 15
# What the examples of trace follow.
TRAFFIC_OF_EXAMPLES = [
    "create interface null traffic layer3", "set interface state traffic up",
    "create packet-generator asks interface traffic rate 50 stream ip4 src 10.1.0.5 dst 10.1.0.6 / tcp sport 4000 dport 80",
    "create packet-generator answers interface traffic rate 50 stream ip4 src 10.1.0.6 dst 10.1.0.5 / tcp sport 80 dport 4000",
    "packet-generator start"]


class Refused(AssertionError):
    """sluicectl's status is not 0."""

    def __init__(self, words, done):
        super().__init__(f"sluicectl {words}: status {done.returncode}\n{done.stdout}{done.stderr}")
        self.status, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr


def program(name):
    """A built program, by name."""
    found = [path for path in (BUILD / "bin" / name, BUILD / "src/daemon" / name, BUILD / "tools" / name / name)
             if path.is_file()]
    assert found, f"{name} is not built in {BUILD}; run: tools/test build-release"
    return found[0]


class Setup:
    """What a sluiced is started with: a folder of its own with its configuration, sockets and log."""

    def __init__(self, namespace=None, startup=(), configuration=None, arguments=(), environment=None, wrapper=(),
                 file=None):
        """wrapper: words in front of the command line, as of prlimit or setpriv, that end in exec. file: another configuration file."""
        self.namespace = namespace
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{RUN}-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.socket = self.folder / "run/api.sock"
        self.configuration = self.folder / "sluiced.yaml"
        self.log = self.folder / "log"
        self.arguments, self.environment = list(arguments), dict(environment or {})
        self.wrapper, self.file = list(wrapper), file
        self.write_configuration(startup, configuration or {})

    def write_configuration(self, startup, configuration):
        (self.folder / "run").mkdir(exist_ok=True)
        settings = {"workers": {"count": 1}, "buffers": {"count": 16384, "hugepages": False},
                    "sockets": {"api": str(self.socket), "read-only": str(self.folder / "run/ro.sock")},
                    **configuration, "startup": list(startup)}
        self.configuration.write_text(yaml.safe_dump(settings, sort_keys=False))

    def command(self):
        words = [*self.wrapper, program("sluiced"), "--config", self.file or self.configuration, *self.arguments]
        return list(map(str, self.namespace.command(*words) if self.namespace else words))

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def failed_start(namespace=None, **options):
    """What a sluiced says that must not start; see Setup for the options. Its status must be 1, no socket may be left."""
    setup = Setup(namespace, **options)
    try:
        done = run(*setup.command(), check=False, timeout=READY_SECONDS, env={**os.environ, **setup.environment})
        said = done.stdout + done.stderr
        assert done.returncode == 1, f"sluiced ended with status {done.returncode}\n{said}"
        assert not ALARMS.search(said), said
        assert not [path for path in (setup.folder / "run").iterdir() if path.suffix in (".sock", ".lock")], said
        return said
    finally:
        setup.remove()


class Daemon(Setup):
    """Starts when made and waits until it says READY. `stop()` asks for a clean end and checks for one."""

    def __init__(self, *setup, **options):
        super().__init__(*setup, **options)
        self.process = None
        try:
            self.start()
        except BaseException:
            self.kill()
            self.print_log()
            self.remove()
            raise

    def start(self):
        """Starts (again) with the same configuration, and waits until it is ready."""
        notify = self.folder / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, self.log.open("ab") as log:
            ready.bind(str(notify))
            ready.settimeout(0.1)
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "NOTIFY_SOCKET": str(notify), **self.environment})
            self._wait_ready(ready)

    def _wait_ready(self, ready):
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, f"sluiced ended with status {self.process.returncode}\n{self.output()}"
            try:
                if "READY=1" in ready.recv(4096).decode().split("\n"):
                    return
            except TimeoutError:
                pass
        raise AssertionError(f"sluiced was not ready after {READY_SECONDS} s\n{self.output()}")

    def output(self):
        return self.log.read_text(errors="replace")

    def print_log(self):
        print(f"--- {self.log.parent.name}: sluiced's log\n{self.output()[-20000:]}")

    def ctl(self, *words, timeout=30, **options):
        """sluicectl's result, whatever its status."""
        command = [program("sluicectl"), "--socket", self.socket, *map(str, words)]
        return run(*command, check=False, timeout=timeout, **options)

    def cli(self, command, timeout=30):
        """What sluicectl prints for a command line; Refused when its status is not 0."""
        done = self.ctl(*command.split(), timeout=timeout)
        if done.returncode:
            raise Refused(command, done)
        return done.stdout

    def script(self, path, timeout=60):
        """Runs a file of commands; Refused when one is."""
        done = self.ctl("-f", path, timeout=timeout)
        if done.returncode:
            raise Refused(f"-f {path}", done)

    def json(self, command, timeout=30):
        return json.loads(self.cli("--json " + command, timeout))

    def refusal(self, command, status=1):
        """What sluicectl says on stderr when it refuses a command, which it must, with this status."""
        done = self.ctl(*command.split())
        assert done.returncode == status, f"sluicectl {command}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stderr

    def interface(self, name):
        """The row of `show interface` for one interface."""
        rows = {row["name"]: row for row in self.json("show interface")}
        assert name in rows, f"no interface {name}; there are {', '.join(rows)}"
        return rows[name]

    def buffers_used(self):
        pools = self.json("show buffers")
        return sum(int(pool["used"]) for pool in pools)

    def check_leaks(self, before=0):
        """Waits until no more buffers hold packets than before."""
        wait_until(lambda: self.buffers_used() <= before, f"buffers in use to fall to {before}: a packet leaked",
                   seconds=8, every=0.1)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """Ends it as a crash does."""
        if self.process:
            end(self.process)

    def stop(self):
        """Asks it to end, and checks that it does, with status 0 and without alarms in its log."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"sluiced did not stop within {STOP_SECONDS} s of SIGTERM") from None
        assert status == 0, f"sluiced ended with status {status}\n{self.output()[-4000:]}"
        self.check_log()

    def check_log(self):
        alarm = ALARMS.search(self.output())
        assert not alarm, f"sluiced's log says {alarm.group()!r}\n{self.output()[-8000:]}"
