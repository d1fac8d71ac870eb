"""What it costs to answer only where the least sure label is sure."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.core.label_sets import LabelSets
from manyheads.findings.label_scores import abstaining_risk, cross_fitted_answers
from manyheads.stats.label_metrics import probabilities
from manyheads.stats.validation_predictions import Validated

SETS = LabelSets(("a", "b"), ("(none)", "a", "a;b", "b"))
IMAGES = 80


def validated(seeds: int, *, folds: int = 1, failed: tuple[int, ...] = ()) -> Validated:
    """One candidate whose heads are right more often than not."""
    random = np.random.default_rng(3)
    labels = random.integers(0, len(SETS.texts), IMAGES)
    sign = np.where(SETS.members[labels], 1.0, -1.0)
    log_odds = (sign + 1.2 * random.normal(size=(seeds, 1, IMAGES, 2))).astype(np.float32)
    log_odds[list(failed)] = np.nan
    return Validated(
        candidates=(1,), names=("one",), labels=labels, classes=SETS.texts,
        units=np.arange(IMAGES), fold_of=np.arange(IMAGES)[np.newaxis] % folds, folds=folds,
        log_probabilities={1: log_odds}.__getitem__, label_sets=SETS,
    )  # fmt: skip


@pytest.mark.parametrize("folds", [1, 4])
def test_an_answer_is_as_sure_as_its_least_sure_label_and_wrong_if_any_is(folds: int) -> None:
    known = validated(3, folds=folds, failed=(1,))
    found = abstaining_risk(known, 1)
    assert found is not None
    sure, right = [], []
    for log_odds in known.log_probabilities(1)[[0, 2], 0]:
        said, chances = cross_fitted_answers(known, log_odds), probabilities(log_odds)
        sure.append(np.where(said, chances, 1 - chances).min(axis=1))
        right.append((said == known.targets).all(axis=1))
    confidence, hits = np.concatenate(sure), np.concatenate(right)
    assert found.coverage[-1] == 1.0
    assert found.risk[-1] == pytest.approx(1 - hits.mean())
    for threshold, coverage, risk in zip(found.threshold, found.coverage, found.risk, strict=True):
        answered = confidence >= threshold
        assert coverage == pytest.approx(answered.mean())
        assert risk == pytest.approx(1 - hits[answered].mean())


def test_without_a_whole_head_nothing_is_known() -> None:
    assert abstaining_risk(validated(2, failed=(0, 1)), 1) is None
