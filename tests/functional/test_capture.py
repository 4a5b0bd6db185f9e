# SPDX-License-Identifier: Apache-2.0
"""pcap start: what is in the file as tshark and tcpdump read it, what ends it, and what is refused."""
import os
import re
import socket
import stat
import threading

import pytest

from lib.net import Iperf, run, wait_until
from lib.packets import Tcpdump, bytes_of, capture_fields, read_capture
from test_pods import A4, B4, two_pods

NOWHERE = "203.0.113.9"
INBOUND, OUTBOUND = "0x00000001", "0x00000002"


@pytest.fixture
def pods(network, daemon):
    """Two pods that speak IPv4 only, so that nothing comes that the test did not ask for, and the daemon."""
    a, b, startup = two_pods(network)
    for pod in (a, b):
        pod.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
    return a, b, daemon(startup=[command.split(",")[0] for command in startup])


def status(sluice):
    """The row of show pcap."""
    return sluice.json("show pcap")[0]


def taken(sluice):
    row = status(sluice)
    return int(row["packets"]) + int(row["lost"])


def forwarded(sluice, drops=False):
    """What the interfaces have received and sent, by their own counters."""
    through = sum(int(row["rx_packets"]) + int(row["tx_packets"]) for row in sluice.json("show interface"))
    return through + (sum(int(row["packets"]) for row in sluice.json("show errors")) if drops else 0)


def requests(address):
    """tshark's filter for echo requests, without the errors that quote one."""
    return f"icmp.type == 8 and not icmp.type == 3 and ip.dst == {address}"


def stop(sluice, packets=0):
    """Ends the capture when so many packets are in the file; the row of show pcap."""
    wait_until(lambda: int(status(sluice)["packets"]) >= packets, f"{packets} packets")
    sluice.cli("pcap stop")
    return status(sluice)


def send(sender, receiver, address, data):
    """By TCP."""
    with receiver.entered():
        listener = socket.create_server((address, 0))

    def take():
        with listener, listener.accept()[0] as connection:
            while connection.recv(1 << 16):
                pass

    taker = threading.Thread(target=take)
    taker.start()
    with sender.entered():
        connection = socket.create_connection(listener.getsockname(), timeout=10)
    with connection:
        connection.sendall(data)
    taker.join(20)
    assert not taker.is_alive()


def number_in(file):
    """How many packets tcpdump reads; a file that is not whole is an error."""
    return int(re.search(r"(\d+) packets?", run("tcpdump", "-n", "--count", "-r", file).stdout).group(1))


def test_tshark_shows_interface_direction_node_and_reason(pods, tmp_path):
    a, b, sluice = pods
    file = tmp_path / "all.pcapng"
    before = forwarded(sluice, drops=True)
    assert "capturing rx, tx, drop" in sluice.cli(f"pcap start {file}")
    a.ping(B4, count=2)
    send(a, b, B4, b"x" * 1000)
    assert a.ping(NOWHERE, count=1, check=False) == 0
    wait_until(lambda: taken(sluice) == forwarded(sluice, drops=True) - before, "all packets")
    row = stop(sluice)
    assert row["state"] == "stopped" and int(row["lost"]) == 0 and row["file"] == str(file)
    assert int(row["size"]) == file.stat().st_size and stat.S_IMODE(file.stat().st_mode) == 0o600
    fields = "frame.interface_name", "frame.packet_flags_direction", "frame.comment"
    there = capture_fields(file, *fields, expression=requests(B4))
    assert sorted(there) == [*2 * [("pod/shop/a", INBOUND, "rx tun-input")],
                             *2 * [("pod/shop/b", OUTBOUND, "tx tun-output")]]
    error = next(row for row in sluice.json("show errors") if row["reason"] == "no-route")
    lost = capture_fields(file, *fields, "ip.ttl", expression=requests(NOWHERE))
    assert lost == [("pod/shop/a", INBOUND, "rx tun-input", "64"),
                    ("pod/shop/a", INBOUND, f"drop {error['node']} no-route: {error['sentence']}", "64")]
    assert capture_fields(file, "tcp.len", expression="tcp.len == 1000") == 2 * [("1000",)]
    everything = capture_fields(file, "frame.time_epoch", "frame.cap_len", "frame.len")
    assert len(everything) == int(row["packets"]) == number_in(file)
    assert all(kept == length for _, kept, length in everything)
    assert all(re.fullmatch(r"\d+\.\d{9}", time) for time, _, _ in everything)
    assert [time for time, _, _ in everything] == sorted(time for time, _, _ in everything)
    assert sum("ICMP echo request" in line for line in read_capture(file)) == 6


