"""Curves as text."""

from __future__ import annotations

import pytest

from manyheads.report.chart import MARKS, line_chart, sparkline


def test_a_sparkline_goes_from_the_lowest_bar_to_the_highest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 0, 7) == "▁▂▃▄▅▆▇█"
    assert sparkline([-9, 9], 0, 7) == "▁█"
    assert sparkline([], 0, 1) == ""


def test_a_constant_curve_has_one_height() -> None:
    assert sparkline([0.5] * 3, 0.5, 0.5) == "▁▁▁"
    lines = line_chart([("still", [0.5] * 4)], height=5, width=10).splitlines()
    assert next(line for line in lines if "●" in line).endswith("┤" + "●" * 10)


@pytest.mark.parametrize("count", [1, 2, 30, 200])
def test_a_chart_has_its_height_width_ticks_and_legend(count: int) -> None:
    curves = [(f"droprate {n}", [n + i / count for i in range(count)]) for n in range(4)]
    lines = line_chart(curves, height=7, width=40).splitlines()
    assert len(lines) == 7 + 3
    assert max(len(line.partition("┤")[2]) for line in lines) <= 40
    assert float(lines[0].split()[0]) == pytest.approx(3 + (count - 1) / count, abs=1e-3)
    assert float(lines[6].split()[0]) == pytest.approx(0, abs=1e-3)
    assert lines[-2].split() == ["1", str(count)]
    for mark, (name, _) in zip(MARKS, curves, strict=False):
        assert f"{mark} {name}" in lines[-1]
        assert any(mark in line for line in lines[:7])


def test_a_rising_curve_rises() -> None:
    rows = line_chart([("up", [1.0, 2.0, 3.0])], height=3, width=3).splitlines()[:3]
    assert [row.partition("┤")[2].find("●") for row in rows] == [2, 1, 0]
