# SPDX-License-Identifier: Apache-2.0
"""Metrics as Prometheus scrapes them. promtool and Prometheus' own client for Python say whether the text is right."""
import contextlib
import http.client
import shutil
import socket
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lib.daemon import ROOT, failed_start
from lib.net import wait_until
from test_pods import B4, two_pods

PORT = 9464
LISTEN = {"metrics": {"listen": f"127.0.0.1:{PORT}"}}
REFERENCE = (ROOT / "docs/metrics.md").read_text()


def scrape(sluice, method="GET", path="/metrics"):
    """(status, body) of a request."""
    with sluice.namespace.entered(), contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def metrics(sluice):
    """{(name, ((label, value), …)): value}."""
    status, body = scrape(sluice)
    assert status == 200
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(body) for sample in family.samples}


def value(found, name, **labels):
    return found[name, tuple(sorted(labels.items()))]


def test_promtool_finds_nothing_to_say(network, daemon):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed; run tools/packages")
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup, configuration=LISTEN)
    a.ping(B4)
    body = scrape(sluice)[1]
    done = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr


def test_they_agree_with_the_command_line(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=[*startup, "add route 203.0.113.0/24 blackhole", "add route 203.0.114.0/24 blackhole table 7"],
                    configuration=LISTEN)
    a.ping(B4, count=5)
    a.ping("203.0.113.1", count=2, check=False)
    found = metrics(sluice)
    row = sluice.interface("pod/shop/a")
    for counter in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "drops"):
        assert value(found, f"sluice_interface_{counter}_total", interface="pod/shop/a", driver="tun") == row[counter]
    assert value(found, "sluice_interface_mtu_bytes", interface="pod/shop/a", driver="tun") == row["mtu"]
    dropped = {(row["node"], row["reason"]): row["packets"] for row in sluice.json("show errors all")}
    exported = {(labels["node"], labels["reason"]): count for (name, pairs), count in found.items()
                if name == "sluice_drops_total" for labels in [dict(pairs)]}
    assert exported == dropped and sum(dropped.values()) >= 2
    pool = sluice.json("show buffers")[0]
    assert value(found, "sluice_buffers") == pool["total"]
    assert value(found, "sluice_routes", table="7", family="ip4") == len(sluice.json("show ip fib table 7"))
    version = sluice.json("show version")
    assert value(found, "sluice_build_info", version=version["version"], isa=version["isa"]) == 1
    assert value(found, "sluice_worker_sleeps_total", worker="0") > 0
    assert 0 < value(found, "sluice_worker_busy_seconds_total", worker="0") < value(found, "sluice_uptime_seconds")
    assert sum(count for (name, _), count in found.items() if name == "sluice_neighbors") == len(sluice.json("show neighbor"))


def test_clear_commands_do_not_reset_them(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=startup, configuration=LISTEN)
    a.ping(B4)
    before = metrics(sluice)
    sluice.cli("clear errors")
    sluice.cli("clear runtime")
    after = metrics(sluice)
    fallen = [key for key, count in before.items() if key[0].endswith("_total") and after[key] < count]
    assert not fallen
    assert value(after, "sluice_node_packets_total", node="ip4-lookup") > 0


def test_the_page_lists_every_metric_with_its_labels(daemon):
    sluice = daemon(configuration=LISTEN, startup=["create interface null n0"])
    for name, labels in metrics(sluice):
        row = next(line for line in REFERENCE.splitlines() if f"| `{name}` |" in line)
        assert sorted(filter(None, row.split(" | ")[2].split(", "))) == [label for label, _ in labels]


def test_errors_are_answered_and_counted(daemon):
    sluice = daemon(configuration=LISTEN)
    assert scrape(sluice, path="/")[0] == 404
    assert scrape(sluice, method="POST")[0] == 405
    assert scrape(sluice, method="HEAD") == (200, "")
    assert value(metrics(sluice), "sluice_metrics_refused_total", reason="bad-request") == 2


def test_a_client_that_never_reads_is_cut_off_and_costs_nobody_else(daemon, tmp_path):
    path = tmp_path / "metrics.sock"
    sluice = daemon(configuration={"metrics": {"listen": str(path)}})
    lines = sluice.folder / "many.cmds"
    lines.write_text("".join(f"create interface null n{i}\n" for i in range(600)))
    sluice.script(lines)
    request = b"GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n"

    def ask(client):
        client.connect(str(path))
        client.sendall(request)

    def read_all():
        with socket.socket(socket.AF_UNIX) as client:
            ask(client)
            return b"".join(iter(lambda: client.recv(1 << 20), b"")).decode()

    with socket.socket(socket.AF_UNIX) as never_reads:
        ask(never_reads)
        text = read_all()
        assert len(text) > 400_000, "more than a socket holds, or the first client could be served whole"
        wait_until(lambda: 'sluice_metrics_refused_total{reason="timeout"} 1\n' in read_all(), "the silent client to go",
                   seconds=25, every=0.5)


def test_an_address_that_is_taken_is_named(network):
    node = network.namespace("node")
    with node.entered(), socket.create_server(("127.0.0.1", PORT)):
        assert f"cannot listen on 127.0.0.1:{PORT}: Address already in use" in failed_start(node, configuration=LISTEN)


def test_nobody_listens_unless_told_to(daemon):
    sluice = daemon()
    assert not sluice.namespace.run("ss -tlnH").stdout
