"""scikit-learn's own suite for estimators."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from manyheads import HeadClassifier

ESTIMATORS = [
    HeadClassifier(),
    HeadClassifier(
        size_inner=0, learning_rate=0.02, heads=3, validation_fraction=0.3, select="best_loss"
    ),
]
# The check wants equality in one training. A sample that stands there twice is drawn into other
# batches than one that weighs two, as in every classifier of scikit-learn that descends by batches.
# In whole batches the two are equal: see test_head_classifier.py.
STOCHASTIC = "repeated samples are in other batches than one sample with their weight"


def expected_failures(_: Any) -> dict[str, str]:
    return {"check_sample_weight_equivalence_on_dense_data": STOCHASTIC}


@pytest.mark.when_changed("estimators")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_takes_it_for_a_classifier(estimator: Any, check: Any) -> None:
    check(estimator)
