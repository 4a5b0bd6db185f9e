# SPDX-License-Identifier: Apache-2.0
"""What the pcap driver writes, read back by tcpdump and by Scapy: header, times, lengths, and every byte."""
import contextlib
import re
import socket
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapReader

from lib.net import run, wait_until
from lib.packets import checksums_are_right

SNAP = 65557  # the longest packet that the driver takes: 65,535 bytes and an Ethernet header with two tags
LINE = re.compile(r"^(\d+)\.(\d{9}) ")
LENGTH = re.compile(r"length (\d+)")


def tcpdump(file, *options):
    """(what it says of the file, its line for each packet)"""
    done = run("tcpdump", "-n", "-tt", "--nano", *options, "-r", file)
    return done.stderr.splitlines()[0], done.stdout.splitlines()


def packets_of(file):
    """(header of the file, [(ns since 1970, length on the wire, bytes)])"""
    reader = RawPcapReader(str(file))
    with contextlib.closing(reader):
        assert reader.nano, "timestamps in microseconds"
        return reader, [(meta.sec * 10**9 + meta.usec, meta.wirelen, data) for data, meta in reader]


def generated(packets, link):
    """Without what the interface itself says as a neighbour."""
    return [packet for packet in packets if not link or packet[2][:6] == bytes.fromhex("020000000002")]


def stream(sluice, arguments):
    """Lets the packet generator send all its packets out of the interface p."""
    sluice.cli(f"create packet-generator s out p {arguments}")
    sluice.cli("packet-generator start s")
    wait_until(lambda: sluice.json("show packet-generator")[0]["state"] == "done", "the stream to end")
    sluice.cli("delete packet-generator s")


@pytest.mark.parametrize("link, options, type_name, number", [
    ("ethernet src 02:00:00:00:00:01 dst 02:00:00:00:00:02 / ", "", "EN10MB (Ethernet)", 1),
    ("", "layer3", "RAW (Raw IP)", 101)], ids=["ethernet", "raw-ip"])
def test_header_lengths_and_times_are_right(daemon, tmp_path, link, options, type_name, number):
    file = tmp_path / "out.pcap"
    sluice = daemon(startup=[f"create interface pcap p send {file} {options}", "set interface state p up"])
    header, lines = tcpdump(file)
    assert header == f"reading from file {file}, link-type {type_name}, snapshot length {SNAP}" and lines == []
    began = time.time_ns()
    stream(sluice, f"count 300 size 60-1514 stream {link}ip4 src 10.0.0.1 dst 10.0.0.2-10.0.0.9 / udp dport 7")
    stream(sluice, f"count 1 size 9014 stream {link}ip6 src fd00::1 dst fd00::2 / udp dport 9")
    ended = time.time_ns()
    header, everything = packets_of(file)
    packets = generated(everything, link)
    assert (header.linktype, header.snaplen) == (number, SNAP)
    assert [length for _, length, _ in packets] == [*range(60, 360), 9014]
    assert all(len(data) == length for _, length, data in packets), "cut"
    times = [at for at, _, _ in everything]
    assert times == sorted(times) and began <= packets[0][0] and times[-1] <= ended
    first = Ether if link else IP
    assert all(checksums_are_right(first(data)) for _, _, data in packets[:300])
    assert [first(data)[IP].dst for _, _, data in packets[:8]] == [f"10.0.0.{n}" for n in range(2, 10)]
    # tcpdump sees the same.
    _, lines = tcpdump(file, *(["-e"] if link else []))
    assert [int("".join(LINE.match(line).groups())) for line in lines] == times
    if link:
        assert [int(LENGTH.search(line).group(1)) for line in lines] == [length for _, length, _ in everything]
    assert sum("> 10.0.0." in line for line in lines) == 300 and any("fd00::2.9: UDP" in line for line in lines)
    row = sluice.interface("p")
    assert (row["tx_packets"], row["tx_bytes"]) == (len(everything), sum(length for _, length, _ in everything))


def test_what_a_pod_sends_is_finished_in_the_file(network, daemon, tmp_path):
    pod, file = network.namespace("pod"), tmp_path / "out.pcap"
    sluice = daemon(startup=[
        f"create interface pcap p send {file} mac 02:00:00:00:00:05", "set interface state p up",
        "set interface address p 198.51.100.1/24", "set interface address p 2001:db8:100::1/64",
        "add neighbor 198.51.100.9 mac 02:00:00:00:00:09 interface p",
        "add neighbor 2001:db8:100::9 mac 02:00:00:00:00:09 interface p",
        f"create pod web netns {pod.path} address 10.1.0.2,fd00:1::2"])
    with pod.entered():
        v4, v6 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with v4, v6:  # the kernel leaves their checksums to the device
        for n in range(10):
            v4.sendto(bytes([n] * 100), ("198.51.100.9", 1000 + n))
            v6.sendto(bytes([n] * 1000), ("2001:db8:100::9", 2000 + n))

    def ours():
        return [frame for _, _, data in packets_of(file)[1] if UDP in (frame := Ether(data)) and frame[UDP].dport >= 1000]

    wait_until(lambda: len(ours()) == 20, "20 packets in the file")
    for frame in ours():
        assert (frame.src, frame.dst) == ("02:00:00:00:00:05", "02:00:00:00:00:09")
        assert checksums_are_right(frame), frame.summary()
        assert frame[IP].ttl == 63 if IP in frame else frame[IPv6].hlim == 63
        assert bytes(frame[UDP].payload) == bytes([frame[UDP].dport % 1000] * (100 if IP in frame else 1000))
    _, lines = tcpdump(file, "-vv", "udp")
    assert sum("udp sum ok" in line for line in lines) == 20, lines
    assert sluice.interface("p")["tx_packets"] >= 20


def test_a_file_that_was_written_is_received_byte_for_byte(daemon, tmp_path):
    file, again = tmp_path / "out.pcap", tmp_path / "again.pcap"
    sluice = daemon(startup=[f"create interface pcap p send {file}", "set interface state p up"])
    stream(sluice, "count 50 size 60-9000 stream ethernet src 02::1 dst 02::2 / ip4 src 10.0.0.1 dst 10.0.0.2 / udp")
    sluice.cli("delete interface p")
    sluice.cli(f"create interface pcap back receive {file} send {again}")
    sluice.cli("set interface feature back macswap on")
    sluice.cli("set interface state back up")
    sent = [data for _, _, data in packets_of(file)[1]]

    def back():
        """Without what the interface itself says as a neighbour."""
        return [data for _, _, data in packets_of(again)[1] if data[6:12] in {packet[:6] for packet in sent}]

    assert len(sent) >= 50
    wait_until(lambda: len(back()) == len(sent), "the packets to come back")
    assert back() == [data[6:12] + data[:6] + data[12:] for data in sent]
