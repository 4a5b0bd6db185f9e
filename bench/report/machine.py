# SPDX-License-Identifier: Apache-2.0
"""What a figure was measured on, for the JSON that benchmarks write."""
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _first(pattern, text, otherwise=""):
    match = re.search(pattern, text, re.MULTILINE)
    return match.group(1).strip() if match else otherwise


def _said(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout.strip()


def tsc_hertz():
    """What the TSC ticks at: the clock that cycles are counted in. The kernel prints it as twice BogoMIPS."""
    return float(_first(r"^bogomips\s*:\s*([\d.]+)", pathlib.Path("/proc/cpuinfo").read_text(), "0")) / 2 * 1e6


def describe():
    """The machine, the kernel and what was built, as they are now."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    cache = pathlib.Path(ROOT / "build/release/CMakeCache.txt")
    built = cache.read_text() if cache.exists() else ""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpu": _first(r"^model name\s*:\s*(.*)", cpu, platform.machine()),
        "cpu_family": int(_first(r"^cpu family\s*:\s*(\d+)", cpu, "0")),  # virtual machines call all of a maker's alike
        "cpus": os.cpu_count(),
        "tsc_mhz": round(tsc_hertz() / 1e6),
        "avx512": "avx512f" in cpu,
        "virtual": "hypervisor" in cpu,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
        "compiler": pathlib.Path(_first(r"^CMAKE_CXX_COMPILER:\w+=(.*)", built)).name,
        "isa": _first(r"^SLUICE_LEVEL:\w+=(.*)", built, "x86-64-v3"),
        "revision": _said("git", "describe", "--always", "--dirty"),
    }


def build(*targets):
    """Builds what a subject measures; ends the program when that fails."""
    if subprocess.run(["cmake", "--preset", "release", "-Wno-dev"], cwd=ROOT, stdout=subprocess.DEVNULL,
                      check=False).returncode:
        sys.exit("tools/bench: configuring failed; run: cmake --preset release")
    if subprocess.run(["ninja", "-C", "build/release", *targets], cwd=ROOT, check=False).returncode:
        sys.exit("tools/bench: the build failed")


def must_exist(*programs):
    """Instead of build(): ends the program when something is missing."""
    missing = [str(program) for program in programs if not program.exists()]
    if missing:
        sys.exit(f"tools/bench: {', '.join(missing)}: not built; leave --no-build out")


# What must be equal for two figures to be comparable; the rest of a description is to be read.
DECISIVE = ("cpu", "cpu_family", "cpus", "tsc_mhz", "avx512", "virtual", "compiler", "isa")


def differences(there, here):
    """Lines that say in what two machines differ, as far as that makes their figures incomparable."""
    def equal(key):
        a, b = there.get(key), here.get(key)
        if key == "tsc_mhz" and a and b:
            return abs(a - b) <= 0.01 * b  # it is calibrated anew at each start
        return a == b

    return [f"{key}: {there.get(key, 'unknown')} there, {here.get(key, 'unknown')} here"
            for key in DECISIVE if not equal(key)]
