"""Panels as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from manyheads.report.chart import MARKS, line_chart
from manyheads.report.panel import Panel, Series


def chart(*curves: tuple[str, Sequence[float]], height: int, width: int) -> list[str]:
    """The lines of a chart of curves over their epochs."""
    series = tuple(
        Series(name=name, x=np.arange(1.0, len(values) + 1), y=np.array(values))
        for name, values in curves
    )
    panel = Panel(title="t", x_label="epoch", y_label="y", series=series, description="d")
    return line_chart(panel, height=height, width=width).splitlines()


def test_a_constant_curve_has_one_height() -> None:
    lines = chart(("still", [0.5] * 4), height=5, width=10)
    assert next(line for line in lines if "●" in line).endswith("┤" + "●" * 10)


@pytest.mark.parametrize("count", [1, 2, 30, 200])
def test_a_chart_has_its_height_width_ticks_and_legend(count: int) -> None:
    curves = [(f"droprate {n}", [n + i / count for i in range(count)]) for n in range(4)]
    lines = chart(*curves, height=7, width=40)
    assert len(lines) == 7 + 3
    assert max(len(line.partition("┤")[2]) for line in lines) <= 40
    assert float(lines[0].split()[0]) == pytest.approx(3 + (count - 1) / count, abs=1e-3)
    assert float(lines[6].split()[0]) == pytest.approx(0, abs=1e-3)
    assert lines[-2].split() == ["1", str(count)]
    for mark, (name, _) in zip(MARKS, curves, strict=False):
        assert f"{mark} {name}" in lines[-1]
        assert any(mark in line for line in lines[:7])


def test_a_rising_curve_rises() -> None:
    rows = chart(("up", [1.0, 2.0, 3.0]), height=3, width=3)[:3]
    assert [row.partition("┤")[2].find("●") for row in rows] == [2, 1, 0]


def test_a_curve_that_ends_early_ends_early() -> None:
    rows = chart(("long", [0.0] * 5), ("short", [1.0] * 3), height=2, width=5)[:2]
    assert [row.partition("┤")[2] for row in rows] == ["○○○", "●●●●●"]
