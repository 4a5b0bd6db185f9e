# SPDX-License-Identifier: Apache-2.0
"""What a refused command must say, and what it must leave as it is."""
CONSTANT = {"show interface": ("name", "state", "mtu", "driver", "mac"), "show interface address": None,
            "show pod": ("name", "address", "netns", "interface", "table", "mtu", "state"),
            "show ip fib": ("prefix", "source", "forwarding"), "show ip6 fib": ("prefix", "source", "forwarding"),
            "show ip table": None}


def links(namespace):
    """The names of a namespace's interfaces."""
    return sorted(link["ifname"] for link in namespace.ip_json("link show") if link)


def state(sluice, namespaces):
    """The daemon's interfaces, pods, addresses, routes and tables, and the namespaces' interfaces."""
    shown = {command: [{key: row[key] for key in keys or row} for row in sluice.json(command)]
             for command, keys in CONSTANT.items()}
    return shown, {namespace.name: links(namespace) for namespace in namespaces}


def has_all(said, *words):
    missing = [word for word in words if word not in said]
    assert not missing, f"{missing} not in: {said}"
