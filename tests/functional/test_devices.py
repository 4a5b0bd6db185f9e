# SPDX-License-Identifier: Apache-2.0
"""Devices, their queues and workers: what is shown, what can be moved, where flows go, and what memory is taken."""
import pathlib
import re

import pytest

from lib.net import run, wait_until

TWO_WORKERS = {"workers": {"count": 2}}


def test_every_driver_says_what_its_device_is(network, daemon, tmp_path):
    node, far = network.namespace("node"), network.namespace("far")
    network.veth(node, "eth1", far, "eth0")
    capture = tmp_path / "in.pcap"
    capture.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    sluice = daemon(configuration=TWO_WORKERS, startup=[
        "create interface af-packet eth1 queues 2", f"create interface tun tun0 netns {far.path}",
        f"create interface tap tap0 netns {far.path}", f"create interface pcap file0 receive {capture}",
        "create interface null null0 source queues 3", "set interface state eth1 up",
        "create interface vlan eth1 100"])
    cards = {card["name"]: card for card in sluice.json("show device")}
    assert {name: card["driver"] for name, card in cards.items()} == {
        "eth1": "af-packet", "file0": "pcap", "null0": "null", "tap0": "tap", "tun0": "tun"}
    for name, card in cards.items():
        shown = sluice.interface(name)
        assert card["state"] == shown["state"] and card["mtu"] == shown["mtu"] and card["mac"] == shown["mac"]
        assert card["rx_mode"] == "adaptive" and card["mode" if name != "eth1" else "reason"]
        assert [queue["queue"] for queue in card["rx_queue"]] == list(range(len(card["rx_queue"]))) and card["rx_queue"]
        assert all(queue["mode"] for queue in card["rx_queue"] + card["tx_queue"])
    assert [queue["worker"] for queue in cards["null0"]["rx_queue"]] == ["0", "1", "0"]
    uplink = cards["eth1"]
    assert [queue["ring"] for queue in uplink["rx_queue"]] == [2048, 2048]
    assert "copies" in uplink["reason"] and uplink["rss"] == "device"
    assert [counter["name"] for counter in uplink["rx_queue"][0]["counter"]] == ["ring-packets", "ring-full"]
    assert cards["tun0"]["link"] == "ip" and cards["tun0"]["offloads"][:3] == ["tx-checksum", "tso4", "tso6"]
    text = sluice.cli("show device eth1")
    assert re.search(r"rx queue: +0: worker 0, adaptive, ring in shared memory, copied, ring 2048, \d+ packets", text), text
    assert "has no device of its own: it is VLAN 100 of eth1" in sluice.refusal("show device eth1.100")


def test_packets_are_counted_by_queue(daemon):
    sluice = daemon(configuration=TWO_WORKERS, startup=[
        "create interface null source source queues 2 count 300 to 10.0.0.2", "create interface null sink layer3",
        "set interface state sink up", "set interface address sink 10.0.0.1/24",
        "set interface state source up"])
    wait_until(lambda: [queue["packets"] for queue in sluice.json("show device source")[0]["rx_queue"]] == [300, 300],
               "both queues to have sent their packets")
    wait_until(lambda: sum(queue["packets"] for queue in sluice.json("show device sink")[0]["tx_queue"]) == 600,
               lambda: f"600 packets to have left: {sluice.cli('show device sink')}")


def test_a_queue_moves_to_another_worker_and_a_restart_remembers(daemon):
    sluice = daemon(configuration=TWO_WORKERS, startup=["create interface null source source rate 2000 queues 2",
                                                       "set interface state source up"])

    def workers():
        return [row["worker"] for row in sluice.json("show interface rx-placement source")]
    assert workers() == [0, 1]
    sluice.cli("set interface rx-placement source queue 0 worker 1")
    assert workers() == [1, 1]
    assert "unchanged" in sluice.cli("set interface rx-placement source queue 0 worker 1")
    assert "queue 2: source has receive queues 0 to 1" in sluice.refusal("set interface rx-placement source queue 2 worker 1")
    assert "worker 2: there are workers 0 to 1" in sluice.refusal("set interface rx-placement source worker 2")
    assert workers() == [1, 1]

    def received():
        return {row["name"]: row["received"] for row in sluice.json("show threads")}
    before = received()
    wait_until(lambda: received()["sluice-wk1"] > before["sluice-wk1"] + 2000, "worker 1 to receive all of it")
    assert received()["sluice-wk0"] - before["sluice-wk0"] < 100
    sluice.kill()
    sluice.start()
    assert workers() == [1, 1]
    sluice.cli("set interface rx-placement source worker 0")
    assert workers() == [0, 0]


def test_flows_are_spread_over_workers_in_software(daemon):
    sluice = daemon(configuration=TWO_WORKERS, startup=[
        "create interface null source source rate 4000 flows 64 to 10.0.0.2", "create interface null sink layer3",
        "set interface state sink up", "set interface address sink 10.0.0.1/24", "set interface state source up"])
    assert sluice.json("show device source")[0]["rss"] == "off"

    def taken():
        return {row["name"]: row["handoffs_taken"] for row in sluice.json("show threads")}
    sluice.cli("set interface rss source on")
    assert "unchanged" in sluice.cli("set interface feature source flow-handoff on")
    assert sluice.json("show device source")[0]["rss"] == "software"
    (queue,) = sluice.json("show interface rx-placement source")
    other = f"sluice-wk{1 - queue['worker']}"
    wait_until(lambda: taken()[other] > 1000, "packets at the other worker")
    assert all(row["handoffs_lost"] == 0 for row in sluice.json("show threads"))
    sluice.cli("trace add null-input 16")
    seen = wait_until(lambda: "flow-arrival:" in (text := sluice.cli("show trace")) and text, "traces")
    worker = 1 - queue["worker"]
    assert re.search(rf"flow-handoff: flow-hash \d+, worker {worker} -> hold", seen), seen
    assert re.search(rf"worker {worker}, .*\n.*flow-arrival: interface source.*\n.*flow-handoff: arrived yes -> "
                     r"continue\n.*ethernet-input", seen), seen
    sluice.cli("set interface rss source off")
    assert sluice.json("show features source") == []


