"""The candidates of a grid in parallel coordinates: which are drawn, and where."""

from __future__ import annotations

import pytest

from manyheads.findings.parallel_scores import LINES, parallel_scores
from manyheads.study.space import Grid
from tests.unit.findings.test_scores_by_setting import findings


def test_a_line_has_the_places_of_its_values_and_the_selected_is_last() -> None:
    grid = Grid((0.01, 0.001), (4,), (0.5, 0.0, 0.2))
    given = findings(grid, selected=2)
    found = parallel_scores(given)
    assert found is not None
    assert found.hyperparameters == ("learning_rate", "droprate")
    assert found.values == (("0.001", "0.01"), ("0", "0.2", "0.5"))
    assert found.candidates == len(found.lines) == 6
    assert [line.selected for line in found.lines] == [False] * 5 + [True]
    last = found.lines[-1]
    assert last.name == "learning_rate 0.01, droprate 0"
    assert last.places == (1, 0)
    assert last.score == pytest.approx(given.validated.scores(2, "accuracy").mean())
    others = [line.score for line in found.lines[:-1]]
    assert others == sorted(others)


@pytest.mark.parametrize(
    ("grid", "without"),
    [
        (Grid((0.01,), (4,), tuple(n / 10 for n in range(8))), ()),
        (Grid((0.01, 0.001), (4,), (0.5, 0.0, 0.2)), (3,)),
    ],
)
def test_what_a_table_shows_better_is_not_drawn(grid: Grid, without: tuple[int, ...]) -> None:
    assert parallel_scores(findings(grid, without=without)) is None


def test_of_many_candidates_some_of_every_rank_are_drawn() -> None:
    grid = Grid(tuple(0.001 * n for n in range(1, 21)), (4,), tuple(n / 20 for n in range(15)))
    given = findings(grid, selected=150, seeds=1)
    found = parallel_scores(given)
    assert found is not None
    assert found.candidates == 300
    assert LINES <= len(found.lines) <= LINES + 1
    scores = [given.differences.mean(each, "accuracy") for each in range(1, 301)]
    drawn = [line.score for line in found.lines]
    assert (min(drawn), max(drawn)) == (min(scores), max(scores))
    assert found.lines[-1].selected
