# SPDX-License-Identifier: Apache-2.0
"""What cmake --install and the .deb packages contain, and that a plugin can be built against them."""
import os
import shutil
import subprocess

import pytest
from scapy.layers.l2 import Ether

from lib.daemon import BUILD, ROOT
from lib.net import run
from lib.packets import Port
from lib.unit import seconds, unit_settings

LISTING = """cmake_minimum_required(VERSION 3.25)
project(outside CXX)
find_package(sluice REQUIRED)
add_subdirectory(macswap)
"""
CAPABILITIES = {"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_IPC_LOCK", "CAP_BPF",
                "CAP_SETGID"}


def cached(name):
    """A value of the build's CMake cache."""
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split("=", 1)[1]
    raise AssertionError(f"{name} is not in {BUILD}/CMakeCache.txt")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", folder, timeout=120)
    return folder


@pytest.fixture(scope="module")
def debs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deb")
    run("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", folder, timeout=300, cwd=folder)
    made = {path.name.split("_")[0]: path for path in folder.glob("*.deb")}
    assert set(made) == {"sluice", "sluice-dev"}
    return made


def test_install_lays_everything_below_the_prefix(prefix):
    modules = prefix / "lib/sluice" / cached("SLUICE_ISA")
    for path in (prefix / "bin/sluiced", prefix / "bin/sluicectl", prefix / "bin/sluice-counters",
                 modules / "sluiced", modules / "libsluice.so", modules / "macswap.so", modules / "tun.so", prefix / "include/sluice/packet.h", prefix / "include/sluice/options.pb.h",
                 prefix / "lib/cmake/sluice/sluiceConfig.cmake", prefix / "etc/sluice/sluiced.yaml",
                 prefix / "lib/systemd/system/sluice.service", prefix / "share/man/man1/sluicectl.1",
                 prefix / "share/man/man8/sluiced.8", prefix / "share/bash-completion/completions/sluicectl"):
        assert path.is_file(), path


def test_the_installed_programs_find_their_library_and_plugins(prefix):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SLUICE")}
    for program in ("sluiced", "sluicectl"):
        assert "usage" in run(prefix / "bin" / program, "--help", env=environment).stdout.lower()
    library = run("ldd", prefix / "lib/sluice" / cached("SLUICE_ISA") / "sluiced", env=environment).stdout
    assert f"{prefix}/" in library and "not found" not in library
    assert "libsluice" not in run("ldd", prefix / "bin/sluiced").stdout, "the launcher is of no CPU level"


def test_the_installed_configuration_is_accepted(prefix):
    run(prefix / "bin/sluiced", "--check", prefix / "etc/sluice/sluiced.yaml")


def test_installing_again_leaves_the_configuration(prefix):
    file = prefix / "etc/sluice/sluiced.yaml"
    file.write_text("workers: {count: 2}\n")
    run("cmake", "--install", BUILD, "--prefix", prefix, timeout=120)
    assert file.read_text() == "workers: {count: 2}\n"


def test_the_unit_is_ready_watched_and_bounded(prefix):
    settings = unit_settings((prefix / "lib/systemd/system/sluice.service").read_text())
    assert settings["Type"] == "notify" and int(settings["WatchdogSec"]) > 0
    assert settings["Restart"] == "on-failure" and settings["RuntimeDirectory"] == "sluice"
    # A worker that is stuck again after each start must not use up the starts that systemd allows.
    quickest = 0.35 + seconds(settings["RestartSec"])
    assert int(settings["StartLimitBurst"]) > seconds(settings["StartLimitIntervalSec"]) / quickest
    assert set(settings["CapabilityBoundingSet"].split()) == CAPABILITIES
    assert settings["ExecStart"].split()[0] == f"{prefix}/bin/sluiced"
    if shutil.which("systemd-analyze"):
        done = run("systemd-analyze", "verify", prefix / "lib/systemd/system/sluice.service", check=False)
        ours = [line for line in done.stderr.splitlines() if "sluice.service" in line]
        assert not ours, "\n".join(ours)


