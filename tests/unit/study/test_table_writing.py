"""CSV files of values."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from manyheads.study.table_writing import finite, write_table


def test_numbers_are_whole_and_what_there_is_not_is_empty(tmp_path: Path) -> None:
    rows = [(0.1 + 0.2, None, "a, b"), (1, finite(-math.inf), 'say "c"')]
    write_table(tmp_path / "t.csv", ("value", "low", "name"), rows)
    assert (tmp_path / "t.csv").read_bytes() == (
        b'value,low,name\n0.30000000000000004,,"a, b"\n1,,"say ""c"""\n'
    )


@pytest.mark.parametrize("number", [0.0, -1.5, 1e308])
def test_only_infinite_numbers_are_left_out(number: float) -> None:
    assert finite(number) == number
    assert finite(math.inf) is finite(-math.inf) is None
    assert math.isnan(finite(math.nan) or 0)
