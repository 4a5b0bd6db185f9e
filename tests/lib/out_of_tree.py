# SPDX-License-Identifier: Apache-2.0
"""A plugin built as a stranger builds one: against an installation, outside of the tree."""
from lib.daemon import BUILD
from lib.net import run


class OutOfTree:
    """Installs into folder/prefix, writes the files (texts by path) into folder/my-nodes, builds and tests them."""

    def __init__(self, folder, files):
        self.prefix, self.source = folder / "prefix", folder / "my-nodes"
        run("cmake", "--install", BUILD, "--prefix", self.prefix, timeout=120)
        for path, text in files.items():
            file = self.source / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        run("cmake", "-S", self.source, "-B", self.source / "build", "-G", "Ninja",
            f"-DCMAKE_PREFIX_PATH={self.prefix}", timeout=120)
        self.build()
        tests = run("ctest", "--test-dir", self.source / "build", "--no-tests=error", "--output-on-failure")
        assert "100% tests passed" in tests.stdout

    def build(self, *arguments):
        run("cmake", "--build", self.source / "build", *arguments, timeout=300)

    def plugin(self, name):
        return next((self.source / "build").rglob(f"{name}.so"))