@pytest.fixture(scope="module")
def outside(prefix, tmp_path_factory):
    """macswap.so from a copy of its folder, built and installed out of the tree with find_package(sluice)."""
    folder = tmp_path_factory.mktemp("outside")
    shutil.copytree(ROOT / "plugins/macswap", folder / "macswap")
    (folder / "CMakeLists.txt").write_text(LISTING)
    build = folder / "build"
    run("cmake", "-S", folder, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER={cached('CMAKE_CXX_COMPILER')}", f"-DCMAKE_INSTALL_PREFIX={folder}/installed",
        timeout=120)
    run("cmake", "--build", build, timeout=170)
    tests = run("ctest", "--test-dir", build, "--no-tests=error", "--output-on-failure")
    assert "100% tests passed" in tests.stdout
    run("cmake", "--install", build)
    return folder / "installed/lib/sluice" / cached("SLUICE_ISA") / "macswap.so"


def test_a_copy_of_macswap_builds_and_passes_its_tests_out_of_the_tree(outside):
    assert outside.is_file()


def test_the_plugin_from_outside_works_in_the_daemon(outside, network, daemon):
    node, peer = network.namespace("node"), network.namespace("peer")
    network.veth(node, "uplink", peer, "eth0", offloads=False)
    sluice = daemon(namespace=node, arguments=["--plugin", outside], configuration={"plugins": {"load": ["af_packet"]}},
                    startup=["create interface af-packet uplink", "set interface state uplink up",
                             "set interface feature uplink macswap on"])
    sent = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01", type=0x88B5) / (b"there and back" * 4)
    with Port(peer, "eth0") as port:
        port.send(sent)
        back = port.expect(lambda p: p.type == 0x88B5, what="the frame")
    assert (back.dst, back.src) == ("02:00:00:00:00:01", "02:00:00:00:00:02")
    assert bytes(back.payload) == bytes(sent.payload)
    assert sluice.interface("uplink")["tx_packets"] >= 1


def contents(deb):
    """Paths in a package, from their root; directories end in /."""
    lines = subprocess.run(["dpkg-deb", "-c", deb], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[5].removeprefix(".") for line in lines}


def test_the_deb_has_programs_plugins_unit_and_configuration(debs):
    files, level = contents(debs["sluice"]), cached("SLUICE_ISA")
    assert {"/usr/bin/sluiced", "/usr/bin/sluicectl", "/usr/bin/sluice-counters", f"/usr/lib/sluice/{level}/sluiced",
            f"/usr/lib/sluice/{level}/libsluice.so", f"/usr/lib/sluice/{level}/macswap.so", "/usr/lib/systemd/system/sluice.service",
            "/etc/sluice/sluiced.yaml"} <= files
    assert not [path for path in files if path.startswith("/usr/include") or "/tmp" in path]


def test_the_deb_depends_on_what_its_programs_link(debs, tmp_path):
    depends = run("dpkg-deb", "-f", debs["sluice"], "Depends").stdout
    for library in ("libc6", "libgrpc++", "libprotobuf32", "libnl-route-3-200", "libyaml-cpp", "liburcu8"):
        assert library in depends, depends
    run("dpkg-deb", "-e", debs["sluice"], tmp_path)
    assert (tmp_path / "conffiles").read_text().split() == ["/etc/sluice/sluiced.yaml"]
    run("dpkg-deb", "-x", debs["sluice"], tmp_path / "root")
    unit = unit_settings((tmp_path / "root/usr/lib/systemd/system/sluice.service").read_text())
    assert unit["ExecStart"] == "/usr/bin/sluiced --config /etc/sluice/sluiced.yaml"
    assert "not stripped" not in run("file", tmp_path / "root/usr/lib/sluice" / cached("SLUICE_ISA") /
                                     "libsluice.so").stdout


def test_the_dev_deb_has_headers_and_cmake_functions(debs):
    files = contents(debs["sluice-dev"])
    assert {"/usr/include/sluice/plugin.h", "/usr/include/sluice/options.proto",
            "/usr/lib/cmake/sluice/sluiceConfig.cmake"} <= files
    assert [path for path in files if path.startswith("/usr/bin/") and path != "/usr/bin/"] == [
        "/usr/bin/sluice-new-plugin"]
