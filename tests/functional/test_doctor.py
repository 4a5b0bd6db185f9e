# SPDX-License-Identifier: Apache-2.0
"""doctor: what is wrong with the host, and what mends it."""


def rows(sluice):
    done = sluice.ctl("doctor")
    return done.returncode, done.stdout


def test_a_host_that_will_do_is_status_0(network, daemon):
    sluice = daemon()
    status, text = rows(sluice)
    assert status == 0, text
    assert "hugepages" in text and "vm.nr_hugepages=" in text, "the test's daemon has hugepages switched off"
    for check in ("pinned workers", "isolated cores", "frequency governor", "open files", "locked memory", "capabilities",
                  "tun device", "reverse path filter", "offloads", "other managers"):
        assert f" {check}: " in text


def test_an_uplinks_offloads_are_looked_at_where_it_is(network, daemon):
    node, far = network.namespace("node"), network.namespace("far")
    network.veth(node, "eth1", far, "far0")
    sluice = daemon(startup=[f"create interface af-packet eth1 netns {node.path}"])
    node.run("ethtool", "-K", "eth1", "gro", "off")
    assert "ethtool -K eth1 gro on" in rows(sluice)[1]
    node.run("ethtool", "-K", "eth1", "gro", "on")
    assert "eth1: generic receive offload on" in rows(sluice)[1]
