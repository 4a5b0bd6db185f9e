# SPDX-License-Identifier: Apache-2.0
"""A program on a terminal, as a person has it: keys go in, the screen's text comes out."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from lib.net import end

# The first is how libedit goes on where it is: to the line's begin and then to the column.
ESCAPES = re.compile(r"\r\x1b\[[0-9]+G|\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78])|[\x07\x0f]")
UP, TAB, ENTER, INTERRUPT, END = "\x1b[A", "\t", "\r", "\x03", "\x04"
ROWS, COLUMNS = 50, 200


class Terminal:
    """with Terminal([program, …], environment={…}) as terminal: terminal.type("show version\\r"); …"""

    def __init__(self, command, environment=None, rows=ROWS, columns=COLUMNS):
        self.master, slave = pty.openpty()
        self.rows = rows
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm", **(environment or {})})
        os.close(slave)
        self.everything, self.unread = "", ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        os.close(self.master)

    def type(self, keys):
        os.write(self.master, keys.encode())

    def _receive(self, seconds):
        """False when nothing came, or nothing will any more."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: the program has ended
            return False
        self.everything += data.decode(errors="replace")
        self.unread += data.decode(errors="replace")
        return bool(data)

    def read_until(self, pattern, seconds=10):
        """What has come since the last call, up to and with a regular expression, without the terminal's escapes."""
        end = time.monotonic() + seconds
        while True:
            text = ESCAPES.sub("", self.unread).replace("\r\n", "\n")
            found = re.search(pattern, text)
            if found:
                self.unread = text[found.end():]
                return text[:found.end()]
            left = end - time.monotonic()
            if left <= 0 or (not self._receive(left) and self.process.poll() is not None):
                raise AssertionError(f"{pattern!r} did not come to the terminal; since the last came\n{text}")

    def screen(self):
        """The lines that a person sees now, of a program that moves up and erases, and writes no line too long."""
        lines, at, column = [""], 0, 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", self.everything):
            count = int(re.sub(r"\D", "", part) or 1) if part.startswith("\x1b") else 0
            if part == "\n":
                at += 1
                lines += [""] * (at + 1 - len(lines))
            elif part == "\r":
                column = 0
            elif part.endswith("A") and count:
                assert count <= at and count < self.rows, "it moves to lines that it does not own"
                at -= count
            elif part == "\x1b[2K":
                lines[at] = ""
            elif part == "\x1b[J":
                lines[at:] = [lines[at][:column]]
            elif not part.startswith("\x1b"):
                lines[at] = lines[at][:column] + part + lines[at][column + len(part):]
                column += len(part)
        return lines

    def takes_keys(self):
        """Whether the program reads keys one by one. Before that, the kernel makes lines of them."""
        return not termios.tcgetattr(self.master)[3] & termios.ICANON

    def wait(self, seconds=10):
        """The status with which it ends."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self._receive(0.05)
        assert self.process.poll() is not None, f"it has not ended; on the terminal is\n{self.everything}"
        while self._receive(0.05):
            pass
        return self.process.returncode
