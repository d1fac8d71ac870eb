"""Tables and lines in as many columns as a terminal has: nothing is cut off or broken in a word.

A table that is too wide is shown in blocks, one under the other, each with the columns that name
its rows. Where not even one other column has room beside these, each row is a list of its cells.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from manyheads.cli.parser import with_flags

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Column, Table

PIPE_WIDTH = 160  # columns where no terminal is
_LINES = 4  # that a cell of words may take
_LABEL = re.compile(r"(?:\S.{0,9}?)?\s{2,}(?=\S)")


def console_of() -> Console:
    """What prints to stdout: as wide as the terminal, or `PIPE_WIDTH`."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def parts(table: Table, console: Console, names: int, marks: int = 0) -> list[Table] | None:
    """The table, or blocks of its columns that fit; None if not even one has room.

    The first `names` and the last `marks` columns are in each block.
    """
    columns = table.columns
    last = len(columns) - marks
    fixed: list[int] = [*range(names), *range(last, len(columns))]
    if _widths(table, range(len(columns)), console) is not None:
        return [_block(table, range(len(columns)), console)]
    blocks: list[list[int]] = []
    for place in range(names, last):
        block = blocks[-1] if blocks else []
        wider = sorted([*fixed, *block, place])
        if blocks and _widths(table, wider, console) is not None:
            blocks[-1].append(place)
        elif _widths(table, sorted([*fixed, place]), console) is not None:
            blocks.append([place])
        else:
            return None
    return [_block(table, sorted([*fixed, *block]), console) for block in blocks]


def print_table(table: Table, *, names: int = 1, marks: int = 0) -> None:
    """Print a table in as many columns as there are; see `parts`."""
    console = console_of()
    blocks = parts(table, console, names, marks)
    for number, block in enumerate(blocks or []):
        _print(console, block, first=not number)
    if blocks is None:
        print("\n".join(_records(table, console)))


def wrapped(line: str, width: int) -> list[str]:
    """A line of at most `width` columns each; what follows its label stays behind it.

    A command to copy is left in one piece.
    """
    if len(line) <= width or "  manyheads " in line:
        return [line]
    label = _LABEL.match(line)
    indent = " " * (label.end() if label else 0)
    return textwrap.wrap(
        line, width, subsequent_indent=indent if len(indent) < width // 2 else "",
        break_long_words=False, break_on_hyphens=False, drop_whitespace=True,
    )  # fmt: skip


def print_lines(lines: Sequence[str]) -> None:
    """Print lines with the flags of the running command, in a terminal broken between words."""
    console = console_of()
    for line in map(with_flags, lines):
        print("\n".join(wrapped(line, console.width)) if console.is_terminal and line else line)


def line_width(most: int = 80) -> int:
    """How wide text may be: `most` columns, less in a narrower terminal."""
    console = console_of()
    return min(most, console.width) if console.is_terminal else most


def _print(console: Console, table: Table, *, first: bool) -> None:
    if not first:
        print()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _widths(table: Table, places: Sequence[int], console: Console) -> list[int] | None:
    """Room for each of these columns within the console's; None if there is not enough.

    Only columns of words, at the left, may be narrower than what they hold: they are folded
    between words.
    """
    sizes = [_measured(table.columns[place], console) for place in places]
    padding = _padding(table)
    room = console.width - sum(padding) * (len(sizes) - 1)
    widths = [most for _, most in sizes]
    while sum(widths) > room:
        shrinking = [n for n, (least, _) in enumerate(sizes) if widths[n] > least]
        if not shrinking:
            return None
        widths[max(shrinking, key=lambda n: widths[n])] -= 1
    return widths


def _padding(table: Table) -> tuple[int, int]:
    _, right, _, left = table.padding
    # The box SIMPLE_HEAD draws a blank between columns.
    return left, right + (1 if table.box else 0)


def _measured(column: Column, console: Console) -> tuple[int, int]:
    """The least and the greatest width of a column's cells."""
    from rich.measure import Measurement

    options = console.options.update_width(10_000)
    found = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
    most = max([column.min_width or 0, *(each.maximum for each in found)])
    if column.no_wrap or column.justify == "right":
        return most, most
    longest = max([column.min_width or 0, *(each.minimum for each in found)])
    return max(longest, -(-most // _LINES)), most


def _block(table: Table, places: Sequence[int], console: Console) -> Table:
    """A table of some columns, each as wide as there is room."""
    widths = _widths(table, places, console)
    assert widths is not None
    block = copy(table)
    block.columns = [
        replace(table.columns[place], width=width, _index=number)
        for number, (place, width) in enumerate(zip(places, widths, strict=True))
    ]
    return block


def _records(table: Table, console: Console) -> Iterator[str]:
    """Each row as a list of its cells with the columns' titles."""

    def text(cell: object) -> str:
        from rich.text import Text

        plain = cell if isinstance(cell, Text) else Text.from_markup(str(cell))
        return " ".join(plain.plain.split())

    titles = [text(column.header) for column in table.columns]
    for number in range(len(table.rows)):
        cells = [text(list(column.cells)[number]) for column in table.columns]
        first = True
        for title, cell in zip(titles, cells, strict=True):
            if cell:
                line = f"{'' if first else '  '}{title} {cell}".rstrip()
                yield from textwrap.wrap(
                    line, console.width, subsequent_indent="    ", break_long_words=False
                )
                first = False
