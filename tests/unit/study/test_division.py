"""How a study's images are divided where some classes have few."""

from __future__ import annotations

import numpy as np

from manyheads.study.division import divisions, few_words, validation_counts
from tests.features import dataset_of
from tests.studies import study_settings

LABELS = [0] * 20 + [1] * 20 + [2] * 2 + [3]


def test_what_a_single_image_shows_is_trained_on_in_every_fold_and_validated_in_none() -> None:
    dataset, settings = dataset_of(LABELS), study_settings(folds=5, repeats=2)
    divided = divisions(settings, dataset)
    assert len(divided) == 10
    for train, validation in divided:
        assert set(dataset.labels[train]) == {0, 1, 2, 3}
        assert not set(train) & set(validation)
    for repeat in (divided[:5], divided[5:]):
        validated = np.sort(np.concatenate([validation for _, validation in repeat]))
        np.testing.assert_array_equal(validated, np.arange(42))
    assert validation_counts(settings.folds, dataset) == (43 - 42 // 5, 42)


def test_classes_with_few_images_are_named_and_many_are_counted() -> None:
    assert few_words(dataset_of([0] * 9 + [1] * 9), 5) == ""
    assert few_words(dataset_of(LABELS), 5) == (
        "not every fold validates class 2 (2 images); none validates class 3 (1 image), only "
        "trained on"
    )
    groups = ["x"] * 10 + ["y"] * 10 + [""] * 20 + ["x", "z", "z"]
    assert few_words(dataset_of(LABELS, groups=groups), 3) == (
        "not every fold validates class 0 (2 groups), class 2 (1 group); none validates class 3 "
        "(1 image), only trained on"
    )
    many = dataset_of([*[0] * 9, *[1] * 9, *range(2, 10)])
    assert few_words(many, 5).endswith("class 6 (1 image), 3 more classes, only trained on")
