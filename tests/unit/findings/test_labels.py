"""Suspicious labels: those that were exchanged are found, and the rest is left alone."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from manyheads.data.dataset import Dataset
from manyheads.errors import DataError, Interrupted, MissingExtraError
from manyheads.features.extraction import Features
from manyheads.findings import labels as labels_module
from manyheads.findings.labels import find_suspicious, out_of_fold
from tests.features import dataset_of, features_of
from tests.jobs import HeardJob, stopped_job

CLASSES, EACH, WIDTH = 3, 60, 16
EXCHANGED = {4: 1, 70: 2, 130: 0}


def separable() -> tuple[np.ndarray, np.ndarray]:
    """Features of three classes that no one confuses, and their labels."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), EACH)
    centres = 4 * np.eye(CLASSES, WIDTH)
    return centres[labels] + 0.3 * np.abs(random.normal(size=(len(labels), WIDTH))), labels


def exchanged(**changes) -> tuple[Dataset, Features]:
    matrix, labels = separable()
    for index, label in EXCHANGED.items():
        labels[index] = label
    splits = ["train", "train", "validation"] * EACH
    return dataset_of(labels, splits, **changes), features_of(matrix)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cleanlab")
    head = labels_module.Hyperparameters(learning_rate=0.01, size_inner=16, droprate=0.5)
    monkeypatch.setattr(labels_module, "_HEAD", head)


@pytest.mark.when_changed("statistics")
def test_exchanged_labels_are_found_with_what_they_should_be() -> None:
    dataset, features = exchanged()
    found = find_suspicious(dataset, features)
    assert found.judged == 180
    assert {each.name for each in found.suspicious} == {f"{index}.jpg" for index in EXCHANGED}
    for each in found.suspicious:
        index = int(each.name.removesuffix(".jpg"))
        assert each.label == f"class {EXCHANGED[index]}"
        assert each.suggested == f"class {index // EACH}"
        assert each.split == dataset.splits[index]
        assert each.given < 0.02
        assert each.confidence > 0.9
    believed = [each.given for each in found.suspicious]
    assert believed == sorted(believed)


@pytest.mark.when_changed("statistics")
def test_right_labels_are_left_alone() -> None:
    matrix, labels = separable()
    assert find_suspicious(dataset_of(labels), features_of(matrix)).suspicious == ()


def test_images_of_the_test_split_stay_closed() -> None:
    matrix, labels = separable()
    splits = ["train", "train", "validation"] * EACH
    for index, label in EXCHANGED.items():
        labels[index], splits[index] = label, "test"
    closed = np.array(splits) == "test"
    matrix[closed] = np.nan  # a head that met one would diverge
    found = find_suspicious(dataset_of(labels, splits), features_of(matrix))
    assert (found.judged, found.suspicious) == (177, ())


def test_unreadable_images_and_small_classes_are_not_judged() -> None:
    matrix, labels = separable()
    labels[:3] = 3
    matrix[5] = np.nan
    found = find_suspicious(dataset_of(labels), features_of(matrix, unreadable=[5]))
    assert found.too_small == ("class 3",)
    assert found.judged == 180 - 3 - 1
    assert found.suspicious == ()


def test_copies_and_groups_never_vouch_for_a_wrong_label() -> None:
    # Were a copy of a wrong image among those that its heads train on, they would believe it.
    matrix, labels = separable()
    matrix[:8], labels[:8] = matrix[0] - 4 * np.eye(WIDTH)[0] + 4 * np.eye(WIDTH)[9], 1
    matrix[8:12] = matrix[0]
    labels[8:12] = 0
    contents = ["same"] * 8 + list(range(172))
    alone = out_of_fold(dataset_of(labels, contents=contents), *rows_of(matrix))
    apart = out_of_fold(dataset_of(labels), *rows_of(matrix))
    assert alone[:8, 1].mean() < 0.2
    assert apart[:8, 1].mean() > 0.3
    groups = ["one person"] * 8 + [""] * 172
    grouped = out_of_fold(dataset_of(labels, groups=groups), *rows_of(matrix))
    assert grouped[:8, 1].mean() < 0.2


def rows_of(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return matrix.astype(np.float32), np.arange(len(matrix))


def test_probabilities_are_those_of_heads_that_did_not_see_the_image() -> None:
    matrix, labels = separable()
    # Each image has a feature of its own, by which a head that trained on it could know it.
    own = np.concatenate([0.1 * matrix, 3 * np.eye(len(matrix))], axis=1)
    labels = np.random.default_rng(1).integers(0, 2, len(labels))
    probabilities = out_of_fold(dataset_of(labels), *rows_of(own))
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert (probabilities.argmax(axis=1) == labels).mean() < 0.65


def test_too_few_images_are_an_error() -> None:
    matrix, labels = separable()
    dataset = dataset_of(labels[:64]).without([])
    with pytest.raises(DataError, match="two or more classes of at least 5 different images"):
        find_suspicious(dataset, features_of(matrix[:64]))


def test_without_cleanlab_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    dataset, features = exchanged()
    with pytest.raises(MissingExtraError, match=r"pip install 'manyheads\[labels\]'"):
        find_suspicious(dataset, features)


def test_progress_and_stop() -> None:
    dataset, features = exchanged()
    heard = HeardJob()
    find_suspicious(dataset, features, job=heard)
    assert heard.steps("judging labels")[-1] == (15, 15)
    job = stopped_job()
    with pytest.raises(Interrupted, match="judging the labels"):
        find_suspicious(dataset, features, job=job)
