"""The measures of a check for shortcuts, and its differences."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.stats.paired import Decided, Margins, decide, measure
from manyheads.stats.shortcut_effects import (
    FAILED,
    EvaluatedImages,
    Measurement,
    PredictedClasses,
    judge,
    measured,
)
from manyheads.stats.variances import Layout
from tests.shortcuts import answers, evaluated

SMALL = EvaluatedImages(np.array([0, 1, 1, 2]), np.arange(4), 1, np.array([0, 3]))


def test_the_three_measures() -> None:
    said = PredictedClasses(np.array([[0, 1, 2, 2]]), np.array([[1, 0]]))
    tables = measured(SMALL, said)
    assert {name: table.tolist() for name, table in tables.items()} == {
        "clean_accuracy": [[1, 1, 0, 1]],
        "recall": [[1, 0]],
        "called": [[1, 0]],
    }


def test_a_failed_head_has_no_score() -> None:
    said = PredictedClasses(
        np.array([[0, 1, 2, 2], [FAILED] * 4]), np.array([[1, 0], [FAILED] * 2])
    )
    for table in measured(SMALL, said).values():
        assert np.isnan(table).tolist() == [[False] * table.shape[1], [True] * table.shape[1]]


class Found:
    """The entries of a judgement by condition, candidate and measure."""

    def __init__(self, margin: float = 0.01, **changes: list[PredictedClasses]) -> None:
        conditions = {
            "control": [answers(0.1), answers(0.1)],
            "marked": [answers(0.7, 0.3), answers(0.2, 0.6)],
            "everywhere": [answers(0.1), answers(0.1)],
        } | changes
        self.entries = judge(evaluated(), conditions, margin)

    def entry(self, condition: str, candidate: int, measure: str) -> Measurement:
        key = condition, candidate, measure
        return next(e for e in self.entries if (e.condition, e.candidate, e.measure) == key)

    def gap(self, condition: str, candidate: int, measure: str) -> Decided:
        gap = self.entry(condition, candidate, measure).gap
        assert gap is not None
        return gap

    def change(self, condition: str, candidate: int, measure: str) -> Decided:
        change = self.entry(condition, candidate, measure).change
        assert change is not None
        return change


def test_the_mark_makes_all_three_measures_worse() -> None:
    found = Found()
    for name, sign in (("called", 1), ("recall", -1), ("clean_accuracy", -1)):
        gap = found.gap("marked", 1, name)
        assert gap.outcome == "worse"
        assert gap.difference * sign > 0.3
        assert gap.adjusted_low < gap.low < gap.difference < gap.high < gap.adjusted_high
        assert not gap.adjusted_low <= 0 <= gap.adjusted_high


def test_values_are_means_over_seeds_and_images() -> None:
    said = answers(0.7, 0.5)
    entry = Found(marked=[said, said]).entry("marked", 1, "called")
    by_seed = (said.marked == 1).mean(axis=1)
    assert (entry.images, entry.seeds) == (60, 4)
    assert entry.value == pytest.approx(by_seed.mean())
    assert entry.deviation == pytest.approx(by_seed.std(ddof=1))


def test_the_control_and_the_first_setting_have_nothing_to_compare_with() -> None:
    found = Found()
    control = found.entry("control", 1, "called")
    assert (control.gap, control.change, control.change_from) == (None, None, "")
    assert found.entry("marked", 1, "called").change is None


def test_a_setting_is_compared_with_the_gap_of_the_first() -> None:
    found = Found()
    change = found.change("marked", 2, "called")
    assert found.entry("marked", 2, "called").change_from == "candidate 1"
    gaps = [found.gap("marked", number, "called").difference for number in (1, 2)]
    assert change.difference == pytest.approx(gaps[1] - gaps[0])
    assert change.outcome == "better"


def test_a_remedy_is_compared_with_the_marked_condition_too() -> None:
    found = Found(margin=0.1)
    change = found.change("everywhere", 1, "called")
    assert found.entry("everywhere", 1, "called").change_from == "marked"
    gaps = [found.gap(condition, 1, "called").difference for condition in ("everywhere", "marked")]
    assert change.difference == pytest.approx(gaps[0] - gaps[1])
    assert change.outcome == "better"
    assert found.gap("everywhere", 1, "called").outcome == "equivalent"


def test_sixty_images_without_a_difference_do_not_show_that_there_is_none_of_a_point() -> None:
    gap = Found().gap("everywhere", 1, "called")
    assert (gap.difference, gap.outcome) == (0, "undecided")
    assert gap.low < -0.01 < 0.01 < gap.high


def test_all_differences_are_one_family() -> None:
    found, images = Found(), evaluated()
    called = [measured(images, each)["called"] for each in (answers(0.7, 0.3), answers(0.1))]
    units = images.marked_units
    layout = Layout.of(units, np.zeros((1, len(units)), np.int64), 1)
    apart = layout.sums((called[1] - called[0])[:, None])
    (alone,) = decide([measure("accuracy", apart, layout)], Margins())
    gap = found.gap("marked", 1, "called")
    assert (gap.p, gap.low, gap.high) == (alone.p, -alone.high, -alone.low)
    assert gap.p_holm >= gap.p
    counted = sum((e.gap is not None) + (e.change is not None) for e in found.entries)
    assert counted == 3 * (2 + 1 + 2 * 2)


def test_heads_that_all_failed_leave_nothing_to_compare() -> None:
    none = PredictedClasses(np.full((4, 120), FAILED), np.full((4, 60), FAILED))
    found = Found(margin=0.1, marked=[none, answers(0.4)])
    entry = found.entry("marked", 1, "called")
    assert (entry.value, entry.gap, entry.seeds) == (None, None, 0)
    assert found.entry("everywhere", 1, "called").change is None
    assert found.gap("everywhere", 1, "called").outcome == "equivalent"


def test_one_seed_has_no_deviation_and_declares_nothing() -> None:
    one = {
        condition: [answers(share, seeds=1)]
        for condition, share in (("control", 0.1), ("marked", 0.9))
    }
    for entry in judge(evaluated(), one, 0.01):
        assert entry.deviation is None
        assert entry.gap is None or entry.gap.outcome == "undecided"


def test_images_of_a_unit_are_no_more_certain_than_one() -> None:
    images, heads = evaluated(), [answers(share) for share in (0.1, 0.5)]
    twice = EvaluatedImages(
        np.repeat(images.labels, 2),
        np.repeat(images.units, 2),
        1,
        np.repeat(images.marked_units, 2),
    )
    doubled = [PredictedClasses(*(np.repeat(each, 2, axis=1) for each in both)) for both in heads]
    for once, double in zip(
        judge(images, {"control": heads[:1], "marked": heads[1:]}, 0.01),
        judge(twice, {"control": doubled[:1], "marked": doubled[1:]}, 0.01),
        strict=True,
    ):
        if once.gap and double.gap:
            assert double.gap.low == pytest.approx(once.gap.low)
