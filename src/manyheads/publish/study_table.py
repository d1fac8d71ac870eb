"""The rows of a study as one table, for trackers whose every run is a process of its own."""

from __future__ import annotations

from typing import Any

from manyheads.publish.publication import CURVES, Publication, PublishedRow

RUNS = CURVES
"""Rows that are runs of their own there, the best; the table has all."""


def table_of(publication: Publication) -> tuple[list[str], list[list[Any]]]:
    """The names of the columns, and a line for each row; None where there is no value."""
    rows = publication.rows
    parameters = [*dict.fromkeys(name for row in rows for name in row.parameters)]
    metrics = [*dict.fromkeys(name for row in rows for name in row.metrics)]
    columns = ["candidate", "state", *parameters, *metrics]
    lines = [
        [
            row.number, row.state,
            *(row.parameters.get(name) for name in parameters),
            *(row.metrics.get(name) for name in metrics),
        ]
        for row in rows
    ]  # fmt: skip
    return columns, lines


def curve_points(row: PublishedRow) -> list[dict[str, float]]:
    """The curves of a row by epoch, from the first: a value for each that goes so far."""
    longest = max(map(len, row.curves.values()), default=0)
    return [
        {name: curve[place] for name, curve in row.curves.items() if place < len(curve)}
        for place in range(longest)
    ]


def only_the_table(publication: Publication, title: str) -> tuple[str, ...]:
    """What to say where not all rows are runs."""
    if len(publication.rows) <= RUNS:
        return ()
    return (f"{title} has runs of the best {RUNS} rows; its table candidates has all.",)
