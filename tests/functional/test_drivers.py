# SPDX-License-Identifier: Apache-2.0
"""Interfaces of every driver, made and used by command; and what each says when it cannot."""
import os

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.utils import PcapReader, wrpcap

from lib.net import Iperf, wait_until
from lib.packets import Port, checksums_are_right


@pytest.mark.parametrize("driver", ["tun", "tap"])
def test_the_kernels_side_reaches_the_node(network, daemon, driver):
    far = network.namespace("far")
    sluice = daemon(startup=[f"create interface {driver} t0 netns {far.path} host-name eth0 mtu 1400 "
                             "host-address 10.8.0.1/24,fd00:8::1/64",
                             "set interface state t0 up",
                             "set interface address t0 10.8.0.2/24", "set interface address t0 fd00:8::2/64"])
    far.ping("10.8.0.2")
    wait_until(lambda: far.ping("fd00:8::2", count=1, check=False), "IPv6 to pass duplicate address detection")
    assert far.ip_json("link show eth0")[0]["mtu"] == 1400
    sluice.cli("set interface mtu t0 1300")
    assert far.ip_json("link show eth0")[0]["mtu"] == 1300
    sluice.cli("delete interface t0")
    wait_until(lambda: "eth0" not in far.ip("-br link").stdout, "the kernel's side to go")


@pytest.mark.parametrize("driver", ["tun", "tap"])
def test_the_same_command_again_changes_nothing_and_another_is_refused(network, daemon, driver):
    far = network.namespace("far")
    sluice = daemon()
    command = f"create interface {driver} t0 netns {far.path} mtu 1400"
    sluice.cli(command)
    assert "unchanged" in sluice.cli(command)
    assert "mtu 1300 instead of 1400" in sluice.refusal(f"create interface {driver} t0 netns {far.path} mtu 1300")


@pytest.mark.parametrize("driver", ["tun", "tap"])
def test_what_a_crash_has_left_stays_when_a_command_is_refused(network, daemon, driver):
    far = network.namespace("far")
    sluice = daemon(startup=[f"create interface {driver} t0 netns {far.path} host-name eth0 persistent"],
                    configuration={"journal": "none"})
    sluice.kill()
    sluice.write_configuration([], {"journal": "none"})
    sluice.start()
    for name in ("pod/t0", "t:0"):
        sluice.ctl(*f"create interface {driver} {name} netns {far.path} host-name eth0 persistent".split())
    assert sluice.json("show interface") == []
    assert far.ip_json("link show type tun")[-1]["ifname"] == "eth0"
    sluice.cli(f"create interface {driver} t0 netns {far.path} host-name eth0 persistent")
    sluice.cli("set interface state t0 down")
    assert "another interface here" in sluice.refusal(
        f"create interface {driver} t1 netns {far.path} host-name eth0 persistent")


def test_an_interface_whose_namespace_goes_is_removed(network, daemon):
    far = network.namespace("far")
    sluice = daemon(startup=[f"create interface tun t0 netns {far.path}", "set interface state t0 up"])
    far.ip("link delete t0")
    wait_until(lambda: "t0" not in {row["name"] for row in sluice.json("show interface")}, "t0 to go")


@pytest.mark.parametrize("command, said", [
    ("create interface tun t0 netns /run/netns/no-such", "/run/netns/no-such"),
    ("create interface tap t0 netns /etc/passwd", "not a network namespace"),
    ("create interface tun t0 host-name lo", "another kind of interface"),
    ("create interface tap t0 mac 01:00:00:00:00:01", "group"),
    ("create interface af-packet up host-interface no-such", "no-such"),
    ("create interface af-packet up host-interface lo", "Ethernet"),
    ("create interface pcap p receive /no/such.pcap", "/no/such.pcap"),
    ("create interface pcap p receive /etc/passwd", "/etc/passwd"),
])
def test_a_refusal_names_the_thing_and_leaves_nothing(daemon, command, said):
    sluice = daemon()
    before = sluice.json("show interface")
    answer = sluice.refusal(command)
    assert said in answer and "nothing changed" in answer
    assert sluice.json("show interface") == before


