# SPDX-License-Identifier: Apache-2.0
"""What the lints share: which files, which options, how a finding is printed."""
import argparse
import pathlib
import subprocess
import sys

AREAS = ["core", "net", "interface", "ip", "session", "control"]  # each may include those before it


class Lint:
    def __init__(self, description, files=True):
        self.parser = argparse.ArgumentParser(description=description)
        self.parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2],
                                 help="the tree to look at (default: this one)")
        if files:
            self.parser.add_argument("files", nargs="*", help="only these, relative to the root (default: all)")
        self.findings = 0
        self.looked_at = 0

    def parse(self, arguments=None):
        self.options = self.parser.parse_args(arguments)
        self.root = self.options.root.resolve()
        return self.options

    def files(self, *suffixes):
        """Paths relative to the root of what git knows or would add; in a folder without git, of all files."""
        if self.options.files:
            names = self.options.files
        else:
            git = subprocess.run(["git", "-C", self.root, "ls-files", "-co", "--exclude-standard", "-z"],
                                 capture_output=True, text=True)
            names = git.stdout.split("\0") if git.returncode == 0 else [
                str(path.relative_to(self.root)) for path in self.root.rglob("*")]
        for name in sorted(set(filter(None, names))):
            path = pathlib.PurePosixPath(name)
            real = self.root / path
            if (not suffixes or path.suffix in suffixes or path.name in suffixes) and real.is_file():
                if not real.is_symlink():
                    self.looked_at += 1
                    yield path

    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def find(self, path, line, message):
        self.findings += 1
        print(f"{path}:{line}: {message}" if line else f"{path}: {message}")

    def finish(self, what):
        if self.findings:
            print(f"{what}: {self.findings} findings in {self.looked_at} files")
            sys.exit(1)
        print(f"{what}: {self.looked_at} files, nothing to mend")
        sys.exit(0)


def without_comments_and_strings(text):
    """C++ with the contents of comments, strings and characters blanked; line numbers stay."""
    out, i, end = [], 0, len(text)

    def blank(until):
        nonlocal i
        out.append("".join(c if c == "\n" else " " for c in text[i:until]))
        i = until

    while i < end:
        two = text[i:i + 2]
        if two == "//":
            stop = text.find("\n", i)
            blank(end if stop < 0 else stop)
        elif two == "/*":
            stop = text.find("*/", i + 2)
            blank(end if stop < 0 else stop + 2)
        elif two == 'R"':
            delimiter = text[i + 2:text.index("(", i)]
            stop = text.find(f'){delimiter}"', i)
            blank(end if stop < 0 else stop + len(delimiter) + 2)
        elif text[i] == '"' or (text[i] == "'" and not (i and text[i - 1].isalnum())):
            quote, stop = text[i], i + 1
            while stop < end and text[stop] != quote and text[stop] != "\n":
                stop += 2 if text[stop] == "\\" else 1
            blank(min(stop + 1, end))
        else:
            out.append(text[i])
            i += 1
    return "".join(out)
