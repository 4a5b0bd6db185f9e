# SPDX-License-Identifier: Apache-2.0
"""A Debian kernel in QEMU (without KVM) as a peer that has what this machine's kernel lacks.

It boots from an initramfs that is made here: busybox, iproute2 and the kernel modules that are asked for. What the guest is to
do is one script; it says READY when it has done that, and stays.
"""
import gzip
import io
import pathlib
import re
import shutil
import subprocess

from lib.net import end, run, wait_until

BOOT_SECONDS = 120
DEVICES = [(("dev/console", 0o600, 5, 1)), (("dev/null", 0o666, 1, 3))]


def missing():
    """What this machine lacks to run a guest, or None."""
    if not shutil.which("qemu-system-x86_64"):
        return "qemu-system-x86_64 (qemu-system-x86)"
    if not kernel():
        return "a kernel with modules in /boot (linux-image-amd64)"
    if not pathlib.Path("/bin/busybox").exists():
        return "/bin/busybox (busybox-static)"
    return None


def kernel():
    """The newest kernel that has its modules beside it."""
    found = [path for path in pathlib.Path("/boot").glob("vmlinuz-*") if modules_of(path).is_dir()]
    return max(found, default=None)


def modules_of(image):
    return pathlib.Path("/lib/modules") / image.name.removeprefix("vmlinuz-")


class Archive:
    """A cpio archive in the "newc" format, which the kernel unpacks."""

    def __init__(self):
        self.bytes, self.inode, self.names = io.BytesIO(), 0, set()

    def add(self, name, mode, data=b"", device=(0, 0)):
        name = str(name).lstrip("/")
        for parent in reversed(pathlib.PurePath(name).parents):
            if str(parent) != "." and str(parent) not in self.names:
                self._put(str(parent), 0o040755, b"", (0, 0))
        self._put(name, mode, data, device)

    def _put(self, name, mode, data, device):
        if name in self.names:
            return
        self.names.add(name)
        self.inode += 1
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        for part in (header, data):
            self.bytes.write(part + bytes(-len(part) % 4))

    def program(self, path):
        """A program and the libraries that it needs."""
        self.add(path, 0o100755, pathlib.Path(path).read_bytes())
        for library in re.findall(r"(/\S+) \(", run("ldd", path, check=False).stdout):
            self.add(library, 0o100755, pathlib.Path(library).read_bytes())

    def finish(self):
        self._put("TRAILER!!!", 0, b"", (0, 0))
        return gzip.compress(self.bytes.getvalue(), 1)


def initramfs(modules, script):
    archive = Archive()
    for name, mode, major, minor in DEVICES:
        archive.add(name, 0o020000 | mode, device=(major, minor))
    archive.add("bin/busybox", 0o100755, pathlib.Path("/bin/busybox").read_bytes())
    archive.program(shutil.which("ip"))
    version = modules_of(kernel()).name
    order = []
    for module in modules:
        for line in run("modprobe", "-D", "-S", version, module).stdout.splitlines():
            if line.startswith("insmod") and line.split()[1] not in order:
                order.append(line.split()[1])
    for path in order:
        archive.add(path, 0o100644, pathlib.Path(path).read_bytes())
    lines = ["#!/bin/busybox sh", "b=/bin/busybox", "$b mkdir -p /proc /sys", "$b mount -t proc p /proc", "$b mount -t sysfs s /sys",
             *(f"$b insmod {path}" for path in order), f"ip() {{ {shutil.which('ip')} \"$@\"; }}", "set -e", script,
             "echo READY", "while :; do $b sleep 1000; done"]
    archive.add("init", 0o100755, "\n".join(lines).encode())
    return archive.finish()


class Guest:
    """Its interface eth0 is the tap of the name in the namespace, which is made here and goes with it."""

    def __init__(self, namespace, tap, folder, modules, script):
        self.namespace, self.tap = namespace, tap
        image, self.serial = folder / "initrd", folder / "serial"
        image.write_bytes(initramfs(["virtio_pci", "virtio_net", *modules], script))
        namespace.ip(f"tuntap add dev {tap} mode tap vnet_hdr")
        namespace.ip(f"link set {tap} up")
        self.process = namespace.popen(
            "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-serial", f"file:{self.serial}", "-kernel", kernel(), "-initrd", image, "-append",
            "console=ttyS0 quiet panic=-1 mitigations=off", "-netdev", f"tap,id=n0,ifname={tap},script=no,downscript=no", "-device",
            "virtio-net-pci,netdev=n0,mac=02:00:00:00:00:02", stdout=subprocess.DEVNULL)

    def wait(self):
        wait_until(lambda: self.process.poll() is not None or "READY" in self.said(), lambda: f"the guest: {self.said()[-2000:]}",
                   seconds=BOOT_SECONDS, every=0.2)
        assert self.process.poll() is None and "READY" in self.said(), self.said()

    def said(self):
        return self.serial.read_text(errors="replace") if self.serial.exists() else ""

    def close(self):
        end(self.process)
        self.namespace.ip(f"link delete {self.tap}")