@pytest.fixture
def uplink(network, daemon):
    here, outside, pod = network.namespace("node"), network.namespace("outside"), network.namespace("pod")
    network.veth(here, "uplink", outside, "eth0")
    outside.address("eth0", "192.0.2.1/24")
    outside.route("10.1.0.0/16", "192.0.2.2")
    sluice = daemon(startup=["create interface af-packet uplink", "set interface state uplink up",
                             "set interface address uplink 192.0.2.2/24",
                             f"create pod web netns {pod.path} address 10.1.0.2"])
    return sluice, here, outside, pod


@pytest.mark.parametrize("offloads", [True, False])
def test_tcp_crosses_af_packet_with_and_without_the_far_sides_offloads(uplink, offloads):
    _, _, outside, pod = uplink
    if not offloads:
        outside.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off")
    assert Iperf(outside, "192.0.2.1").mbit(pod, seconds=1) > 10
    assert Iperf(pod, "10.1.0.2").mbit(outside, seconds=1) > 10


def test_the_first_packet_after_idleness_is_through_at_once(uplink):
    _, _, outside, pod = uplink
    pod.ping("192.0.2.1", count=1)
    times = []
    for _ in range(5):
        out = pod.run("sh", "-c", "sleep 0.3; ping -n -c 1 -W 2 192.0.2.1").stdout
        times.append(float(out.split("time=")[1].split()[0]))
    assert min(times) < 1.0, f"round trips in ms: {times}"


def test_a_tagged_frame_keeps_its_tag(uplink):
    sluice, _, outside, _ = uplink
    sluice.cli("create interface vlan uplink 100")
    sluice.cli("set interface state uplink.100 up")
    sluice.cli("set interface address uplink.100 198.51.100.2/24")
    mac = sluice.interface("uplink")["mac"]
    with Port(outside, "eth0") as port:
        port.send(Ether(dst=mac, src="02:00:00:00:00:09") / Dot1Q(vlan=100) /
                  IP(src="198.51.100.9", dst="198.51.100.2") / ICMP(id=7, seq=1))
        request = port.expect(lambda p: Dot1Q in p and p[Dot1Q].vlan == 100, what="an ARP request with the tag")
        assert request[Ether].src == mac


def test_the_kernel_is_silent_on_the_uplink_until_it_is_given_back(uplink):
    sluice, here, *_ = uplink
    setting = "/proc/sys/net/ipv4/conf/uplink/arp_ignore"
    assert here.run("cat", setting).stdout.strip() == "8"
    sluice.cli("delete interface uplink")
    wait_until(lambda: here.run("cat", setting).stdout.strip() == "0", "the settings to be given back")


def test_the_kernels_settings_are_given_back_after_a_crash_too(uplink):
    sluice, here, *_ = uplink
    setting = "/proc/sys/net/ipv4/conf/uplink/arp_ignore"
    sluice.kill()
    assert here.run("cat", setting).stdout.strip() == "8", "nobody was there to give it back"
    sluice.start()
    sluice.cli("create interface af-packet again host-interface uplink")
    sluice.cli("delete interface uplink")
    assert [row["name"] for row in sluice.json("show interface")] == ["again", "pod/web"]
    assert here.run("cat", setting).stdout.strip() == "8", "the second still uses it"
    sluice.stop()
    assert here.run("cat", setting).stdout.strip() == "0"
    assert [name for name in os.listdir(sluice.socket.parent) if name.startswith("af-packet")] == []


