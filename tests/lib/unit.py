# SPDX-License-Identifier: Apache-2.0
"""The systemd unit's rules, for tests that stand in for systemd."""
import re

from lib.daemon import ROOT

TEMPLATE = ROOT / "tools/packaging/sluice.service.in"


def unit_settings(text):
    pairs = [line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return {key: value for key, value in pairs}


def seconds(span):
    """"100ms" or "10"."""
    number, unit = re.fullmatch(r"(\d+)(ms|s|)", span).groups()
    return int(number) / (1000 if unit == "ms" else 1)
