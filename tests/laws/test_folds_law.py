"""The law of folds: what belongs together stays together, and every class is dealt evenly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.columns import Categorical, Digests
from manyheads.data.dataset import Dataset
from manyheads.data.folds import (
    ALWAYS_TRAINS,
    divide,
    most_folds,
    pool_of,
    require_divisible,
    validating_units,
)
from manyheads.data.paths import Paths
from manyheads.data.splits import place, unit_keys
from manyheads.errors import DataError
from tests.strategies import seeds


def made(labels: list[int], contents: list[int], groups: list[str] | None = None) -> Dataset:
    """A data set of images with these labels, contents and groups; every fifth is for testing."""
    names = [f"{n:04d}.png" for n in range(len(labels))]
    classes = max(labels) + 1
    splits = ["test" if n % 5 == 4 else ("train", "validation")[n % 2] for n in range(len(labels))]
    return Dataset(
        "made", Path("made"), "class folders", Paths.of(f"made/{name}" for name in names),
        np.array(labels), tuple("abcdefgh"[:classes]), Categorical.of(splits),
        Digests.of(f"{content:064x}" for content in contents),
        None if groups is None else Categorical.of(groups),
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


@pytest.mark.when_changed("data")
@given(datasets(), st.integers(2, 3), seeds())
def test_alike_images_share_a_fold_and_every_image_has_one(dataset, folds, seed):
    pool = pool_of(dataset)
    dealt = folds_of(dataset, folds, seed)
    assert set(dealt) == set(range(folds))
    assert not set(pool) & set(dataset.rows("test"))
    for unit in set(dataset.units[pool]):
        assert len(set(dealt[dataset.units[pool] == unit])) == 1


@pytest.mark.when_changed("data")
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


def of_classes(sizes: list[int], groups: list[str] | None = None) -> Dataset:
    """Images of classes of these sizes, none for testing, all different."""
    labels = np.repeat(np.arange(len(sizes)), sizes).tolist()
    splits = Categorical.of("train" for _ in labels)
    dataset = made(labels, list(range(len(labels))), groups)
    return replace(dataset, splits=splits)


@st.composite
def uneven(draw: st.DrawFn) -> Dataset:
    """Classes of one image, of a few, of many; some images in groups that may mix classes."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=2, max_size=6))
    sizes[:2] = [max(sizes[0], 4), max(sizes[1], 4)]
    groups = None
    if draw(st.booleans()):
        names = st.sampled_from(["", "", "", "x", "y"])
        groups = [draw(names) for _ in range(sum(sizes))]
    return of_classes(sizes, groups)


@given(uneven(), st.integers(2, 9), seeds())
def test_every_fold_trains_on_every_class_and_has_images_to_validate(dataset, folds, seed):
    pool = pool_of(dataset)
    try:
        dealt = folds_of(dataset, folds, seed)
    except DataError:
        assert dataset.groups is not None or folds > most_folds(dataset)
        return
    labels, units = dataset.labels[pool], dataset.units[pool]
    for fold in range(folds):
        assert set(labels[dealt != fold]) == set(labels)
        assert (dealt == fold).any()
    for label in set(labels):
        own = set(units[labels == label])
        if len(own) == 1:
            assert (dealt[np.isin(units, list(own))] == ALWAYS_TRAINS).all()
        if dataset.groups is None:
            validated = set(dealt[labels == label]) - {ALWAYS_TRAINS}
            assert len(validated) == (0 if len(own) == 1 else min(len(own), folds))
            assert len(own) * (len(own) > 1) == validating_units(dataset)[label]
    for unit in set(units):
        assert len(set(dealt[units == unit])) == 1


def dealt_before(dataset: Dataset, folds: int, seed: int) -> np.ndarray | None:
    """The folds by the law that once was, by which every fold validated every class."""
    pool = pool_of(dataset)
    of_class = [len(set(dataset.units[pool[dataset.labels[pool] == label]].tolist()))
                for label in range(len(dataset.classes))]  # fmt: skip
    if min(of_class) < folds:
        return None
    keys = list(unit_keys(dataset.digests, dataset.groups))
    members: dict[int, list[int]] = {}
    for image in pool.tolist():
        members.setdefault(int(dataset.units[image]), []).append(image)
    counts = np.zeros((folds, len(dataset.classes)), np.int64)
    found = {}
    for unit in sorted(
        members.values(), key=lambda unit: (-len(unit), place(seed, f"repeat 0\0{keys[unit[0]]}"))
    ):
        labels = np.bincount(dataset.labels[unit], minlength=counts.shape[1])
        own = counts[:, labels.argmax()]
        fold = min(range(folds), key=lambda f: (own[f], counts[f].sum(), f))
        counts[fold] += labels
        found |= dict.fromkeys(unit, fold)
    return np.array([found[image] for image in pool.tolist()]) if counts.all() else None


