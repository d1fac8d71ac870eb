"""Samples without a class are never a class by accident, and classes stand in a known order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from manyheads.errors import EstimatorError
from manyheads.estimator.targets import require_labelled, targets_of
from tests.unit.estimator.irises import SPECIES, X, quick

pandas = pytest.importorskip("pandas", reason="comes with the extra `labels`")

NAN = float("nan")


@pytest.mark.parametrize(
    ("y", "count"),
    [
        ([1.0, NAN, 2.0], "1 of 3, the first nan as sample 1"),
        (np.array([NAN, 0.0, NAN]), "2 of 3, the first nan as sample 0"),
        (["cat", None, "dog"], "1 of 3, the first None as sample 1"),
        (np.array(["cat", np.nan, "dog"]), "1 of 3, the first nan as sample 1"),
        (np.array(["cat", NAN, None], object), "2 of 3"),
        (pandas.Series(["cat", None, "dog"]), "1 of 3"),
        (pandas.Series(["cat", pandas.NA, "dog"], dtype="string"), "1 of 3"),
        (pandas.Series(["cat", None, "dog"], dtype="category"), "1 of 3"),
        (pandas.Series([1, None, 2], dtype="Int64"), "1 of 3"),
        (pandas.Series(["cat", None]).astype(object).astype(str), "1 of 2"),
        (pandas.DataFrame({"y": ["cat", np.nan]}), "1 of 2"),
        (np.array(["2024-01-01", "NaT"], "datetime64[D]"), "1 of 2, the first NaT as sample 1"),
    ],
)
def test_samples_without_a_class_are_counted(y: Any, count: str) -> None:
    with pytest.raises(EstimatorError, match=f"a class for every sample, found none for {count}"):
        require_labelled(y)


@pytest.mark.parametrize("y", [[0, 1], ["NA", "none"], [True, False], None, "cat", [0.0, 1.0]])
def test_other_targets_pass(y: Any) -> None:
    require_labelled(y)


def test_the_estimator_says_it_before_it_does_anything() -> None:
    y = SPECIES.astype(object)
    y[3] = None
    with pytest.raises(EstimatorError, match="none for 1 of 150, the first None as sample 3"):
        quick().fit(X, y)
    with pytest.raises(EstimatorError, match="none for 1 of 150"):
        quick().fit(["absent.png"] * 150, y)


def test_texts_are_sorted_as_in_a_study_and_numbers_as_in_scikit_learn() -> None:
    names = ["2", "10", "0", "11", "1"]
    assert list(targets_of(np.array(names), None).classes) == sorted(names)
    assert list(targets_of(np.array(names, object), None).classes) == ["0", "1", "10", "11", "2"]
    assert list(targets_of(np.array(names).astype(int), None).classes) == [0, 1, 2, 10, 11]
