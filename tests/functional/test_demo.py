# SPDX-License-Identifier: Apache-2.0
"""tools/demo does what the README says, and leaves nothing, even when it is interrupted."""
import glob
import os
import re
import signal
import subprocess

import pytest

from lib.daemon import BUILD, ROOT
from lib.net import end, run, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or BUILD != ROOT / "build/release",
                                reason="needs root and build/release")


def start():
    # As from a terminal, also where this test runs in the background, whose processes ignore SIGINT.
    return subprocess.Popen([ROOT / "tools/demo", "--no-build"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, text=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def left_by(pid):
    """Namespaces and folders of the demo with this process id."""
    names = run("ip", "netns", "list").stdout.split("\n")
    return [name for name in names if name.startswith(f"sldemo{pid}-")] + glob.glob(f"/tmp/sldemo{pid}-*")


def test_the_demo_connects_pods_host_and_outside_in_both_families():
    demo = start()
    output = demo.communicate(timeout=120)[0]
    assert demo.returncode == 0, output
    for what in ("pod to pod", "pod to outside", "host to pod"):
        for family in ("IPv4", "IPv6"):
            assert re.search(rf"{what} +{family} +ping +0% lost.*TCP [0-9.]+ Mbits/sec", output), output
    for shown in ("sluicectl show interface", "sluicectl show runtime", "sluicectl show trace", "pod/red", "tun-input"):
        assert shown in output, output
    assert not left_by(demo.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(number):
    demo = start()
    try:
        wait_until(lambda: len(left_by(demo.pid)) >= 5, "the demo's namespaces and folder")
        demo.send_signal(number)
        output = demo.communicate(timeout=30)[0]
    finally:
        end(demo)
    assert demo.returncode == 130, output
    assert not left_by(demo.pid)
