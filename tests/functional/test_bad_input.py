# SPDX-License-Identifier: Apache-2.0
"""What must not work: each message names the thing and the mend, the status is not 0, and everything is as before."""
import os
import socket

import pytest

from lib.daemon import BUILD, Setup, failed_start, program
from lib.net import run
from lib.refusal import has_all, links, state

A4, A6, B4 = "10.5.0.1", "2001:db8:5::1", "10.5.0.2"
WITHOUT_TUN = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh"]
PLUGINS = BUILD / "lib/sluice"


@pytest.fixture
def node(network):
    return network.namespace("node")


@pytest.fixture
def two(network, daemon):
    """A daemon with pod a, and namespaces a and b."""
    a, b = network.namespace("a"), network.namespace("b")
    return daemon(startup=[f"create pod a netns {a.path} address {A4},{A6}"]), a, b


# --- before the start

@pytest.mark.parametrize("text, words", [
    ("workers: {count: 1\n", [":2:1: ", "no YAML"]),
    ("bufers: {count: 5000}\n", [":1:1: ", "'bufers'", "did you mean 'buffers'?", "known: buffers"]),
    ("buffers: {count: 5}\n", [":1:18: ", "buffers.count 5", "1024 to 4194304"]),
    ("buffers: {count: 5}\nlog: {level: loud}\n", [":1:18: ", ":2:14: ", "debug, info, warning or error"]),
    ("sockets: {api: run/api.sock}\n", [":1:16: ", "'run/api.sock'", "must be an absolute path"]),
    ("workers: {count: 2, cpus: [0]}\n", ["1 cores for 2 workers", "give one for each, or none"]),
    ("startup: [create pot web]\n", [":1:11: ", "'create pot web'", "pod"]),
    ("startup:\n  - create pod web netns /run/netns/web\n", [":2:5: ", "address"]),
    ("startup:\n  - set interface mtu null0 5\n", [":2:5: ", "mtu 5"]),
])
def test_a_malformed_configuration_is_named_by_place_with_what_is_allowed(node, text, words, tmp_path):
    file = tmp_path / "sluiced.yaml"
    file.write_text(text)
    checked = run(program("sluiced"), "--check", file, check=False)
    assert checked.returncode == 1
    has_all(checked.stderr, f"{file}:", *words)
    assert failed_start(node, file=file).endswith(checked.stderr)


@pytest.mark.parametrize("path, why", [("/no/such.yaml", "No such file"), ("/etc", "directory")])
def test_a_configuration_that_cannot_be_read_is_named(node, path, why):
    has_all(failed_start(node, file=path), path, why, "--config")


def test_an_unknown_plugin_is_named_with_those_that_there_are(node):
    has_all(failed_start(node, configuration={"plugins": {"load": ["tun", "tunn"]}}), "plugin tunn", "there are", " tap, tun,",
            "plugins.load")


def test_a_plugin_folder_that_is_not_there_is_named(node):
    has_all(failed_start(node, configuration={"plugins": {"path": "/no/such"}}), "/no/such", "--plugin-path")


@pytest.mark.parametrize("file, words", [
    ("/no/such.so", ["/no/such.so", "No such file", "name the file of a plugin"]),
    ("/etc/hostname", ["/etc/hostname", "name the file of a plugin"]),
    (PLUGINS / "libsluice.so", ["libsluice", "SLUICE_PLUGIN(libsluice", "called like the plugin"]),
    (PLUGINS / "macswap.so", ["plugin macswap", "are both it", "name one"]),
])
def test_a_file_that_is_no_plugin_or_one_twice_is_named(node, file, words):
    has_all(failed_start(node, arguments=["--plugin", file]), *words)


@pytest.mark.parametrize("lacking", ["net_admin", "net_raw", "sys_admin", "all"])
def test_a_missing_privilege_is_named_with_what_it_is_for(node, lacking):
    said = failed_start(node, wrapper=["setpriv", f"--bounding-set=-{lacking}"])
    name = "NET_ADMIN" if lacking == "all" else lacking.upper()
    has_all(said, f"CAP_{name} is missing", "to ", "as root", "--unprivileged")


