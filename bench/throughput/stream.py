# SPDX-License-Identifier: Apache-2.0
"""Two pods behind a sluiced, and a steady stream of numbered datagrams between them (udp_stream.cc) that shows whether
anything was lost."""
import json
import subprocess
import time

from lib.daemon import BUILD, Daemon
from lib.net import end, wait_until

import subject

A, B, PORT = "10.1.0.2", "10.1.0.3", 7000
UPLINK, NEXT_HOPS = "192.0.2.1/24", ("192.0.2.2", "192.0.2.3", "192.0.2.4")


class Node:
    """A sluiced with pods a and b; routes lead by NEXT_HOPS, where nobody answers, so that only the stream counts."""

    def __init__(self, network, commands=()):
        self.a, self.b, self.node = (network.namespace(f"stream-{name}") for name in ("a", "b", "node"))
        self.daemon = Daemon(self.node, [
            "create interface null uplink", "set interface state uplink up", f"set interface address uplink {UPLINK}",
            f"create pod a netns {self.a.path} address {A}", f"create pod b netns {self.b.path} address {B}", *commands])

    def memory_mib(self):
        status = open(f"/proc/{self.daemon.process.pid}/status").read()
        return int(status.split("VmRSS:")[1].split()[0]) // 1024

    def worker_waited(self):
        """Seconds that the worker was ready to run and had no CPU."""
        return int((subject.worker_of(self.daemon) / "schedstat").read_text().split()[1]) / 1e9

    def close(self):
        subject.close(self.daemon)


class Stream:
    """From a to b until stop()."""

    def __init__(self, node, rate):
        self.node = node
        program = str(BUILD / "bench/udp_stream")
        self.before, self.waited = self.drops(), node.worker_waited()
        self.receiver = node.b.popen(program, "receive", B, str(PORT), stdout=subprocess.PIPE, text=True)
        assert self.receiver.stdout.readline().strip() == "ready", "the receiver did not start"
        self.sender = node.a.popen(program, "send", B, str(PORT), str(rate), stdout=subprocess.PIPE, text=True)

    def drops(self):
        """Where packets are lost: the pods' own queues (both directions as the pods see them), and sluiced's nodes."""
        def link(pod):
            stats = pod.ip_json("-s link show eth0")[0]["stats64"]
            return stats["tx"]["dropped"], stats["rx"]["dropped"]
        found = {"into sluiced": link(self.node.a)[0], "out of sluiced": link(self.node.b)[1]}
        for row in self.node.daemon.json("show errors"):
            found[f"{row['node']} {row['reason']}"] = row["packets"]
        return found

    def stop(self):
        """What was sent and lost, and where."""
        def said(process):
            process.terminate()
            return json.loads(process.communicate(timeout=20)[0])
        sent = said(self.sender)
        self._settle()
        got = said(self.receiver)
        after = self.drops()
        where = {name: count - self.before.get(name, 0) for name, count in after.items()
                 if count != self.before.get(name, 0)}
        return {"sent": sent["sent"], "seconds": sent["seconds"], "rate": round(sent["sent"] / sent["seconds"]),
                "lost": sent["sent"] - got["received"], "repeated": got["repeated"], "overflow": got["overflow"],
                "where": where, "worker_waited_seconds": round(self.node.worker_waited() - self.waited, 2)}

    def _settle(self):
        """Until what is under way has come: the pod's counter of received packets stands still."""
        last = [-1, time.monotonic()]

        def still():
            now = self.node.b.ip_json("-s link show eth0")[0]["stats64"]["rx"]["packets"]
            if now != last[0]:
                last[:] = now, time.monotonic()
            return time.monotonic() - last[1] > 0.3
        wait_until(still, "the stream's last packet", seconds=10)

    def kill(self):
        for process in (self.sender, self.receiver):
            end(process)
