# SPDX-License-Identifier: Apache-2.0
"""Which packets took the fused chains, and what parts them for an interface."""
from lib.net import wait_until

TO = "198.18.0.2"
STARTUP = ["create interface null in0 source layer3 to 198.18.0.2 rate 100000 count 3000",
           "create interface null out0", "set interface state out0 up", "set interface address out0 192.0.2.1/24",
           "add neighbor 192.0.2.2 mac 02:00:00:00:00:02 interface out0", "add route 198.18.0.0/24 via 192.0.2.2"]


def row(sluice, command, **wanted):
    return next(r for r in sluice.json(command) if all(r[k] == v for k, v in wanted.items()))


def test_a_stream_takes_the_chain_and_its_nodes_count_as_ever(daemon):
    sluice = daemon(startup=STARTUP)
    sluice.cli("set interface state in0 up")
    wait_until(lambda: row(sluice, "show runtime all", node="null-output")["packets"] >= 3000, what="3,000 packets")
    chain = next(r for r in sluice.json("show runtime chains") if "ip4-lookup" in r["chain"])
    assert chain["packets"] == 3000 and chain["traced"] == 0
    for node in ("ip4-input", "ip4-lookup", "ip4-rewrite", "interface-output"):
        shown = row(sluice, "show runtime", node=node)
        assert shown["packets"] >= shown["fused"] == 3000, shown
    sluice.cli("clear runtime")
    assert all(r["packets"] == 0 for r in sluice.json("show runtime chains"))


def test_an_interface_says_what_parts_its_chains(daemon):
    sluice = daemon(startup=STARTUP)
    whole = row(sluice, "show runtime chains interface in0", state="whole")
    assert whole["chain"].startswith("ip4-input > ip4-lookup"), "it has no Ethernet header"
    sluice.cli("set interface feature in0 ip4-pod-source-guard on")
    parted = row(sluice, "show runtime chains interface in0", state="parted")
    assert parted["why"] == "ip4-pod-source-guard behind ip4-input, for what comes in by it"
    assert {r["state"] for r in sluice.json("show runtime chains interface out0")} == {"whole"}
    assert "nosuch" in sluice.refusal("show runtime chains interface nosuch")