def test_the_bytes_are_those_that_tcpdump_sees_in_the_pod(pods, tmp_path):
    a, b, sluice = pods
    file, theirs = tmp_path / "ours.pcapng", tmp_path / "theirs.pcap"
    with Tcpdump(a, "eth0", theirs, "-B 65536 icmp or tcp") as dump:  # or its buffer has room for eight packets
        sluice.cli(f"pcap start {file} rx tx interface pod/shop/a filter icmp or tcp")
        a.ping(B4)
        a.ping(B4, size=1400)
        send(a, b, B4, os.urandom(300_000))
        send(b, a, A4, os.urandom(300_000))
        wait_until(lambda: 12 <= len(dump.lines()) == taken(sluice) == len(dump.lines()),
                   lambda: f"{len(dump.lines())} packets and {status(sluice)} to agree")
    assert int(stop(sluice)["lost"]) == 0
    assert sorted(bytes_of(file)) == sorted(bytes_of(theirs))
    assert max(map(len, bytes_of(file))) > 1500, "no super-packet"


def test_an_ethernet_has_its_headers_and_so_has_what_is_dropped_there(network, daemon, tmp_path):
    node, far, a = network.namespace("node"), network.namespace("far"), network.namespace("a")
    network.veth(node, "eth1", far, "eth0")
    far.address("eth0", "192.0.2.1/24")
    far.route("default", "192.0.2.2")
    sluice = daemon(startup=["create interface af-packet eth1", "set interface state eth1 up",
                             "set interface address eth1 192.0.2.2/24", f"create pod a netns {a.path} address {A4}"])
    far.ping(A4)
    file, pods = tmp_path / "all.pcapng", tmp_path / "pods.pcapng"
    sluice.cli(f"pcap start {file} filter icmp")
    far.ping(A4, count=1)
    far.ping(NOWHERE, count=1, check=False)
    stop(sluice, 4 + 3)
    fields = "frame.interface_name", "frame.packet_flags_direction", "eth.type", "ip.ttl"
    assert capture_fields(file, *fields, expression=requests(A4)) == [
        ("eth1", INBOUND, "0x0800", "64"), ("pod/a", OUTBOUND, "", "63")]
    assert capture_fields(file, *fields, expression=requests(NOWHERE)) == 2 * [("eth1", INBOUND, "0x0800", "64")]
    # A pod that comes later, among those whose name is like this.
    sluice.cli(f"pcap start {pods} interface pod/l* filter icmp")
    later = network.namespace("later")
    sluice.cli(f"create pod later netns {later.path} address {B4}")
    far.ping(A4)
    later.ping("192.0.2.1", count=1)
    sluice.cli("delete pod later")
    stop(sluice, 2)
    assert capture_fields(pods, "frame.interface_name", "icmp.type") == [("pod/later", "8"), ("pod/later", "0")]


def test_it_ends_with_count_and_with_size_and_keeps_no_more_than_snap(pods, tmp_path):
    a, _, sluice = pods
    counted, sized = tmp_path / "count.pcapng", tmp_path / "size.pcapng"
    sluice.cli(f"pcap start {counted} rx count 3 snap 40 filter icmp")
    a.ping(B4, count=5)
    wait_until(lambda: status(sluice)["state"] == "count reached", "the third packet")
    assert capture_fields(counted, "frame.cap_len", "frame.len") == 3 * [("40", "84")]
    sluice.cli(f"pcap start {sized} rx size 4096")
    a.ping(B4, count=20, size=400, interval=0.02)
    wait_until(lambda: status(sluice)["state"] == "size reached", "the file's end")
    assert 3000 < sized.stat().st_size <= 4096 and number_in(sized) == int(status(sluice)["packets"])
    assert "reason=\"size reached\"" in sluice.output()
    a.ping(B4)


