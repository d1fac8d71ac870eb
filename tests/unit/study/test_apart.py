"""The ± of a study in folds is between seeds and repeats, not between folds."""

from __future__ import annotations

import pytest

from manyheads.heads.bank import Metrics
from manyheads.study.select import Outcome, summarise
from manyheads.study.space import Trial

HARD = (0.9, 0.6)  # two folds, one of them hard for everyone


def outcomes(*seeds: float, repeats: int = 1) -> list[Outcome]:
    """Trials of one epoch; each seed is so much better than the fold alone."""
    return [
        Outcome(
            Trial(number=1, candidate=1, seed=seed, fold=2 * repeat + fold), 1,
            [Metrics(0.5, 1.0, HARD[fold] + better + 0.1 * repeat, 0.5)],
        )
        for seed, better in enumerate(seeds)
        for repeat in range(repeats)
        for fold in range(2)
    ]  # fmt: skip


def test_what_folds_share_has_no_part_in_it() -> None:
    result = summarise(1, "best_accuracy", outcomes(0.0, 0.02), 0, 1, folds=2)
    spread = result.apart["peak_val_accuracy"]
    assert spread.mean == pytest.approx(0.76)
    assert spread.deviation == pytest.approx(0.02 / 2**0.5)
    assert result.measures["peak_val_accuracy"].deviation == pytest.approx(0.1736, abs=1e-3)


def test_repeats_count_as_seeds_do() -> None:
    result = summarise(1, "best_accuracy", outcomes(0.0, repeats=2), 0, 1, folds=2)
    assert result.apart["peak_val_accuracy"].deviation == pytest.approx(0.1 / 2**0.5)


def test_one_seed_has_no_deviation_and_an_unfinished_one_does_not_count() -> None:
    one = summarise(1, "best_accuracy", outcomes(0.0), 0, 1, folds=2)
    assert one.apart["peak_val_accuracy"].deviation is None
    cut = summarise(1, "best_accuracy", outcomes(0.0, 0.02)[:3], 1, 1, folds=2)
    assert cut.apart["peak_val_accuracy"].deviation is None


def test_without_folds_it_is_the_deviation_between_trials() -> None:
    result = summarise(1, "best_accuracy", outcomes(0.0, 0.02), 0, 1)
    assert result.apart == result.measures