@given(st.booleans().flatmap(lambda groups: datasets(groups=groups)), st.integers(2, 4), seeds())
def test_what_was_divided_when_every_class_had_to_validate_is_divided_as_before(
    dataset, folds, seed
):
    before = dealt_before(dataset, folds, seed)
    if before is not None:
        np.testing.assert_array_equal(folds_of(dataset, folds, seed), before)


def test_folds_of_old_are_the_folds_of_now() -> None:
    dataset = made([0, 1, 2] * 8, list(range(24)))
    assert "".join(map(str, folds_of(dataset, 3, 7))) == "00021002222201110110"


def test_a_class_of_one_image_trains_in_every_fold_and_one_of_two_validates_two() -> None:
    dealt = folds_of(of_classes([20, 20, 2, 1]), 5, 0)
    assert len(set(dealt[40:42])) == 2
    assert dealt[42] == ALWAYS_TRAINS
    assert ALWAYS_TRAINS not in dealt[:42]


def test_fewer_images_than_folds_are_refused() -> None:
    dataset = of_classes([3, 2, 1])
    require_divisible(dataset, 5)
    with pytest.raises(DataError, match=r"at least 6 different images.*found 5 that can validate"):
        require_divisible(dataset, 6)


def test_fewer_than_two_classes_that_can_validate_are_refused() -> None:
    with pytest.raises(DataError, match=r"two or more classes of at least two different images"):
        require_divisible(of_classes([30, 1, 1]), 2)


def test_a_class_with_no_image_to_train_on_is_refused() -> None:
    dataset = of_classes([9, 9, 1])
    splits = Categorical.of([*["train"] * 18, "test"])
    with pytest.raises(DataError, match=r"images of every class.*found none of 'c'"):
        require_divisible(replace(dataset, splits=splits), 2)


def test_groups_that_leave_a_fold_without_a_class_to_train_on_are_refused() -> None:
    # z goes to fold 0; x with most of a, and y with b like z, both go to fold 1, and c with them.
    groups = [*["x"] * 6, *[""] * 3, *["z"] * 8, *["y"] * 4, "x", "y"]
    with pytest.raises(DataError, match=r"a fold without 'c'.*less coarsely"):
        folds_of(of_classes([9, 12, 2], groups), 2, 0)


@given(datasets(), seeds(), seeds())
def test_images_with_a_known_fold_keep_it_and_others_are_dealt_evenly(dataset, seed, other):
    pool = pool_of(dataset)
    first = pool[: len(pool) * 2 // 3]  # what a former run had
    known = np.full(len(dataset), -1)
    known[first] = folds_of(dataset.taken(first), 3, seed)
    later = replace(dataset, known_folds=known)
    dealt = folds_of(later, 3, other)
    assert (dealt[: len(first)][known[first] >= 0] == known[first][known[first] >= 0]).all()
    for unit in set(dataset.units[pool]):
        assert len(set(dealt[dataset.units[pool] == unit])) == 1
    assert (later.taken(pool).known_folds == known[pool]).all()
    again = divide(later, pool, 3, 2, other)
    assert (again[0] == dealt).all()


@given(datasets(), seeds(), seeds())
def test_images_of_several_labels_with_a_known_fold_keep_it_too(dataset, seed, other):
    dataset = replace(dataset, classes=("(none)", "x", "x;y"), label_names=("x", "y"))
    pool = pool_of(dataset)
    first = pool[: len(pool) * 2 // 3]
    known = np.full(len(dataset), -1)
    known[first] = folds_of(dataset.taken(first), 3, seed)
    dealt = folds_of(replace(dataset, known_folds=known), 3, other)
    assert (dealt[: len(first)][known[first] >= 0] == known[first][known[first] >= 0]).all()
    for unit in set(dataset.units[pool]):
        assert len(set(dealt[dataset.units[pool] == unit])) == 1
    one = replace(dataset, known_folds=np.zeros(len(dataset), np.int64))
    assert (folds_of(one, 3, other) == folds_of(dataset, 3, other)).all()


def test_known_folds_that_would_leave_one_empty_are_not_kept() -> None:
    dataset = of_classes([6, 6])
    one = replace(dataset, known_folds=np.zeros(len(dataset), np.int64))
    assert (folds_of(one, 3, 0) == folds_of(dataset, 3, 0)).all()