def test_a_dry_run_refuses_what_the_command_would_refuse(uplink):
    sluice, *_ = uplink
    for command in ("set interface mtu uplink 65530", "set interface feature uplink no-such on",
                    "create interface vlan pod/web 100", "create interface vlan uplink 100 name pod/x",
                    "create interface null pod/x", "create interface tap pod/x", "create interface af-packet pod/x"):
        assert sluice.refusal("--dry-run " + command) == sluice.refusal(command)
    for command in ("set interface mtu uplink 1500", "set interface state uplink up",
                    "set interface feature uplink ip4-pod-source-guard off", "set interface rx-mode uplink adaptive",
                    "set interface address uplink 192.0.2.2/24"):
        assert "unchanged" in sluice.cli("--dry-run " + command) and "unchanged" in sluice.cli(command)
    sluice.cli("--dry-run set interface mtu uplink 1400")
    sluice.cli("--dry-run create interface vlan uplink 100")
    assert [(row["name"], row["mtu"]) for row in sluice.json("show interface")] == [("pod/web", 1500), ("uplink", 1500)]


def test_an_uplink_that_the_kernel_removes_is_removed_here(uplink):
    sluice, _, outside, _ = uplink
    outside.ip("link delete eth0")
    wait_until(lambda: "uplink" not in {row["name"] for row in sluice.json("show interface")}, "uplink to go")


def test_a_capture_comes_in_and_what_is_sent_goes_to_a_file(daemon, tmp_path):
    received, sent = tmp_path / "in.pcap", tmp_path / "out.pcap"
    packets = [IP(src="198.18.0.1", dst="198.19.0.2", ttl=64) / UDP(sport=9, dport=n + 1) / bytes(n) for n in range(50)]
    wrpcap(str(received), packets)
    os.chmod(tmp_path, 0o755)
    sluice = daemon(startup=[f"create interface pcap a receive {received}", f"create interface pcap b send {sent} layer3",
                             "add route 198.19.0.0/16 interface b", "set interface state b up"])
    sluice.cli("set interface state a up")
    wait_until(lambda: sluice.interface("b")["tx_packets"] == 50, "50 packets to be sent")
    with PcapReader(str(sent)) as reader:
        out = list(reader)
    assert [p[UDP].dport for p in out] == [p[UDP].dport for p in packets]
    assert all(p[IP].ttl == 63 and checksums_are_right(p) for p in out)


def test_a_null_source_sends_its_count_and_a_sink_takes_it(daemon):
    sluice = daemon(startup=["create interface null source0 source layer3 to 198.19.0.2 size 100 rate 10000 count 500",
                             "create interface null sink0 layer3", "set interface state sink0 up",
                             "add route 198.19.0.0/16 interface sink0"])
    assert sluice.interface("source0")["rx_packets"] == 0
    sluice.cli("set interface state source0 up")
    wait_until(lambda: sluice.interface("sink0")["tx_packets"] == 500, "500 packets")
    assert sluice.interface("sink0")["tx_bytes"] == 50000


@pytest.mark.parametrize("command", ["create interface tun t0 netns {path}", "create interface tap t0 netns {path}",
                                     "create interface af-packet t0 host-interface eth0 netns {path}"])
def test_an_interface_goes_with_its_namespace_under_load_and_nobody_notices(network, daemon, command):
    far, a, b = network.namespace("far"), network.namespace("a"), network.namespace("b")
    network.veth(far, "eth0", far, "eth1")
    sluice = daemon(startup=[f"create pod a netns {a.path} address 10.5.0.1", f"create pod b netns {b.path} address 10.5.0.2",
                             command.format(path=far.path), "set interface state t0 up", "set interface address t0 10.8.0.1/24"])
    if "af-packet" in command:
        far.address("eth1", "10.8.0.2/24")
    else:
        far.address("t0", "10.8.0.2/24")
    far.route("10.5.0.0/16", "10.8.0.1")
    floods = [a.popen("ping", "-q", "-i", "0.002", "10.8.0.2"), far.popen("ping", "-q", "-i", "0.002", "10.5.0.2")]
    wait_until(lambda: sluice.interface("t0")["rx_packets"] > 100 < sluice.interface("t0")["tx_packets"], "traffic")
    far.delete()
    wait_until(lambda: "t0" not in {row["name"] for row in sluice.json("show interface")}, "t0 to go")
    a.ping("10.5.0.2")
    assert all("10.8.0" not in row["prefix"] for row in sluice.json("show ip fib"))
    floods[0].kill()
    floods[0].wait()
