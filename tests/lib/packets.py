# SPDX-License-Identifier: Apache-2.0
"""Sends and receives single packets with Scapy, by packet sockets inside a namespace; tcpdump and tshark."""
import contextlib
import logging
import select
import shutil
import socket
import struct
import time

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import IP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.utils import RawPcapReader  # noqa: E402

from lib.net import run, wait_until  # noqa: E402

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA = 263, 8
TP_STATUS_VLAN_VALID = 1 << 4
PACKET_OUTGOING = 4
ARPHRD_NONE = 0xFFFE
RECEIVE_BUFFER = 8 << 20


class Port:
    """An interface of a namespace, raw. Listens from the moment it is made, so make it before what should be seen.

    Packets are Scapy's: Ether on links that have a link layer, IP or IPv6 on TUNs. Only what arrives at the
    interface is seen, not what its own host sends, unless outgoing is true.
    """

    def __init__(self, namespace, interface, outgoing=False):
        self.name, self.outgoing = interface, outgoing
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.bind((interface, ETH_P_ALL))
        self.is_layer3 = self.socket.getsockname()[3] == ARPHRD_NONE

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *packets):
        for packet in packets:
            data = bytes(packet)
            if self.is_layer3:
                protocol = 0x86DD if data[0] >> 4 == 6 else 0x0800
                self.socket.sendto(data, (self.name, protocol))
            else:
                self.socket.send(data)

    def _parse(self, data):
        if not self.is_layer3:
            return Ether(data)
        return IPv6(data) if data and data[0] >> 4 == 6 else IP(data)

    def receive(self, timeout=2.0):
        """The next packet, or None."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0 or timeout == 0:
            if not select.select([self.socket], [], [], max(left, 0))[0]:
                return None
            data, auxiliary, _, address = self.socket.recvmsg(65536, 64)
            data = _with_tag(data, auxiliary)
            if self.outgoing or address[2] != PACKET_OUTGOING:
                return self._parse(data)
        return None

    def expect(self, wanted, timeout=3.0, what="a packet"):
        """The first packet for which wanted(packet); a failure lists what came instead."""
        seen, end = [], time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            packet = self.receive(left)
            if packet is None:
                break
            if wanted(packet):
                return packet
            seen.append(packet.summary())
        raise AssertionError(f"{what} did not come to {self.name} in {timeout} s; came: {seen[:20] or 'nothing'}")

    def expect_none(self, unwanted, seconds=0.5):
        """Nothing for which unwanted(packet) comes."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            packet = self.receive(left)
            assert packet is None or not unwanted(packet), f"{packet.summary()} came to {self.name}"

    def collect(self, seconds, wanted=lambda packet: True):
        """All that come within `seconds`."""
        packets, end = [], time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            packet = self.receive(left)
            if packet is not None and wanted(packet):
                packets.append(packet)
        return packets


def _with_tag(data, auxiliary):
    """The frame as it was on the wire: the kernel takes the outer VLAN tag off and tells it beside."""
    for level, kind, value in auxiliary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tag, protocol = struct.unpack("IIIHHHH", value[:20])
            if status & TP_STATUS_VLAN_VALID:
                return data[:12] + struct.pack("!HH", protocol, tag) + data[12:]
    return data


def checksums_are_right(packet):
    """Whether every checksum in the packet is what Scapy computes anew."""
    again = packet.copy()
    layer = again
    while layer:
        for field in ("chksum", "cksum"):
            if field in layer.fields and not (layer.name == "UDP" and layer.fields[field] == 0):
                layer.delfieldval(field)
        layer = layer.payload
    return bytes(again) == bytes(packet)


class Tcpdump:
    """tcpdump into a file, in a namespace: with Tcpdump(ns, "eth0", file, "icmp") as dump: …; dump.lines()."""

    def __init__(self, namespace, interface, file, expression=""):
        self.file = file
        self.process = namespace.popen("tcpdump", "-Z", "root", "-U", "--immediate-mode", "-n", "-i", interface, "-w", file,
                                       *expression.split())
        wait_until(lambda: _is_capture(file) or self.process.poll() is not None, "tcpdump", seconds=5)
        assert self.process.poll() is None, self.process.stdout.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(5)

    def lines(self):
        return read_capture(self.file)


def _is_capture(file):
    try:
        with open(file, "rb") as capture:
            return len(capture.read(24)) == struct.calcsize("IHHiIII")
    except FileNotFoundError:
        return False


def read_capture(file, *options):
    """tcpdump's line for each packet of a pcap or pcapng file."""
    return run("tcpdump", "-n", *options, "-r", file).stdout.splitlines()


def capture_fields(file, *fields, expression=""):
    """For each packet of a capture file the first value of some of Wireshark's fields, as text; "" where there is none."""
    assert shutil.which("tshark"), "tshark is not installed; run tools/packages"
    chosen = [word for field in fields for word in ("-e", field)]
    done = run("tshark", "-n", "-r", file, "-T", "fields", "-E", "occurrence=f", *chosen,
               *(["-Y", expression] if expression else []))
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def bytes_of(file):
    """The bytes of each packet of a pcap or pcapng file."""
    with contextlib.closing(RawPcapReader(str(file))) as reader:
        return [data for data, _ in reader]