def test_another_user_is_told_what_is_missing_by_both_programs(node, daemon):
    # Reading is allowed, so that the programs are found wherever this tree lies.
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+dac_read_search",
              "--ambient-caps=-all,+dac_read_search", "--bounding-set=-all,+dac_read_search"]
    has_all(failed_start(node, wrapper=nobody), "CAP_NET_ADMIN is missing", "as root")
    sluice = daemon()
    done = run(*nobody, program("sluicectl"), "--socket", sluice.socket, "show version", check=False)
    assert done.returncode == 3
    has_all(done.stderr, str(sluice.socket), "no permission", "sudo", "read-only socket")


def test_what_an_unprivileged_daemon_cannot_do_is_said(network, daemon, refused):
    a = network.namespace("a")
    sluice = daemon(arguments=["--unprivileged"], wrapper=["setpriv", "--bounding-set=-all"])
    for command in (f"create pod a netns {a.path} address {A4}", "create interface tun t0", "create interface tap t0",
                    "create interface af-packet lo", f"create host-tap host address {A4}"):
        refused(sluice, command, "privileged", "as root", "--unprivileged")


def test_more_buffers_than_there_is_memory_are_refused(node):
    has_all(failed_start(node, configuration={"buffers": {"count": 4194304, "hugepages": False}},
                         wrapper=["prlimit", "--as=4000000000"]), "4194304 buffers", "MiB", "lower buffers.count")


def test_without_the_kernels_tun_driver_a_start_with_a_pod_says_what_is_missing(network, node):
    a = network.namespace("a")
    said = failed_start(node, startup=[f"create pod a netns {a.path} address {A4}"], wrapper=WITHOUT_TUN)
    has_all(said, "sluiced.yaml:10:3: ", "create pod a", "/dev/net/tun", "modprobe tun", "container")
    assert links(a) == ["lo"]


def test_without_the_kernels_tun_driver_only_what_needs_it_is_refused(network, daemon, refused):
    a = network.namespace("a")
    sluice = daemon(wrapper=WITHOUT_TUN)
    for command in (f"create pod a netns {a.path} address {A4}", f"create interface tun t0 netns {a.path}",
                    "create interface tap t0", f"create host-tap host address {A4}"):
        refused(sluice, command, "/dev/net/tun", "modprobe tun", "container")
    sluice.cli("create interface null null0")


# --- half-way through a start

def test_a_start_that_fails_half_way_undoes_what_it_did(network, node):
    a, b = network.namespace("a"), network.namespace("b")
    network.veth(node, "eth0", b, "eth0")
    silent = "/proc/sys/net/ipv4/conf/eth0/arp_ignore"
    said = failed_start(node, startup=[f"create pod a netns {a.path} address {A4}", "create interface af-packet eth0",
                                       f"create host-tap host address {B4}", "create interface tap t0",
                                       f"create pod b netns {b.path} address {A4}"])
    has_all(said, "create pod b", A4, "pod a has it", "choose another", "4 before it did is undone")
    assert links(a) == ["lo"] and links(node) == ["eth0", "lo"]
    assert node.run("cat", silent).stdout == "0\n"


def test_a_start_that_fails_leaves_the_pods_of_a_daemon_that_died(network, daemon):
    a, b = network.namespace("a"), network.namespace("b")
    pod = f"create pod a netns {a.path} address {A4}"
    sluice = daemon(startup=[pod])
    sluice.kill()
    said = failed_start(network.namespaces["node"], startup=[pod, f"create pod b netns {b.path}x address {B4}"])
    has_all(said, f"{b.path}x", "there is nothing at this path")
    assert [x["local"] for x in a.ip_json("address show dev eth0")[0]["addr_info"] if x["family"] == "inet"] == [A4]
    assert [route["dst"] for route in a.ip_json("route show default")] == ["default"]
    sluice.start()
    assert "pod attached again" in sluice.output()


# --- sockets

