"""The law of folds: what belongs together stays together, and every class is dealt evenly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.columns import Digests, Names
from manyheads.data.dataset import Dataset
from manyheads.data.folds import divide, pool_of, require_divisible
from manyheads.data.paths import Paths
from manyheads.errors import DataError
from tests.strategies import seeds


def made(labels: list[int], contents: list[int], groups: list[str] | None = None) -> Dataset:
    """A data set of images with these labels, contents and groups; every fifth is for testing."""
    names = [f"{n:04d}.png" for n in range(len(labels))]
    classes = max(labels) + 1
    splits = ["test" if n % 5 == 4 else ("train", "validation")[n % 2] for n in range(len(labels))]
    return Dataset(
        "made", Path("made"), "class folders", Paths.of(f"made/{name}" for name in names),
        np.array(labels), tuple("abcdefgh"[:classes]), Names.of(splits),
        Digests.of(f"{content:064x}" for content in contents),
        None if groups is None else Names.of(groups),
    )  # fmt: skip


@st.composite
def datasets(draw: st.DrawFn, groups: bool = False) -> Dataset:
    """Enough images of two or three classes for three folds, some of them alike."""
    labels = draw(st.lists(st.integers(0, 2), min_size=40, max_size=80))
    labels[:30] = [0, 1, 2] * 10
    contents = [
        draw(st.integers(0, place)) if place >= 30 and draw(st.booleans()) else place
        for place in range(len(labels))
    ]
    names = st.sampled_from(["", "", "x", "y", "🐈 z"])
    given_groups = [draw(names) for _ in labels] if groups else None
    return made(labels, contents, given_groups)


def folds_of(dataset: Dataset, folds: int, seed: int) -> np.ndarray:
    """The fold of every image for training and validation, divided once."""
    return divide(dataset, pool_of(dataset), folds, 1, seed)[0]


@given(datasets(), st.integers(2, 3), seeds())
def test_alike_images_share_a_fold_and_every_image_has_one(dataset, folds, seed):
    pool = pool_of(dataset)
    dealt = folds_of(dataset, folds, seed)
    assert set(dealt) == set(range(folds))
    assert not set(pool) & set(dataset.rows("test"))
    for unit in set(dataset.units[pool]):
        assert len(set(dealt[dataset.units[pool] == unit])) == 1


@given(datasets(groups=True), seeds())
def test_a_group_is_never_torn(dataset, seed):
    try:
        dealt = folds_of(dataset, 2, seed)
    except DataError:  # a few large groups may leave a fold without a class
        return
    pool = pool_of(dataset)
    for name in {"x", "y", "🐈 z"}:
        inside = [fold for image, fold in zip(pool, dealt, strict=True)
                  if dataset.groups[image] == name]  # fmt: skip
        assert len(set(inside)) <= 1


@given(st.lists(st.integers(0, 3), min_size=60, max_size=90), st.integers(2, 4), seeds())
def test_classes_and_sizes_are_even_where_no_two_images_are_alike(labels, folds, seed):
    labels[:40] = [0, 1, 2, 3] * 10
    dataset = made(labels, list(range(len(labels))))
    dealt = folds_of(dataset, folds, seed)
    of_pool = dataset.labels[pool_of(dataset)]
    for label in range(4):
        counts = np.bincount(dealt[of_pool == label], minlength=folds)
        assert counts.max() - counts.min() <= 1
    sizes = np.bincount(dealt, minlength=folds)
    assert sizes.max() - sizes.min() <= 4  # one a class, at most


@given(st.lists(st.integers(0, 1), min_size=40, max_size=60), seeds(), st.randoms())
def test_neither_names_nor_order_matter(labels, seed, random):
    labels[:20] = [0, 1] * 10
    labels = labels[: len(labels) // 10 * 10]
    contents = list(range(len(labels)))
    before = made(labels, contents)
    # The same images for testing, in their places; all others in another order.
    others = pool_of(before).tolist()
    shuffled = random.sample(others, len(others))
    where = dict(zip(others, shuffled, strict=True))
    moved = [where.get(place, place) for place in range(len(labels))]
    after = made([labels[place] for place in moved], [contents[place] for place in moved])
    found = dict(zip(others, folds_of(before, 2, seed), strict=True))
    again = dict(zip(others, folds_of(after, 2, seed), strict=True))
    assert all(found[moved[place]] == fold for place, fold in again.items())


def test_each_repeat_and_each_seed_divides_anew() -> None:
    dataset = made([0, 1] * 50, list(range(100)))
    pool = pool_of(dataset)
    dealt = divide(dataset, pool, 5, 3, seed=0)
    assert dealt.shape == (3, len(pool))
    assert len({tuple(row) for row in dealt}) == 3
    np.testing.assert_array_equal(dealt[:2], divide(dataset, pool, 5, 2, seed=0))
    assert (dealt[0] != divide(dataset, pool, 5, 1, seed=1)[0]).any()


def test_more_folds_than_images_of_a_class_are_refused() -> None:
    dataset = made([0] * 30 + [1] * 5, list(range(35)))
    require_divisible(dataset, 4)
    with pytest.raises(DataError, match=r"at least 5 different images of every class.*4 of 'b'"):
        require_divisible(dataset, 5)


def test_groups_that_leave_a_fold_without_a_class_are_refused() -> None:
    labels = [0, 1] * 20
    groups = ["both" if n < 36 else ("" if n % 2 else "other") for n in range(40)]
    with pytest.raises(DataError, match="fewer folds"):
        folds_of(made(labels, list(range(40)), groups), 3, 0)
