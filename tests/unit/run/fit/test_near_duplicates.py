"""Which clusters of near-duplicates a fit keeps together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.core.job import SILENT
from manyheads.errors import RunError
from manyheads.run.fit.near_duplicates import FILE, NearDuplicates, together
from tests.features import dataset_of, features_of
from tests.unit.findings.test_similar import planted

LABELS = [0] * 20 + [1] * 20 + [2] * 4


def test_clusters_are_kept_together_where_every_fold_can_still_validate() -> None:
    clusters = [[0, 1, 2], [20, 21]]
    assert together(dataset_of(LABELS), clusters, 5) == (clusters, [])


def test_a_cluster_that_would_cost_its_class_folds_may_be_torn() -> None:
    clusters = [[0, 1, 2], [40, 41]]
    assert together(dataset_of(LABELS), clusters, 5) == ([[0, 1, 2]], ["class 2"])
    assert together(dataset_of(LABELS), clusters, 3) == (clusters, [])


def test_a_class_that_is_one_burst_is_divided_as_before() -> None:
    assert together(dataset_of(LABELS), [list(range(20, 40))], 5) == ([], ["class 1"])


def test_a_cluster_that_would_cost_a_label_folds_may_be_torn() -> None:
    """Of images with labels a, b and c: none, a, a and b, or c, which only four have."""
    texts = ("(none)", "a", "a;b", "c")
    dataset = replace(
        dataset_of([0] * 10 + [1] * 10 + [2] * 10 + [3] * 4),
        classes=texts, label_names=("a", "b", "c"),
    )  # fmt: skip
    clusters = [[0, 1, 2], [10, 20], [30, 31]]
    assert together(dataset, clusters, 4) == ([[0, 1, 2], [10, 20]], ["c"])
    assert together(dataset, clusters, 3) == (clusters, [])


def test_folds_without_images_are_none() -> None:
    labels = [0, 0, 1, 1, 2, 2]
    kept, spared = together(dataset_of(labels), [[0, 2]], 6)
    assert kept == []
    assert spared == ["class 0", "class 1"]


def test_images_for_testing_are_not_compared(tmp_path: Path) -> None:
    matrix = planted([(0, 1), (2, 59)])
    splits = ["train"] * 59 + ["test"]
    grouped = NearDuplicates(tmp_path, 5, SILENT)
    dataset = grouped(dataset_of([0, 1] * 30, splits), features_of(matrix))
    assert dataset.units[0] == dataset.units[1]
    assert len(set(dataset.units.tolist())) == 59


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    grouped = NearDuplicates(tmp_path, 5, SILENT)
    with pytest.raises(RunError, match="another `out`"):
        grouped(dataset_of(LABELS), features_of(planted([])[:44]))
