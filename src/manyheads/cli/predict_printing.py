"""Predictions on stdout: a table for people, or rows for programs as they come."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from textwrap import indent

from manyheads.core.text import decimal
from manyheads.models.prediction import Prediction, answer_and_next
from manyheads.models.prediction_rows import RowForm, json_text
from manyheads.models.row_lines import Lines

SHOWN = 40  # rows of a table in a terminal
_BLOCK = 500  # rows that share the widths of columns elsewhere
_NEXT = 2  # classes beside the answer, where none are asked for


class Printer(ABC):
    """Prints predictions, one after the other."""

    @abstractmethod
    def write(self, entry: Prediction, given: str | None = None) -> None:
        """Take the next prediction."""

    def finish(self) -> None:
        """Print what has to come behind the last."""
        sys.stdout.flush()


class LinePrinter(Printer):
    """JSON lines or CSV."""

    def __init__(self, form: RowForm, lines: Lines) -> None:
        self._form, self._lines = form, lines
        _put(lines.header(form))

    def write(self, entry: Prediction, given: str | None = None) -> None:
        _put(self._lines.written(self._form, entry, given))


class ArrayPrinter(Printer):
    """One JSON array."""

    def __init__(self, form: RowForm) -> None:
        self._form, self._before = form, "[\n"

    def write(self, entry: Prediction, given: str | None = None) -> None:
        text = json_text(self._form.document(entry, given), indent=2)
        _put((self._before + indent(text, "  ")).encode())
        self._before = ",\n"

    def finish(self) -> None:
        _put(b"[]\n" if self._before == "[\n" else b"\n]\n")
        super().finish()


class TablePrinter(Printer):
    """A table: in a terminal its first rows, elsewhere all of them, block by block."""

    def __init__(self, form: RowForm) -> None:
        self._form = form
        self._bounded = sys.stdout.isatty()
        self._rows: list[list[str]] = []
        self._widths: list[int] = []
        self._left_out = 0
        self._headed = False

    def write(self, entry: Prediction, given: str | None = None) -> None:
        if self._bounded and len(self._rows) == SHOWN:
            self._left_out += 1
            return
        self._rows.append(self._cells(entry, given))
        if not self._bounded and len(self._rows) == _BLOCK:
            self._print()

    def finish(self) -> None:
        if self._rows:
            self._print()
        if self._left_out:
            print(f"… {self._left_out:,} more; --out FILE.csv keeps all of them")
        super().finish()

    def _print(self) -> None:
        from rich.cells import cell_len

        from manyheads.cli.narrow import print_table
        from manyheads.core.table import Table, TableColumn

        columns = zip(*[self._titles, *self._rows], strict=True)
        widest = [max(map(cell_len, column)) for column in columns]
        before = self._widths or [0] * len(widest)
        self._widths = list(map(max, before, widest))
        right = {"probability", "least sure", "unlike", "95 %", "others"}
        columns = [
            TableColumn(title, "number" if title in right else "words", key=title == "image")
            for title in self._titles
        ]
        table = Table(columns=columns, rows=[tuple(row) for row in self._rows])
        # A terminal folds what it has no room for; elsewhere, blocks are to be aligned.
        widths = () if self._bounded else [min(width, 120) for width in self._widths]
        print_table(table, heading=not self._headed, widths=widths)
        self._rows, self._headed = [], True

    @property
    def _titles(self) -> list[str]:
        optional = ["unlike"] if self._form.unlike else []
        optional += ["95 %", "others"] if self._form.uncertain else []
        given = ["given"] if self._form.given else []
        answer = ["labels", "least sure"] if self._form.several else ["class", "probability"]
        return ["image", *answer, *optional, "next", *given]

    def _cells(self, entry: Prediction, given: str | None) -> list[str]:
        image = entry.image.encode("utf-8", "replace").decode()
        if entry.error is not None:
            between = [""] * (len(self._titles) - 2 - self._form.given)
            found = [image, *between, f"unreadable: {entry.error}"]
        else:
            count = _NEXT if self._form.top is None else self._form.top - 1
            answer, order = answer_and_next(entry, count + 1)
            others = ", ".join(f"{name} {value:.3f}" for name, value in order)
            sure = [decimal(entry.unlike)] if self._form.unlike else []
            sure += _sureness(entry) if self._form.uncertain else []
            found = [image, answer, f"{entry.confidence:.3f}", *sure, others]
        return [*found, given or ""] if self._form.given else found


def _sureness(entry: Prediction) -> list[str]:
    sure = entry.uncertainty
    return [] if sure is None else [f"{sure.low:.3f}–{sure.high:.3f}", f"{sure.others:.0%}"]


def _put(data: bytes) -> None:
    # As bytes, because names of files may be no text; at once, because a reader may be waiting.
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
