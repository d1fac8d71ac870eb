"""The distribution that decides, against the ones it is made of."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import stdtrit

from manyheads.stats.behrens_fisher import half_width, p_value, student_p

MANY = np.asarray(1e9)


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


@pytest.mark.parametrize("df", [1, 2, 4, 19, 300, 5000])
@pytest.mark.parametrize("p", [0.5, 0.05, 1e-4])
def test_without_images_it_is_students_t(df: int, p: float) -> None:
    size = stdtrit(df, 1 - p / 2)
    found = p_value(column(size), column(0.0), column(1.0), MANY, column(df))
    assert found[0] == pytest.approx(p, rel=1e-4)


def test_without_heads_it_is_students_t_of_the_images() -> None:
    found = p_value(column(2.262), column(1.0), column(0.0), column(9), column(3))
    assert found[0] == pytest.approx(0.05, abs=1e-4)


def test_it_is_the_sum_of_a_normal_and_a_t() -> None:
    random = np.random.default_rng(0)
    drawn = np.sqrt(0.7) * random.normal(size=400_000) + np.sqrt(0.3) * random.standard_t(
        2, 400_000
    )
    found = p_value(column(2.5), column(0.7), column(0.3), MANY, column(2))
    assert found[0] == pytest.approx(np.mean(np.abs(drawn) > 2.5), rel=0.02)


def test_the_interval_is_where_p_is_5_percent() -> None:
    parts = (
        column(1, 0.5, 0, 2),
        column(0, 0.5, 3, 1e-9),
        column(340, 20, 9, 5),
        column(1, 2, 4, 19),
    )
    assert p_value(half_width(*parts, level=0.95), *parts) == pytest.approx(0.05, rel=1e-3)


def test_each_may_have_a_level_of_its_own() -> None:
    parts = column(1, 0.5, 0.2), column(0.1, 0.5, 3), column(340, 20, 9), column(4, 2, 4)
    levels = column(0.5, 0.95, 0.9999)
    widths = half_width(*parts, level=levels)
    for place, level in enumerate(levels):
        alone = half_width(*(part[[place]] for part in parts), level=float(level))
        assert widths[place] == pytest.approx(alone[0], rel=1e-12)
    p = p_value(widths, *parts)
    assert p == pytest.approx(1 - levels, rel=1e-2)
    assert (p <= 1 - levels).all()  # never narrower than the level says


def test_what_never_varies_is_certain() -> None:
    nothing = column(0.0, 0.0)
    assert p_value(column(0.0, 0.1), nothing, nothing, MANY, column(1, 1)).tolist() == [1, 0]
    assert student_p(column(0.0, 0.1), nothing, column(1, 1)).tolist() == [1, 0]
    assert half_width(nothing, nothing, MANY, column(1, 1), 0.95).tolist() == [0, 0]


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
@pytest.mark.parametrize("level", [0.05, 1e-3])
@pytest.mark.parametrize("images", [0.0, 1.0])
@pytest.mark.parametrize("of_seeds", [0.0, 10.0])
def test_it_keeps_its_level_whatever_the_parts_are(
    seeds: int, level: float, images: float, of_seeds: float
) -> None:
    """Given the parts, a difference is normal: the chance of a p below the level is exact."""
    random, count = np.random.default_rng(5), 1000
    heads = (of_seeds + 1) * random.chisquare(seeds - 1, count) / (seeds - 1)
    variance = np.maximum(images + heads, images + 1)
    half = half_width(variance - heads, heads, MANY, column(seeds - 1), 1 - level)
    true = np.sqrt(images + of_seeds + 1)
    beyond = student_p(half, np.asarray(true), MANY)
    error = beyond.std() / np.sqrt(count)
    assert beyond.mean() <= level * 1.08 + 4 * error
