# SPDX-License-Identifier: Apache-2.0
"""show drops: which packets were lost lately, and why."""
from lib.net import wait_until
from test_pods import A4, B4, B6, two_pods


def test_a_dropped_packet_is_named_with_its_flow_and_reason(network, daemon):
    a, b, startup = two_pods(network)
    sluice = daemon(startup=[*startup, "add route 203.0.113.0/24 blackhole", "add route 2001:db8:9::/48 blackhole"])
    assert sluice.cli("show drops reason blackhole") == "no drops\n"
    for _ in range(3):
        a.run("bash", "-c", "echo x > /dev/udp/203.0.113.7/4242")
    a.ping("2001:db8:9::1", count=1, check=False)
    rows = wait_until(lambda: [row for row in sluice.json("show drops") if "4242" in row["flow"]], "the drop")
    assert len(rows) <= 2, "one a second"
    row = rows[0]
    assert (row["interface"], row["reason"], row["length"]) == ("pod/shop/a", "blackhole", 30)
    assert row["flow"].startswith(f"udp {A4}:") and row["flow"].endswith(" > 203.0.113.7:4242")
    assert row["sentence"] and row["node"] == "ip4-lookup" or row["node"].startswith("ip4")
    six = [row for row in sluice.json("show drops reason black*") if "2001:db8:9::1" in row["flow"]]
    assert six and six[0]["node"].startswith("ip6")
    assert not [row for row in sluice.json("show drops interface pod/shop/b") if row["reason"] == "blackhole"]
    assert len(sluice.json("show drops interface pod/* last 1")) == 1
    a.ping(B4)
    a.ping(B6)
