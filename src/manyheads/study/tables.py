"""Tidy tables as CSV files, whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from manyheads.heads.head import Hyperparameters
from manyheads.places import atomic_path
from manyheads.study.space import HYPERPARAMETERS


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write `rows` under `columns`; what is None is an empty cell."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def values_of(setting: Hyperparameters) -> tuple[float, ...]:
    """The values of a setting, in the order of the columns."""
    return tuple(getattr(setting, name) for name in HYPERPARAMETERS)