@pytest.mark.parametrize("shared", ["api", "read-only"])
def test_a_second_daemon_on_a_socket_is_refused_and_the_first_goes_on(two, network, shared):
    sluice, a, b = two
    sluice.cli(f"create pod b netns {b.path} address {B4}")
    before = state(sluice, [a, b])
    theirs = {"api": str(sluice.socket), "read-only": str(sluice.folder / "run/ro.sock")}
    sockets = {"read-only": "/tmp/sluice-unused.sock", "api": "/tmp/sluice-unused.sock", shared: theirs[shared]}
    for startup in ([], [f"create pod b netns {b.path} address {B4}"]):
        said = failed_start(network.namespaces["node"], configuration={"sockets": sockets}, startup=startup)
        has_all(said, f"socket {theirs[shared]}", f"(pid {sluice.process.pid})", "systemctl stop sluice)",
                "choose another socket")
        assert not os.path.exists("/tmp/sluice-unused.sock") and not os.path.exists("/tmp/sluice-unused.sock.lock")
    assert state(sluice, [a, b]) == before
    assert run(program("sluicectl"), "--socket", theirs["read-only"], "show version").returncode == 0
    a.ping(B4)


def test_a_second_daemon_does_not_take_the_firsts_pods(two, network):
    sluice, a, b = two
    sluice.cli(f"create pod b netns {b.path} address {B4}")
    said = failed_start(network.namespaces["node"], startup=[f"create pod a netns {a.path} address {A4},{A6}"])
    has_all(said, "interface eth0", a.path, "another process, uses it", "end that one")
    a.ping(B4)


def test_a_socket_path_that_something_else_has_is_left_alone(node, tmp_path):
    file, folder = tmp_path / "api.sock", tmp_path / "file/api.sock"
    file.write_text("mine")
    (tmp_path / "file").write_text("mine")
    sockets = {"read-only": str(tmp_path / "ro.sock")}
    has_all(failed_start(node, configuration={"sockets": {"api": str(file), **sockets}}), str(file), "no socket", "choose")
    has_all(failed_start(node, configuration={"sockets": {"api": str(folder), **sockets}}), str(folder.parent),
            "another folder under sockets:")
    assert file.read_text() == "mine" and not (tmp_path / "ro.sock").exists()


def test_a_group_that_is_not_there_is_named_with_how_to_make_it(node):
    setup = Setup(node)
    setup.remove()
    sockets = {"api": str(setup.socket), "read-only": str(setup.folder / "run/ro.sock"), "read-only-group": "no-such"}
    try:
        has_all(failed_start(node, configuration={"sockets": sockets}), "group no-such", "groupadd --system no-such")
        assert not list((setup.folder / "run").glob("*"))
    finally:
        setup.remove()


def test_the_read_only_socket_says_which_to_use(two):
    sluice, a, _ = two
    done = run(program("sluicectl"), "--socket", sluice.folder / "run/ro.sock", "delete pod a", check=False)
    assert done.returncode == 1
    has_all(done.stderr, "read-only socket", "nothing changed", "use the other one, as root")
    assert "eth0" in links(a)


def test_no_daemon_is_said_with_the_socket_and_the_unit(tmp_path):
    path = tmp_path / "api.sock"
    done = run(program("sluicectl"), "--socket", path, "show version", check=False)
    assert done.returncode == 3
    has_all(done.stderr, str(path), "the daemon does not run", "--socket", "sluice.service")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    done = run(program("sluicectl"), "--socket", path, "show version", check=False)
    assert done.returncode == 3
    has_all(done.stderr, str(path), "nobody listens", "has died")


# --- names, addresses, namespaces

@pytest.mark.parametrize("netns, words", [
    ("/run/netns/no-such", ["/run/netns/no-such", "there is nothing at this path", "such as /run/netns/NAME"]),
    ("/etc/hostname", ["/etc/hostname", "not a network namespace", "such as /run/netns/NAME"]),
    ("/proc/self/ns/mnt", ["/proc/self/ns/mnt", "not a network namespace", "/proc/PID/ns/net"]),
    ("/proc/1/ns/net", ["/proc/1/ns/net", "not allowed", "CAP_SYS_PTRACE", "ip netns attach NAME PID"]),
])
def test_a_wrong_namespace_is_named_for_every_kind_of_interface(daemon, refused, netns, words):
    sluice = daemon(wrapper=["setpriv", "--bounding-set=-sys_ptrace"])
    for command in (f"create pod a netns {netns} address {A4}", f"create interface tun t0 netns {netns}",
                    f"create interface tap t0 netns {netns}", f"create interface af-packet up netns {netns}"):
        refused(sluice, command, *words)


