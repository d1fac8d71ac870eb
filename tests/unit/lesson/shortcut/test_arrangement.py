"""Which images train, which carry the mark, and which are asked about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from manyheads.data.columns import Categorical
from manyheads.data.dataset import Dataset
from manyheads.errors import DataError
from manyheads.heads.fold import PLAIN
from manyheads.lesson.shortcut.arrangement import arranged, wanted_variants
from tests.laws.test_folds_law import made
from tests.unit.lesson.shortcut.test_shortcut_settings import settings


def dataset(train: int = 40, validation: int = 10, test: int = 5) -> Dataset:
    """Three classes, a, b and c, of so many images each."""
    splits = ["train"] * train + ["validation"] * validation + ["test"] * test
    labels = np.repeat(np.arange(3), len(splits)).tolist()
    whole = made(labels, list(range(len(labels))))
    return replace(whole, splits=Categorical.of(splits * 3))


def test_images_have_one_purpose_and_those_for_testing_none() -> None:
    images = arranged(settings(target="b", clean=5, share=0.5), dataset())
    purposes = [images.train, images.clean, images.validation]
    assert [len(each) for each in purposes] == [3 * 35, 3 * 5, 3 * 10]
    every = np.concatenate(purposes)
    assert len(np.unique(every)) == len(every)
    assert not np.isin(images.dataset.rows("test"), every).any()


def test_the_mark_is_on_the_share_of_training_images() -> None:
    images = arranged(settings(target="b", clean=5, share=0.6), dataset())
    assert len(images.in_class) == 21
    assert set(images.dataset.labels[images.in_class].tolist()) == {1}
    assert np.bincount(images.dataset.labels[images.everywhere]).tolist() == [21, 21, 21]
    assert np.isin(images.in_class, images.everywhere).all()
    assert np.isin(images.everywhere, images.train).all()


def test_others_are_asked_about_with_it() -> None:
    everyone = arranged(settings(target="b"), dataset())
    assert set(everyone.dataset.labels[everyone.into].tolist()) == {0, 2}
    one = arranged(settings(target="b", into=("c",)), dataset())
    assert set(one.dataset.labels[one.into].tolist()) == {2}
    assert np.isin(one.into, one.validation).all()
    assert one.evaluated.target == 1
    assert len(one.evaluated.marked_units) == 10


def test_only_what_a_condition_needs_is_made_and_none_of_it_for_testing() -> None:
    asked = settings(
        target="b",
        share=0.5,
        dropblock=0.5,
        random_erasing=0.2,
        augmented_copies=2,
        everywhere=True,
    )
    images = arranged(asked, dataset())
    wanted = wanted_variants(asked, images)
    assert len(wanted) == 2 + 2 + 2 * 2
    for key, each in wanted.items():
        assert not np.isin(each.images, images.dataset.rows("test")).any()
        if key.variant != PLAIN:
            assert not np.isin(each.images, images.validation).any()
            assert np.isin(each.images, images.in_class).all() == key.marked
        assert (each.how["alteration"] is None) == (not key.marked and not key.variant.copy)
        assert each.how.get("pooling", "avg") == ("grid" if key.variant.grid else "avg")
    assert len({each.words for each in wanted.values()}) == len(wanted)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"target": "x"}, "`target` to be one of a, b, c"),
        ({"target": "b", "into": ("x",)}, "`into` to be one of a, b, c"),
        ({"target": "b", "into": ("a,c",)}, "separate them by spaces: `into` a c"),
        ({"target": "b", "into": ("b",)}, "other classes"),
        ({"target": "b", "share": 0.01}, "0.01 of 40 images"),
        ({"target": "b", "clean": 40}, "40 of 'a'"),
    ],
)
def test_what_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        arranged(settings(**wrong), dataset())
