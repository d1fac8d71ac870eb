"""Commands as the plain user of a container: no home, and nothing that can be written but /tmp."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

import manyheads
from tests.processes import ROOT


class PlainUser:
    """Runs commands of manyheads as a user who may write only below the folder `free`."""

    def __init__(self, place: Path) -> None:
        self.free = place / "free"
        self.free.mkdir()
        self.home = place / "home"
        self.home.mkdir()
        # A copy, because the package that is tested may lie where its files can be written.
        self.packages = place / "packages"
        self.packages.mkdir()
        source = Path(manyheads.__file__).parent
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, self.packages / "manyheads", ignore=ignored)

    def run(
        self, *arguments: object, code: int = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """A command, which ends with the exit `code`; its temporary files go to `free`."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_CHANGED)}
        done = subprocess.run(
            [*prefix(), sys.executable, "-m", "manyheads.cli.main", *map(str, arguments)],
            env=kept | {
                "HOME": str(self.home),
                "PYTHONPATH": str(self.packages),
                "PYTHONDONTWRITEBYTECODE": "1",
                "TMPDIR": str(self.free),
            } | environment,
            cwd=self.free, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == code, done.stderr[-3000:] + done.stdout[-1000:]
        assert "Traceback" not in done.stderr
        return done

    def may_write(self, folder: Path) -> bool:
        """Whether this user can make a file in `folder`."""
        program = "import sys, pathlib; pathlib.Path(sys.argv[1], '.probe').touch()"
        done = subprocess.run(
            [*prefix(), sys.executable, "-c", program, str(folder)], capture_output=True
        )
        return done.returncode == 0


_CHANGED = ("MANYHEADS_", "KERAS_", "MPLCONFIGDIR", "NUMBA_", "XDG_", "HOME", "TMPDIR", "PYTHON")


@cache
def prefix() -> tuple[str, ...]:
    """What a command begins with to be a plain user's; skips where there is no way to be one."""
    if not hasattr(os, "getuid"):
        pytest.skip("this system has no users of this kind")
    if os.getuid():
        return ()  # we are one
    for way in (
        ("--reuid=65534", "--regid=65534", "--clear-groups"),
        ("--bounding-set=-all", "--inh-caps=-all"),  # no other user, but none that may do all
    ):
        with_it = ("setpriv", "--no-new-privs", *way)
        # In a child of its own, for setpriv itself may still do all.
        probe = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-V']))"
        program = [*with_it, sys.executable, "-c", probe]
        try:
            if subprocess.run(program, capture_output=True, cwd=ROOT).returncode == 0:
                return with_it
        except OSError:
            break
    pytest.skip("setpriv is missing, or lets root be no plain user here")


@contextmanager
def read_only(*folders: Path) -> Iterator[None]:
    """All that lies in `folders` cannot be written."""
    before = {path: path.stat().st_mode for folder in folders for path in _all(folder)}
    for path, mode in before.items():
        path.chmod(stat.S_IMODE(mode) & ~0o222 | (0o555 if path.is_dir() else 0o444))
    try:
        yield
    finally:
        for path, mode in before.items():
            if path.exists():
                path.chmod(stat.S_IMODE(mode))


def _all(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]
