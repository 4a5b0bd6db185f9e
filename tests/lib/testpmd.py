# SPDX-License-Identifier: Apache-2.0
"""dpdk-testpmd as the far side of a virtual device, with its own prompt to ask it by."""
import itertools
import os
import re
import signal
import subprocess
import tempfile

from lib.net import RUN, end, wait_until

_started = itertools.count()


class Testpmd:
    """One that forwards from its start to close(), in a namespace (None: here). devices: for --vdev; arguments: its own, behind --."""

    __test__ = False  # pytest takes what begins with Test for tests

    def __init__(self, namespace, devices, *arguments, mode="io", eal=("--no-huge", "--no-shconf", "-m", "96"),
                 lcores="0@(0,1),1@(0,1)"):
        words = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", lcores, *eal, "--no-pci", "--no-telemetry",
                 "--file-prefix", f"{RUN}-{os.getpid()}-{next(_started)}",
                 *(word for device in devices for word in ("--vdev", device)), "--", "--interactive", "--auto-start",
                 f"--forward-mode={mode}", "--nb-cores=1",
                 *(["--total-num-mbufs=8192"] if "--total-num-mbufs" not in str(arguments) else []), *arguments]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(namespace.command(*words) if namespace else words, stdout=self.log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.PIPE, text=True)
        if namespace:
            namespace.processes.append(self.process)
        wait_until(self._forwards, self.said, seconds=20)

    def _forwards(self):
        said = self.said()
        assert self.process.poll() is None, f"testpmd ended with status {self.process.returncode}\n{said[-4000:]}"
        return "nb forwarding streams" in said.lower() or "packet forwarding - ports" in said

    def said(self):
        return os.pread(self.log.fileno(), 1 << 22, 0).decode(errors="replace")

    def ask(self, command, pattern):
        """All that matches the pattern in what it answers."""
        before = len(self.said())
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return wait_until(lambda: re.findall(pattern, self.said()[before:]), self.said)

    def packets(self, port=0):
        """How many it has received and sent by a port."""
        numbers = self.ask(f"show port stats {port}", r"(?s)RX-packets: (\d+).*?TX-packets: (\d+)")[-1]
        return tuple(map(int, numbers))

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        end(self.process)
        self.log.close()
