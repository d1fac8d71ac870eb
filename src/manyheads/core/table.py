"""A table as plain values: built once, shown in a terminal, on a page and as plain text.

`cli.narrow.print_table` shows it in as many columns as a terminal has, the templates of `report`
draw it as HTML; where neither is, `as_text` writes it, as in `repr`, and `as_html` for notebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple


class TableColumn(NamedTuple):
    """A column by its title, which may have several lines.

    Cells of `words` are at the left and may be folded, those of a `phrase` stay whole; so do
    `number`s, which are at the right.
    A column that is a `key` says what a row is about, so it is repeated in every block of a table
    that is too wide for its terminal.
    """

    title: str
    kind: Literal["words", "phrase", "number"] = "number"
    key: bool = False

    @property
    def heading(self) -> str:
        """The title on one line, as a page has it."""
        return self.title.replace("_\n", "_").replace("\n", " ").strip()


def names(*titles: str) -> list[TableColumn]:
    """Columns of words that say what a row is about."""
    return [TableColumn(title, "words", key=True) for title in titles]


def words(*titles: str) -> list[TableColumn]:
    """Columns of words."""
    return [TableColumn(title, "words") for title in titles]


def phrases(*titles: str) -> list[TableColumn]:
    """Columns of words that stay on one line."""
    return [TableColumn(title, "phrase") for title in titles]


def numbers(*titles: str) -> list[TableColumn]:
    """Columns of numbers."""
    return [TableColumn(title) for title in titles]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells, which are text already, and `totals`, rows under a rule.

    A table that is `grouped` has a rule between rows whose first cells differ.
    """

    columns: Sequence[TableColumn]
    rows: Sequence[tuple[str, ...]]
    totals: Sequence[tuple[str, ...]] = ()
    caption: str = ""
    grouped: bool = False


def as_text(table: Table) -> str:
    """The table in lines of one width, without its caption."""
    titles = [each.title.split("\n") for each in table.columns]
    height = max(map(len, titles))
    head = zip(*([""] * (height - len(each)) + each for each in titles), strict=True)
    cells = [*head, *table.rows, *table.totals]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column.kind == "number" else cell.ljust(width)
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        ).rstrip()
        for row in cells
    )


def as_html(table: Table) -> str:
    """The table as HTML that a notebook shows, with every cell escaped."""

    def row(cells: Sequence[str], tag: str) -> str:
        kinds = [column.kind for column in table.columns]
        aligned = [
            f'<{tag} style="text-align: {"right" if kind == "number" else "left"}">'
            f"{escape(cell)}</{tag}>"
            for cell, kind in zip(cells, kinds, strict=True)
        ]
        return f"<tr>{''.join(aligned)}</tr>"

    head = row([column.heading for column in table.columns], "th")
    body = "".join(row(cells, "td") for cells in (*table.rows, *table.totals))
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>"