def test_what_cannot_be_captured_is_refused(pods, refused, tmp_path):
    _, _, sluice = pods
    file, there = tmp_path / "a.pcapng", tmp_path / "there"
    there.write_text("mine")
    assert sluice.cli("show pcap").startswith("nothing has been captured")
    refused(sluice, f"pcap start {there}", str(there), "there already", "overwrite")
    assert there.read_text() == "mine"
    refused(sluice, f"--dry-run pcap start {there}", str(there), "overwrite")
    refused(sluice, f"pcap start {tmp_path}/no/such", "No such file or directory")
    refused(sluice, f"pcap start {tmp_path} overwrite", "Is a directory")
    refused(sluice, f"pcap start {file} interface pod/shop/c", "no such interface", "did you mean pod/shop/")
    refused(sluice, f"pcap start {file} filter tcp prt 80", "filter tcp prt 80", "pcap-filter(7)")
    assert "snap 7: must be 16 to 262144 bytes" in sluice.refusal(f"pcap start {file} snap 7", status=2)
    sluice.cli("create interface tap t0 netns " + sluice.namespace.path)
    sluice.cli("create interface vlan t0 7")
    refused(sluice, f"pcap start {file} interface t0.7", "t0.7", "interface t0 filter vlan 7")
    assert "unchanged" in sluice.cli("pcap stop") and not file.exists()
    sluice.cli(f"--dry-run pcap start {file}")
    assert not file.exists()
    sluice.cli(f"pcap start {file} drop interface t0.7")
    refused(sluice, f"pcap start {tmp_path}/b.pcapng", str(file), "pcap stop")
    sluice.cli("pcap stop")
    sluice.cli(f"pcap start {there} overwrite")
    stopped = stop(sluice)
    assert number_in(there) == int(stopped["packets"]) and stat.S_IMODE(there.stat().st_mode) == 0o600


def test_a_full_disk_ends_it_and_the_file_is_whole(pods, tmp_path):
    a, _, sluice = pods
    disk = tmp_path / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "sluice-test", disk)
    try:
        (disk / "other").write_bytes(bytes(64 << 10))
        assert "No space left on device" in sluice.refusal(f"pcap start {disk}/no.pcapng")
        assert not (disk / "no.pcapng").exists()
        (disk / "other").unlink()
        sluice.cli(f"pcap start {disk}/a.pcapng")
        a.ping(B4, count=60, size=1000, interval=0.01)
        wait_until(lambda: status(sluice)["state"] != "capturing", "the disk to be full")
        row = status(sluice)
        assert "No space left on device" in row["state"] and int(row["lost"]) > 0
        assert number_in(disk / "a.pcapng") == int(row["packets"]) > 10
        assert "capture ended" in sluice.output()
        a.ping(B4)
    finally:
        run("umount", disk)


def test_a_clean_stop_leaves_a_whole_file(pods, tmp_path):
    a, _, sluice = pods
    file = tmp_path / "a.pcapng"
    sluice.cli(f"pcap start {file} rx filter icmp")
    a.ping(B4)
    sluice.stop()
    assert number_in(file) == 6


def test_under_load_only_counted_packets_are_lost_and_the_flow_goes_on(network, daemon, tmp_path):
    a, b, startup = two_pods(network)
    sluice = daemon()
    file = tmp_path / "load.pcapng"
    # Before there is an interface, so that the counters of interfaces count what the capture does.
    sluice.cli(f"pcap start {file} rx tx snap 2000")
    for command in startup:
        sluice.cli(command)
    iperf = Iperf(b, B4)
    assert iperf.mbit(a) > 0
    a.ping(B4)
    wait_until(lambda: taken(sluice) == forwarded(sluice) == taken(sluice),
               lambda: f"{taken(sluice)} to be {forwarded(sluice)}")
    row = stop(sluice)
    print(row)
    assert row["state"] == "stopped" and int(row["packets"]) > 1000
    assert number_in(file) == int(row["packets"])
