"""Tables and lines in as many columns as a terminal has: nothing is cut off or broken in a word.

A table that is too wide is shown in blocks, one under the other, each with the columns that name
its rows. Where not even one other column has room beside these, each row is a list of its cells.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from manyheads.cli.output import printable
from manyheads.cli.parser import with_flags
from manyheads.core.table import Table

if TYPE_CHECKING:
    import rich.table
    from rich.console import Console

PIPE_WIDTH = 160  # columns where no terminal is
_LINES = 4  # that a cell of words may take
_LONG = 10  # letters of a title or a cell that are not folded
_GAPS = (3, 2, 1)  # blanks between columns, as there is room
# What stands in front of a line: a label and blanks (one blank behind those of ten letters), or a
# dash.
_LABEL = re.compile(r"(?:\S.{0,9}?)?\s{2,}(?=\S)|(?:Conditions|Confidence|Evaluation) (?=\S)|- ")


def console_of() -> Console:
    """What prints to stdout: as wide as the terminal, or `PIPE_WIDTH`."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def print_table(table: Table, *, heading: bool = True, widths: Sequence[int] = ()) -> None:
    """Print a table under its caption, in as many columns as there are.

    One that goes on from a table printed before leaves out the `heading`, and its columns are at
    least as wide as `widths`.
    """
    if table.caption:
        print_lines([table.caption])
    console = console_of()
    blocks = fitting(table, heading=heading, widths=widths)
    for number, block in enumerate(blocks):
        _print(console, block, first=not number)
    if not blocks:
        print("\n".join(_records(table)))


def fitting(
    table: Table, *, heading: bool = True, widths: Sequence[int] = ()
) -> list[rich.table.Table]:
    """The table in as few blocks as possible, and these as loose as there is room for.

    Every block has the columns that are keys. Empty where not even one other column has room
    beside these.
    """
    console = console_of()
    fixed = [place for place, column in enumerate(table.columns) if column.key]
    found = [_parts(_drawn(table, gap, heading, widths), console, fixed) for gap in _GAPS]
    return min(filter(None, found), key=len, default=[])


def _parts(
    table: rich.table.Table, console: Console, fixed: Sequence[int]
) -> list[rich.table.Table] | None:
    """The table, or blocks of its columns that fit, each with the `fixed` ones; None if none do."""
    if _widths(table, range(len(table.columns)), console) is not None:
        return [_block(table, range(len(table.columns)), console)]
    blocks: list[list[int]] = []
    for place in range(len(table.columns)):
        if place in fixed:
            continue
        wider = sorted([*fixed, *(blocks[-1] if blocks else ()), place])
        if blocks and _widths(table, wider, console) is not None:
            blocks[-1].append(place)
        elif _widths(table, sorted([*fixed, place]), console) is not None:
            blocks.append([place])
        else:
            return None
    return [_block(table, sorted([*fixed, *block]), console) for block in blocks] or None


def _drawn(table: Table, gap: int, heading: bool, widths: Sequence[int]) -> rich.table.Table:
    """The table with some blanks between columns; with a single one, denser in its cells too."""
    from rich import box
    from rich.table import Table as Drawn
    from rich.text import Text

    # The box draws one blank between columns; the rest is padding on their right and left.
    drawn = Drawn(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, gap // 2, 0, gap // 3),
        show_header=heading,
    )
    written = [*table.rows, *table.totals]
    for place, (name, kind, _) in enumerate(table.columns):
        title = printable(name, sys.stdout)
        long = gap == 1 and any(len(line) > _LONG for line in title.split("\n"))
        short = max([len(row[place]) for row in written], default=0) <= _LONG
        drawn.add_column(
            Text(title.replace("_", "_\n") if long and "\n" not in title else title),
            justify="right" if kind == "number" else "left",
            no_wrap=kind != "words" or short,
            min_width=widths[place] if widths else None,
        )
    for number, row in enumerate(written):
        apart = table.grouped and number and row[0] != written[number - 1][0]
        if apart or (number and number == len(table.rows)):
            drawn.add_section()
        cells = (cell.replace(" ± ", "±") if gap == 1 else cell for cell in row)
        drawn.add_row(*(Text(printable(cell, sys.stdout)) for cell in cells))
    return drawn


def wrapped(line: str, width: int) -> list[str]:
    """A line of at most `width` columns each; what follows its label stays behind it.

    A command to copy is left in one piece, behind a colon on a line of its own.
    """
    if len(line) <= width or "  manyheads " in line:
        return [line]
    label = _LABEL.match(line)
    words, colon, command = line.partition(": manyheads ")
    if colon:
        indent = " " * (label.end() if label else 2)
        return [*wrapped(f"{words}:", width), f"{indent}manyheads {command}"]
    indent = " " * (label.end() if label else 0)
    return textwrap.wrap(
        line, width, subsequent_indent=indent if len(indent) < width // 2 else "",
        break_long_words=False, break_on_hyphens=False, drop_whitespace=True,
    )  # fmt: skip


def print_lines(lines: Sequence[str]) -> None:
    """Print lines with the flags of the running command, in a terminal broken between words."""
    console = console_of()
    for line in lines:
        line = printable(with_flags(line), sys.stdout)
        print("\n".join(wrapped(line, console.width)) if console.is_terminal and line else line)


def line_width(most: int = 80) -> int:
    """How wide text may be: `most` columns, less in a narrower terminal."""
    console = console_of()
    return min(most, console.width) if console.is_terminal else most


def _print(console: Console, table: rich.table.Table, *, first: bool) -> None:
    if not first:
        print()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _widths(table: rich.table.Table, places: Sequence[int], console: Console) -> list[int] | None:
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


def _padding(table: rich.table.Table) -> tuple[int, int]:
    _, right, _, left = table.padding
    # The box SIMPLE_HEAD draws a blank between columns.
    return left, right + (1 if table.box else 0)


def _measured(column: rich.table.Column, console: Console) -> tuple[int, int]:
    """The least and the greatest width of a column's cells."""
    from rich.measure import Measurement

    options = console.options.update_width(10_000)
    found = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
    most = max([column.min_width or 0, *(each.maximum for each in found)])
    if column.no_wrap or column.justify == "right":
        return most, most
    longest = max([column.min_width or 0, *(each.minimum for each in found)])
    return max(longest, -(-most // _LINES)), most


def _block(table: rich.table.Table, places: Sequence[int], console: Console) -> rich.table.Table:
    """A table of some columns, each as wide as there is room."""
    widths = _widths(table, places, console)
    assert widths is not None
    block = copy(table)
    block.columns = [
        replace(table.columns[place], width=width, _index=number)
        for number, (place, width) in enumerate(zip(places, widths, strict=True))
    ]
    return block


def _records(table: Table) -> Iterator[str]:
    """Each row as a list of its cells with the columns' titles."""
    width = console_of().width
    for row in (*table.rows, *table.totals):
        first = True
        for column, cell in zip(table.columns, row, strict=True):
            if cell:
                title = " ".join(column.title.split())
                yield from textwrap.wrap(
                    f"{'' if first else '  '}{title} {' '.join(cell.split())}".rstrip(),
                    width, subsequent_indent="    ",
                    break_long_words=False, break_on_hyphens=False,
                )  # fmt: skip
                first = False
