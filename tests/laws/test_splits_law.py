"""The former rule: an image's place depends on its key and the seed, and on nothing else."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data import splits
from manyheads.data.columns import Categorical
from manyheads.data.data_settings import SplitSettings
from manyheads.data.splits import place
from tests.strategies import digests, seeds, shares

settings = st.builds(
    SplitSettings, validation=shares(), test=shares(), seed=seeds(), rule=st.just("place")
)


def assign_splits(found: list[str], groups: list[str] | None, split: SplitSettings) -> Categorical:
    """The splits of images of one class: their classes are no matter."""
    return splits.assign_splits(np.zeros(len(found), int), found, groups, split)


def former(validation: float = 0.2, test: float = 0.2, seed: int = 0) -> SplitSettings:
    """Settings of the former rule."""
    return SplitSettings(validation=validation, test=test, seed=seed, rule="place")


@given(digests(), digests(), settings, st.randoms())
def test_adding_removing_and_reordering_move_no_other(before, added, split, random):
    old = dict(zip(before, assign_splits(before, None, split), strict=True))
    kept = [digest for digest in before if random.random() < 0.7]
    now = kept + added
    random.shuffle(now)
    new = dict(zip(now, assign_splits(now, None, split), strict=True))
    assert all(new[digest] == old[digest] for digest in kept)


@given(digests(), settings)
def test_identical_images_stay_together(found, split):
    places = assign_splits(found + found, None, split)
    assert places[: len(found)] == places[len(found) :]
    assert len(set(zip(found, places[: len(found)], strict=True))) == len(set(found))


@given(digests(min_size=1), settings, st.data())
def test_images_of_a_group_stay_together(found, split, data):
    names = st.sampled_from(["", "a", "b", "🐈 c"])
    groups = data.draw(st.lists(names, min_size=len(found), max_size=len(found)))
    places = assign_splits(found, groups, split)
    for name in {"a", "b", "🐈 c"}:
        inside = zip(groups, places, strict=True)
        assert len({place for group, place in inside if group == name}) <= 1
    alone = assign_splits(found, None, split)
    for group, place_, place_alone in zip(groups, places, alone, strict=True):
        assert group or place_ == place_alone


@given(digests(), seeds(), shares(), shares(), shares())
def test_a_larger_validation_share_keeps_what_a_smaller_one_had(found, seed, one, two, test):
    small, large = sorted([one, two])
    first = assign_splits(found, None, former(validation=small, test=test, seed=seed))
    second = assign_splits(found, None, former(validation=large, test=test, seed=seed))
    pairs = zip(first, second, strict=True)
    assert all(after == "validation" for before, after in pairs if before == "validation")


@given(digests(), settings, st.data())
def test_carving_moves_only_training_images(found, split, data):
    given_splits = data.draw(
        st.lists(st.sampled_from(["train", "test"]), min_size=len(found), max_size=len(found))
    )
    labels = np.zeros(len(found), int)
    carved = splits.carve_validation(given_splits, labels, found, None, split)
    for before, after, digest in zip(given_splits, carved, found, strict=True):
        if before == "test":
            assert after == "test"
        else:
            assert (after == "validation") == (after != "train")
            assert (after == "validation") == (
                place(split.seed, f"content\0{digest}") < split.validation
            )


@pytest.mark.when_changed("studies")
@given(st.text(), seeds())
def test_places_are_numbers_from_0_to_below_1(key, seed):
    assert 0.0 <= place(seed, key) < 1.0


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_shares_are_met_in_expectation(seed):
    many = [hashlib.sha256(f"{number}".encode()).hexdigest() for number in range(20_000)]
    split = former(validation=0.2, test=0.1, seed=seed)
    places = assign_splits(many, None, split)
    # Four standard errors of a share of 20,000 draws.
    assert places.count("validation") / 20_000 == pytest.approx(0.2, abs=0.0114)
    assert places.count("test") / 20_000 == pytest.approx(0.1, abs=0.0085)


def test_another_seed_is_another_division():
    many = [hashlib.sha256(f"{number}".encode()).hexdigest() for number in range(200)]
    assert assign_splits(many, None, former(seed=0)) != assign_splits(many, None, former(seed=1))
