# SPDX-License-Identifier: Apache-2.0
"""What must be reached on the kind of machine that the figures in docs/performance.md come from."""

AT_MOST, AT_LEAST, REPORTED = "≤", "≥", ""


def _cycles(figures):
    return {(name, "cycles_per_packet"): (AT_MOST, limit) for name, limit in figures.items()}


# (figure, counter): how, limit. What is only reported is listed so that a comparison shows it.
TARGETS = {
    **_cycles({
        "graph/ip4_forward/1000": 32, "graph/ip4_forward/1000/unfused": 50,
        "graph/ip4_forward_vector/4": 90, "graph/ip4_forward_vector/8": 65, "graph/ip4_forward_vector/16": 50,
        "graph/ip4_forward_vector/32": 40, "graph/ip4_forward_vector/64": 34,
        "graph/ip4_forward/500000": 58, "graph/ip4_forward/1000000": 62, "graph/ip4_forward/1000000_host": 85,
        "graph/ip6_forward/1000": 40, "graph/ip6_forward/250000": 90,
        "graph/ipip_encap": 45, "graph/ipip_decap": 55, "graph/vxlan_encap": 55, "graph/vxlan_decap": 65,
        "fib4/lookup/1000000": 30, "fib4/lookup/1000000_host": 55, "fib6/lookup/250000": 45,
    }),
    ("graph/ip4_forward/1000000_host", "MB"): (AT_MOST, 150),
    ("fib4/lookup/1000", "MB"): (AT_MOST, 4),
    ("fib6/lookup/1000", "MB"): (AT_MOST, 4),
    ("fib4/lookup/1000000", "bytes_per_route"): (REPORTED, None),
    ("fib4/lookup/1000000_host", "bytes_per_route"): (REPORTED, None),
    ("fib6/lookup/250000", "bytes_per_route"): (REPORTED, None),
    ("fib4/update/1000000", "updates_per_second"): (AT_LEAST, 300000),
    ("fib4/update/1000000", "reader_share"): (AT_LEAST, 0.9),
    ("pods/tcp", "of_relay"): (AT_LEAST, 0.95),
    ("pods/tcp-no-tso", "of_relay"): (AT_LEAST, 0.85),
    ("pods/tcp", "own_cycles_a_data_packet"): (AT_MOST, 1500),
    ("routes/bulk", "seconds"): (AT_MOST, 10),
    ("routes/bulk", "lost"): (AT_MOST, 0),
    ("churn", "lost"): (AT_MOST, 0),
    ("device/workers", "ratio"): (AT_LEAST, 1.8),
    ("device/idle", "percent_of_a_core"): (AT_MOST, 1),
    ("device/af_xdp_veth", "of_testpmd"): (AT_LEAST, 1),
    ("device/af_xdp_veth", "of_af_packet"): (AT_LEAST, 1.2),
    ("device/af_xdp_veth", "of_kernel"): (AT_LEAST, 2),
    ("device/af_xdp_veth", "user_cycles"): (REPORTED, None),
    ("device/af_xdp_veth", "system_cycles"): (REPORTED, None),
}


def words(how, limit):
    return f"{how} {limit:,}" if limit is not None else ""


def reached(how, limit, value):
    """None where there is nothing to reach."""
    if how == AT_MOST:
        return value <= limit
    return value >= limit if how == AT_LEAST else None
