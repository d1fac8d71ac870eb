"""Iterative stratification: shares of labels, whole units, and nothing else decides."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from manyheads.data.iterative import deal

SHARES = (0.6, 0.2, 0.2)


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Members, units and marks of some images."""
    images, labels = draw(st.integers(1, 80)), draw(st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    members = random.random((images, labels)) < random.uniform(0.02, 0.8, labels)
    units = np.unique(random.integers(0, images, images), return_inverse=True)[1]
    if draw(st.booleans()):
        units = np.arange(images)
    return members, units, random.permutation(int(units.max()) + 1) / 100.0


@given(problems())
def test_units_stay_whole_and_the_order_of_images_has_no_part(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    members, units, marks = problem
    found = deal(members, units, marks, SHARES)
    assert set(found) <= {0, 1, 2}
    assert all(len(set(found[units == unit])) == 1 for unit in range(len(marks)))
    order = np.random.default_rng(1).permutation(len(units))
    assert np.array_equal(deal(members[order], units[order], marks, SHARES), found[order])


@given(problems())
def test_a_part_without_a_share_gets_nothing(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    members, units, marks = problem
    assert not (deal(members, units, marks, (0.8, 0.2, 0.0)) == 2).any()


@pytest.mark.parametrize("folds", [2, 3, 4, 5])
def test_labels_come_near_their_shares_in_every_part(folds: int) -> None:
    # No law: the rule deals the rarest label first and takes nothing back, so that in few of many
    # tables (10 of 4,004) a label is off by more than 5 images of 200.
    off = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        members = random.random((200, 5)) < random.uniform(0.05, 0.6, 5)
        parts = deal(members, np.arange(200), random.random(200), [1 / folds] * folds)
        shares = members.sum(axis=0) / folds
        own = np.array([members[parts == part].sum(axis=0) for part in range(folds)])
        off.append(abs(own - shares).max())
    assert np.mean(off) <= 1.2  # of which rounding is a part: shares are no whole numbers
    assert np.mean(np.array(off) > 5) <= 0.02