def test_an_address_in_use_is_named_with_who_has_it(two, network, refused):
    sluice, a, b = two
    for command in ("create interface null null0", "set interface address null0 10.6.0.1/24",
                    "create interface null null1", "create host-tap host address 10.7.0.1"):
        sluice.cli(command)
    pod = f"create pod b netns {b.path} address"
    refused(sluice, f"{pod} {A4}", f"address {A4}", "pod a has it", "choose another")
    refused(sluice, f"{pod} {B4},{A6}", f"address {A6}", "pod a has it", "choose another")
    refused(sluice, f"{pod} 10.6.0.1", "address 10.6.0.1", "this node itself has it", "choose another")
    refused(sluice, f"{pod} 10.6.0.255", "address 10.6.0.255", "the first or the last of a subnet", "choose another")
    refused(sluice, f"{pod} 10.7.0.1", "address 10.7.0.1", "the host tap has it", "choose another")
    refused(sluice, f"set interface address null0 {A4}/24", f"address {A4}", "pod/a", "choose another")
    refused(sluice, "set interface address null1 10.6.0.1/24", "address 10.6.0.1", "null0", "delete it there first")
    refused(sluice, "set interface address null1 10.7.0.1/24", "address 10.7.0.1", "interface host", "choose another")
    sluice.cli("create interface null null2")
    sluice.cli("set interface table null2 7")
    sluice.cli("set interface address null2 10.6.0.1/24")
    refused(sluice, "set interface table null2 0", "address 10.6.0.1", "null2", "interface null0 of table 0",
            "delete it there first")
    sluice.cli("create interface null null3")
    sluice.cli("set interface table null3 7")
    sluice.cli(f"set interface address null3 {A4}/24")
    refused(sluice, "set interface table null3 0", f"address {A4}", "null3", "pod/a of table 0", "delete it here or there")
    refused(sluice, "set interface table pod/a 7", "pod/a", "delete pod a", "table 7")


def test_a_duplicate_name_is_named_with_the_difference(two, network, refused):
    sluice, a, b = two
    network.veth(b, "eth0", network.namespaces["node"], "up0")
    sluice.cli("create interface null null0")
    sluice.cli("create interface tap t0")
    refused(sluice, f"create pod a netns {a.path} address {B4}", "pod a exists", f"{B4} instead of {A4}", "delete it first")
    refused(sluice, f"create pod b netns {a.path} address {B4}", "interface eth0", a.path, "pod a has it", "interface NAME")
    refused(sluice, f"create pod b netns {b.path} address {B4}", "interface eth0", b.path, "another kind of interface",
            "choose another name")
    refused(sluice, "create interface tun null0", "interface null0 exists", "driver null", "choose another name")
    refused(sluice, "create interface tap t0 mtu 1400", "interface t0 exists", "mtu 1400 instead of 1500", "delete it first")
    refused(sluice, "create interface null null0 layer3", "interface null0 exists", "layer3 yes instead of no",
            "choose another name")
    refused(sluice, "create interface af-packet null0 host-interface up0", "null0 exists", "driver null", "another name")
    refused(sluice, "delete interface pod/a", "pod/a belongs to a pod", "delete pod a")


def test_a_script_with_a_mistake_is_not_begun_and_one_that_is_refused_says_how_far_it_came(two):
    sluice, a, _ = two
    script = sluice.folder / "net.cmds"
    script.write_text("create interface null null0\nadd rout 10.0.0.0/8 blackhole\n")
    done = sluice.ctl("-f", script)
    assert done.returncode == 2
    has_all(done.stderr, f"{script}:2:5: ", "rout", "nothing has been run")
    assert [row["name"] for row in sluice.json("show interface")] == ["pod/a"]
    script.write_text(f"create interface null null0\ncreate pod b netns {a.path}x address {B4}\ndelete pod a\n")
    done = sluice.ctl("-f", script)
    assert done.returncode == 1
    has_all(done.stderr, f"{script}:2: ", f"{a.path}x", "nothing changed", "1 of 3 applied")
    assert [row["name"] for row in sluice.json("show interface")] == ["null0", "pod/a"]
