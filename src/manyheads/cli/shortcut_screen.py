"""What `manyheads shortcut` prints of what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyheads.cli.narrow import print_lines, print_table
from manyheads.lesson.shortcut.shortcut_check import Checked
from manyheads.report.shortcut_section import shortcut_tables

if TYPE_CHECKING:
    pass


def print_result(checked: Checked) -> None:
    """Print a table for each measure, the verdict, and where everything lies."""
    for table in shortcut_tables(checked.record):
        print()
        print_table(table)
    print_lines(result_lines(checked))


def result_lines(checked: Checked) -> list[str]:
    """The verdict, a sentence a line, and where everything lies."""
    first, *others = checked.verdict
    return [
        "",
        f"Verdict  {first}",
        *(f"         {sentence}" for sentence in others),
        "",
        f"Picture  {checked.files.picture}",
        f"Table    {checked.files.table}",
        f"Record   {checked.files.record}",
    ]
