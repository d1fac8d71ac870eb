"""What is printed, made fit for the stream that it goes to: no character ends a command.

A console or file in cp1252 or ASCII has no `±`, `…` or `ł`, nor class names in other scripts. Signs
get a spelling of their own, all else its escape. Files are not concerned: they are UTF-8.
"""

from __future__ import annotations

import codecs
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

_HANDLER = "manyheads.spelled"
_SPELLED = {
    "±": "+-", "×": "x", "…": "...", "–": "-", "—": "-", "−": "-", "·": "-", "→": "->",
    "←": "<-", "≥": ">=", "≤": "<=", "≠": "!=", "≈": "~", "²": "^2", "√": "sqrt ", "∞": "inf",
    "“": '"', "”": '"', "‘": "'", "’": "'", "□": "?", "•": "*",
    # What charts, tables and bars of progress are drawn with.
    "─": "-", "━": "-", "╸": "-", "╺": "-", "│": "|", "┤": "|", "├": "|", "└": "+", "┼": "+",
    "●": "*", "○": "o", "◆": "#", "◇": "x", "■": "%", "▲": "^", "△": "~",
    "▁": "_", "▂": "_", "▃": ".", "▄": "-", "▅": "=", "▆": "+", "▇": "*", "█": "#",
}  # fmt: skip
_USUAL = ("strict", "surrogateescape", "backslashreplace")  # what Python chooses by itself


def make_printable(*streams: TextIO | None) -> None:
    """Let `streams` print any text: what their encoding lacks is spelled in ASCII.

    A way of handling errors that the user has set (`PYTHONIOENCODING=ascii:replace`) stays.
    """
    codecs.register_error(_HANDLER, _spelled)
    for stream in streams:
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None and getattr(stream, "errors", None) in _USUAL:
            reconfigure(errors=_HANDLER)


def is_unicode(stream: TextIO | None) -> bool:
    """Whether the stream's encoding has every character."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        return codecs.lookup(encoding).name.startswith("utf")
    except LookupError:
        return False


def printable(text: str, stream: TextIO | None) -> str:
    """The text as it appears on the stream, so that its width can be told."""
    if is_unicode(stream):
        return text
    encoding, errors = getattr(stream, "encoding", "ascii"), getattr(stream, "errors", _HANDLER)
    return text.encode(encoding, errors).decode(encoding, "replace")


def in_words(line: str, stream: TextIO | None) -> str:
    """A line for the stream: in a terminal broken between words, not in them; else as it is."""
    if stream is None or not stream.isatty():
        return line
    line = printable(line, stream)
    width = shutil.get_terminal_size().columns
    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)


class Refused(OSError):
    """stdout takes nothing more: its reader is gone, or its disk is full."""


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Within this, stdout raises `Refused` where it fails, and stderr never fails.

    What is told on stderr is not worth ending the work for: whatever cannot be told is dropped.
    """
    before = sys.stdout, sys.stderr
    out: Any = sys.stdout if sys.stdout is None else _Raising(sys.stdout)
    err: Any = sys.stderr if sys.stderr is None else _Forgiving(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        if sys.stdout is out:
            sys.stdout = before[0]
        if sys.stderr is err:
            sys.stderr = before[1]


def refusal() -> Refused | None:
    """Why what was printed on stdout has not reached its reader, if it has not."""
    out: Any = sys.stdout
    if out is None:
        return None
    try:
        out.flush()
    except Refused as error:
        return error
    return getattr(out, "refused", None)  # argparse says nothing of it


class _Guard:
    """A stream with another way of failing; all but writing is the stream's own."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: Any) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._failed(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:  # noqa: ARG002 - for those that tell it
        # Otherwise Python would complain at its end about what is still waiting to be written.
        _lead_nowhere(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Forgiving(_Guard):
    pass


class _Raising(_Guard):
    refused: Refused | None = None

    @property
    def buffer(self) -> _Raising:
        return _Raising(self._stream.buffer)

    def _failed(self, error: OSError) -> None:
        super()._failed(error)
        self.refused = Refused(error.errno, error.strerror)
        raise self.refused from error


def _lead_nowhere(stream: Any) -> None:
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _spelled(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    if all("\udc80" <= letter <= "\udcff" for letter in lost):
        # Bytes of a file's name that are no text: they go out as they came in.
        return bytes(ord(letter) - 0xDC00 for letter in lost), error.end
    return "".join(map(_spelling, lost)), error.end


def _spelling(letter: str) -> str:
    if letter in _SPELLED:
        return _SPELLED[letter]
    if unicodedata.category(letter) == "Zs":
        return " "
    return letter.encode("ascii", "backslashreplace").decode()