def test_rss_is_refused_where_the_device_has_it(network, daemon):
    far = network.namespace("far")
    sluice = daemon(configuration=TWO_WORKERS, startup=[f"create interface tap tap0 netns {far.path}",
                                                       f"create interface tun tun0 netns {far.path}"])
    assert "the device itself spreads flows over its 2 queues" in sluice.refusal("set interface rss tap0 on")
    assert "has no Ethernet header" in sluice.refusal("set interface rss tun0 on")
    assert "unchanged" in sluice.cli("set interface rss tap0 off")


def test_threads_say_how_they_sleep(daemon):
    sluice = daemon(startup=["create interface null source source rate 100", "set interface state source up"])

    def thread():
        return sluice.json("show threads")[0]
    before = thread()
    now = wait_until(lambda: (row := thread())["received"] > before["received"] + 50 and row, "packets")
    assert now["wakeups"] - before["wakeups"] >= 20 and now["sleeps"] >= now["wakeups"]
    assert now["queues"] == 1 and 1 <= now["packets_per_call"] < 10 and now["load"] < 50


class Hugepages:
    """Has pages of a size free for a test, and gives the host back what it had."""

    def __init__(self, kib, wanted):
        self.folder = pathlib.Path(f"/sys/kernel/mm/hugepages/hugepages-{kib}kB")
        if not self.folder.is_dir():
            pytest.skip(f"this kernel has no pages of {kib} kB")
        self.before = self.number("nr_hugepages")
        (self.folder / "nr_hugepages").write_text(str(self.before + wanted))
        if self.number("free_hugepages") < wanted:
            free = self.number("free_hugepages")
            self.give_back()
            pytest.skip(f"this machine's memory has no room for {wanted} pages of {kib} kB: {free} are free")

    def number(self, name):
        return int((self.folder / name).read_text())

    def give_back(self):
        (self.folder / "nr_hugepages").write_text(str(self.before))


@pytest.fixture
def hugepages():
    taken = []

    def take(kib, wanted):
        taken.append(Hugepages(kib, wanted))
        return taken[-1]
    yield take
    for each in reversed(taken):
        each.give_back()


@pytest.mark.parametrize("kib, size, name, pages", [(2048, "2M", "2 MiB", 21), (1048576, "1G", "1 GiB", 1)])
def test_buffers_lie_on_hugepages_when_there_are_enough(network, daemon, hugepages, kib, size, name, pages):
    before = hugepages(kib, pages).number("free_hugepages")
    sluice = daemon(configuration={"buffers": {"count": 16384, "page-size": size}}, startup=[
        "create interface null source source count 5000 to 10.0.0.2", "create interface null sink layer3",
        "set interface state sink up", "set interface address sink 10.0.0.1/24", "set interface state source up"])
    (pool,) = sluice.json("show buffers")
    assert pool["pages"] == f"{name} hugepages"
    folder = pathlib.Path(f"/sys/kernel/mm/hugepages/hugepages-{kib}kB")
    assert before - int((folder / "free_hugepages").read_text()) == pages
    wait_until(lambda: sluice.interface("sink")["tx_packets"] == 5000, "packets from hugepages to be forwarded")
    assert f"pages=\"{name} hugepages\"" in sluice.output()
    findings = {row["check"]: row for row in sluice.json("doctor")} if sluice.ctl("doctor").returncode == 0 else {}
    assert not findings or findings["hugepages"]["state"] == "ok"
    sluice.check_leaks()
    sluice.stop()
    assert int((folder / "free_hugepages").read_text()) == before, "the pages come back"


def test_too_few_hugepages_are_a_message_with_the_mend_and_the_mend_is_right(daemon, hugepages):
    folder = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
    free = int((folder / "free_hugepages").read_text())
    count = 16384 + (free // 2) * 1600  # more than lie free
    configuration = {"buffers": {"count": count, "page-size": "2M"}}
    sluice = daemon(configuration=configuration)
    (pool,) = sluice.json("show buffers")
    assert pool["pages"].startswith("ordinary pages"), pool["pages"]
    said = re.search(rf"{free} of (\d+) pages of 2 MiB free: (sysctl -w vm.nr_hugepages=(\d+))", pool["pages"])
    assert said, pool["pages"]
    assert "warning buffers are not on the pages that buffers.page-size asks for" in sluice.output()
    sluice.stop()
    hugepages(2048, 0)  # gives back what the mend takes
    run(*said[2].split())
    if int((folder / "free_hugepages").read_text()) < int(said[1]):
        pytest.skip(f"this machine's memory has no room for {said[3]} pages of 2 MiB")
    sluice = daemon(configuration=configuration)
    (pool,) = sluice.json("show buffers")
    assert pool["pages"] == "2 MiB hugepages"
    sluice.stop()
