# SPDX-License-Identifier: Apache-2.0
"""DPDK's dpdk-testpmd as a peer."""
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from lib.net import end, wait_until
from turns import peer

MEMORY = 256  # MiB


class Testpmd:
    """One that forwards (or sends) from its start to close(). turns.network's namespaces: where it runs, None: here."""
    started = 0

    def __init__(self, turns, namespace, core, devices, *arguments, mode="mac", memory=MEMORY, eal=()):
        """devices: for --vdev. arguments: testpmd's own, behind --."""
        program = peer("dpdk-testpmd", "dpdk-dev")
        Testpmd.started += 1
        pages = ["--in-memory"] if turns.hugepages(memory) else ["--no-huge"]
        words = [program, "--lcores", f"0@{core},1@{core}", *pages, "--no-pci", "-m", str(memory), "--file-prefix",
                 f"sluice{os.getpid()}-{Testpmd.started}", *eal,
                 *(word for device in devices for word in ("--vdev", device)), "--", f"--forward-mode={mode}",
                 "--nb-cores=1", "--auto-start", "--stats-period", "1", *arguments]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(namespace.command(*words) if namespace else words, stdout=self.log,
                                        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            wait_until(self._forwards, self.said, seconds=20)
        except BaseException:
            end(self.process)
            raise

    def _forwards(self):
        said = self.said()
        assert self.process.poll() is None, f"testpmd ended with status {self.process.returncode}\n{said[-4000:]}"
        return "Port statistics" in said

    def worker(self):
        """The folder in /proc of the thread that forwards."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return next(task for task in tasks if "worker" in (task / "comm").read_text())

    def said(self):
        self.log.flush()
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors="replace")

    def close(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            end(self.process)
        self.log.close()
        time.sleep(0.1)  # a socket of AF_XDP lets go of its queue a little later
