"""Cells of CSV files that no spreadsheet computes, whatever the names of files and classes are.

A spreadsheet takes a cell that begins with =, +, -, @ or a control character for a formula, which
may ask other machines. Names come from others: from a downloaded folder, or an upload. A path gets
`./` before it and names the same file as before; another text gets an apostrophe, which `text_of`
takes away. Numbers stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FORMULA = re.compile(r"[=+\-@\x00-\x1f\x7f]")
# With the apostrophes before it, so that a text that has one already can be told from a made one.
_TAKEN = re.compile(rf"'*{_FORMULA.pattern}")
_MADE = re.compile(rf"'+{_FORMULA.pattern}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def text_cell(text: str) -> str:
    """`text` as a cell: an apostrophe before what a spreadsheet would compute."""
    return f"'{text}" if _TAKEN.match(text) and not _NUMBER.fullmatch(text) else text


def path_cell(path: str) -> str:
    """A path as a cell: the same file by a name that no spreadsheet would compute."""
    return f"./{path}" if _FORMULA.match(path) else path


def row_cells(row: Iterable[object]) -> list[object]:
    """A row whose texts are cells; what is no text is as it was."""
    return [text_cell(each) if isinstance(each, str) else each for each in row]


def text_of(cell: str) -> str:
    """The text that `text_cell` made `cell` of."""
    return cell[1:] if _MADE.match(cell) else cell
