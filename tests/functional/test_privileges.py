# SPDX-License-Identifier: Apache-2.0
"""What the daemon keeps of root's powers, and who may ask it what."""
import grp
import os
import pwd

from lib.daemon import program
from lib.net import run

KEPT = {"cap_net_admin": 12, "cap_net_raw": 13, "cap_ipc_lock": 14, "cap_sys_ptrace": 19, "cap_sys_admin": 21,
        "cap_bpf": 39}
NOBODY = pwd.getpwnam("nobody").pw_uid
GROUP = grp.getgrnam("games")


def status_of(pid, key):
    with open(f"/proc/{pid}/status") as status:
        return next(line.split()[1] for line in status if line.startswith(key + ":"))


def test_after_start_only_what_is_needed_is_kept(daemon):
    sluice = daemon()
    needed = sum(1 << number for number in KEPT.values())
    for capabilities in ("CapEff", "CapPrm", "CapBnd"):
        have = int(status_of(os.getpid(), capabilities), 16)
        assert int(status_of(sluice.process.pid, capabilities), 16) == needed & have
    assert status_of(sluice.process.pid, "NoNewPrivs") == "1"


def ask(sluice, group, socket, command):
    """sluicectl as an ordinary user; the one capability lets it read the program wherever it was built."""
    return run("setpriv", "--reuid", NOBODY, "--regid", group, "--clear-groups", "--inh-caps", "-all,+dac_read_search",
               "--ambient-caps", "-all,+dac_read_search", program("sluicectl"), "--socket", socket, *command.split(),
               check=False)


def test_the_read_only_group_may_look_and_not_change(daemon):
    sluice = daemon()
    plain = sluice.folder / "run/ro.sock"
    assert ask(sluice, GROUP.gr_gid, plain, "show version").returncode == 3, "without the setting it is root's"
    sluice.stop()
    settings = sluice.configuration.read_text()
    sluice.configuration.write_text(settings.replace("read-only:", f"read-only-group: {GROUP.gr_name}\n  read-only:"))
    sluice.start()
    os.chmod(sluice.folder, 0o755)
    assert (os.stat(plain).st_gid, os.stat(plain).st_mode & 0o777) == (GROUP.gr_gid, 0o660)
    counters = os.stat(sluice.folder / "run/counters")
    assert (counters.st_uid, counters.st_gid, counters.st_mode & 0o777) == (0, GROUP.gr_gid, 0o640)
    shown = ask(sluice, GROUP.gr_gid, plain, "show interface")
    assert shown.returncode == 0, shown.stderr
    change = ask(sluice, GROUP.gr_gid, plain, "create interface null null0")
    assert change.returncode == 1 and "read-only" in change.stderr, change.stderr
    assert ask(sluice, GROUP.gr_gid, sluice.socket, "show interface").returncode == 3, "the other socket is root's"
    assert ask(sluice, pwd.getpwnam("nobody").pw_gid, plain, "show interface").returncode == 3


def test_a_group_that_does_not_exist_is_named(network, daemon):
    sluice = daemon()
    sluice.stop()
    settings = sluice.configuration.read_text()
    sluice.configuration.write_text(settings.replace("read-only:", "read-only-group: nosuchgroup\n  read-only:"))
    done = run(program("sluiced"), "--config", sluice.configuration, check=False)
    assert done.returncode == 1 and "groupadd --system nosuchgroup" in done.stderr
