"""The selected candidate of a study beside standard classifiers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from manyheads.findings.baseline_scores import Baselines, beside_baselines
from manyheads.stats.validation_predictions import OtherEpochs, Validated
from manyheads.study.baselines import MAJORITY, NEIGHBOURS, REGRESSION, Baseline

IMAGES, SEEDS = 400, 6


def logs(right: float, seeds: int, *, seed: int) -> np.ndarray:
    """Log-probabilities `[seeds, 1, images, classes]` that are right of such a share of images."""
    random = np.random.default_rng(seed)
    hit = random.random((seeds, 1, IMAGES)) < right
    answer = (np.arange(IMAGES) + ~hit) % 3
    return np.log(np.float32(0.1) + np.float32(0.7) * np.eye(3, dtype=np.float32)[answer])


def validated(right: float, seeds: int = SEEDS) -> Validated:
    said = logs(right, seeds, seed=1)
    return Validated(
        candidates=(3,),
        names=("droprate 0.5",),
        labels=np.arange(IMAGES) % 3,
        classes=("a", "b", "c"),
        units=np.arange(IMAGES),
        fold_of=np.zeros((1, IMAGES), np.int64),
        folds=1,
        log_probabilities=lambda _: said,
    )


def baseline(name: str, right: float) -> Baseline:
    return Baseline(name, logs(right, 1, seed=2)[0, 0].astype(np.float16), 90, 90, 0.25)


def beside(right: float, *baselines: Baseline, seeds: int = SEEDS) -> Baselines:
    return beside_baselines(validated(right, seeds), 3, baselines)


@pytest.mark.parametrize(
    ("right", "standing", "words"),
    [(0.9, "better", "is better than"), (0.7, "not shown to differ", "Not shown to differ from"),
     (0.5, "worse", "is worse than")],
)  # fmt: skip
def test_the_selected_candidate_stands_where_its_interval_does(
    right: float, standing: str, words: str
) -> None:
    found = beside(right, baseline(MAJORITY, 0.3), baseline(REGRESSION, 0.7))
    majority, regression = found.entries
    assert regression.standing == standing
    assert regression.low < regression.difference < regression.high
    assert majority.difference == pytest.approx(regression.difference + 0.4, abs=0.02)
    (sentence,) = found.sentences
    assert f"{words} logistic regression on the same features (accuracy 0.7" in sentence


def test_a_difference_is_that_of_the_means() -> None:
    found = beside(0.8, baseline(REGRESSION, 0.7)).entries[0]
    labels = np.arange(IMAGES) % 3
    mine = (logs(0.8, SEEDS, seed=1).argmax(axis=-1) == labels).mean()
    theirs = (logs(0.7, 1, seed=2).argmax(axis=-1) == labels).mean()
    assert found.accuracy == pytest.approx(theirs)
    assert found.difference == pytest.approx(mine - theirs)


def test_one_seed_is_not_assessed() -> None:
    found = beside(0.9, baseline(REGRESSION, 0.5), seeds=1)
    assert found.entries[0].standing == "not assessed"
    assert "that takes two seeds" in found.sentences[0]
    assert "[" not in "".join(found.table.rows[0])


def test_seeds_that_all_diverged_in_a_fold_are_not_assessed() -> None:
    said = logs(0.9, SEEDS, seed=1)
    said[:, :, 1::2] = np.nan
    folds = {"folds": 2, "fold_of": np.arange(IMAGES)[None] % 2}
    given = replace(validated(0.9), log_probabilities=lambda _: said, **folds)
    found = beside_baselines(given, 3, [baseline(REGRESSION, 0.5)])
    assert found.entries[0].standing == "not assessed"
    assert found.table.rows[0][-1] == "–"


def test_votes_have_no_log_loss() -> None:
    found = beside(0.9, baseline(NEIGHBOURS, 0.5), baseline(REGRESSION, 0.6))
    assert [each.log_loss is None for each in found.entries] == [True, False]
    assert found.table.rows[0][2] == "–"


def test_the_table_says_that_only_some_images_were_learnt_from() -> None:
    some = replace(baseline(REGRESSION, 0.5), trained_on=5_000, train=80_000)
    assert beside(0.9, some).table.caption.endswith(", trained on 5,000 images at most")
    assert beside(0.9, baseline(REGRESSION, 0.5)).table.caption.endswith("same features")


def test_the_luck_of_a_best_epoch_in_folds_is_no_lead_on_a_baseline() -> None:
    given = validated(0.8)
    lucky = OtherEpochs(
        at=lambda candidate, _: given.log_probabilities(candidate),
        training=lambda _: np.zeros((SEEDS, 1, 2)),
        luck=lambda _, metric: np.full((SEEDS, 1, 2), 0.03 if metric == "accuracy" else 0.0),
    )
    folds = {"folds": 2, "fold_of": np.arange(IMAGES)[None] % 2}
    plain = beside_baselines(replace(given, **folds), 3, [baseline(REGRESSION, 0.7)])
    less = beside_baselines(
        replace(given, other_epochs=lucky, **folds), 3, [baseline(REGRESSION, 0.7)]
    )
    assert less.entries[0].difference == pytest.approx(plain.entries[0].difference - 0.03)
    assert less.entries[0].accuracy == plain.entries[0].accuracy
