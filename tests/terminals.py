"""Commands in a terminal of their own, and what is on its screen in the end."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

_PIECES = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|\x1b\][^\a]*\a|[\s\S]")
_TIMEOUT = 240.0  # seconds
_ROWS = 50
# Makes the pseudo-terminal the one that Ctrl-C comes from, then becomes Python with its arguments.
# Not a `preexec_fn`: that forks, of which JAX warns once it is loaded in the process of the tests.
_AT_ITS_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@dataclass
class Screen:
    """A terminal that knows what progress is drawn with; rows that scroll away are kept.

    `wrapped` are the rows that had no room for what was written to them.
    """

    width: int
    rows: list[list[str]] = field(default_factory=lambda: [[]])
    wrapped: list[str] = field(default_factory=list)
    row: int = 0
    column: int = 0

    def write(self, text: str) -> Screen:
        """Show `text`, and obey what controls the cursor in it."""
        for piece in _PIECES.findall(text):
            if piece == "\r":
                self.column = 0
            elif piece == "\n":
                self._down()
            elif len(piece) == 1:
                self._put(piece)
            elif piece.endswith("A"):
                self.row = max(0, self.row - int(piece[2:-1] or 1))
            elif piece == "\x1b[2K":
                self.rows[self.row] = []
        return self

    @property
    def lines(self) -> list[str]:
        """What is there to be read."""
        return ["".join(row).rstrip() for row in self.rows]

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])

    def _put(self, letter: str) -> None:
        if self.column == self.width:
            self.wrapped.append("".join(self.rows[self.row]))
            self._down()
            self.column = 0
        row = self.rows[self.row]
        row.extend(" " * (self.column + 1 - len(row)))
        row[self.column] = letter
        self.column += 1


@dataclass(frozen=True)
class Session:
    """A command that ran in a terminal: its exit code, all that it wrote, and what is left."""

    code: int
    text: str
    screen: Screen


def run_in_terminal(
    arguments: Sequence[object],
    folder: Path,
    width: int,
    *,
    environment: Mapping[str, str] = MappingProxyType({}),
    interrupt_at: str = "",
) -> Session:
    """Run `manyheads` in a pseudo-terminal, and press Ctrl-C once it has written `interrupt_at`."""
    import fcntl
    import pty
    import termios

    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, width, 0, 0))
    usual = {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    cleared = {name: value for name, value in os.environ.items()
               if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", _AT_ITS_TERMINAL, "-m", "manyheads", *map(str, arguments)],
        stdin=its, stdout=its, stderr=its, cwd=folder, start_new_session=True,
        env={**cleared, **usual, **environment},
    )  # fmt: skip
    os.close(its)
    written, until = bytearray(), time.monotonic() + _TIMEOUT
    try:
        while block := _read(ours):
            written += block
            if interrupt_at and interrupt_at.encode() in written:
                os.write(ours, b"\x03")
                interrupt_at = ""
            assert time.monotonic() < until, written[-500:]
        code = process.wait(_TIMEOUT)
    finally:
        process.kill()
        os.close(ours)
    encoding = {**usual, **environment}["PYTHONIOENCODING"]
    text = written.decode(encoding)
    return Session(code, text, Screen(width).write(text))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the command has ended
        return b""
