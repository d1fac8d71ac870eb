"""The score is the k-th neighbour's, the threshold keeps its rate, and few images are admitted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from manyheads.stats.unlikeness import Unlikeness, as_kept, even, of_length_one, spread


def judge(bank: np.ndarray, held_out: np.ndarray | None = None, neighbour: int = 5) -> Unlikeness:
    scores = np.zeros(1) if held_out is None else held_out
    return Unlikeness(as_kept(bank), np.sort(scores).astype(np.float32), neighbour)


@pytest.mark.parametrize("neighbour", [1, 5, 50])
def test_the_score_is_that_of_the_nearest_neighbours_of_scikit_learn(neighbour: int) -> None:
    random = np.random.default_rng(0)
    bank, rows = random.gamma(1.0, size=(300, 40)), random.gamma(1.0, size=(500, 40))
    kept = judge(bank, neighbour=neighbour)
    known = NearestNeighbors(n_neighbors=neighbour, metric="cosine").fit(kept.kept.astype(float))
    distances = known.kneighbors(rows)[0][:, -1]
    assert kept.scores(rows) == pytest.approx(distances, abs=1e-3)


def test_a_score_does_not_depend_on_the_length_of_the_row_nor_on_others() -> None:
    random = np.random.default_rng(1)
    kept, rows = judge(random.normal(size=(30, 8))), random.normal(size=(4, 8))
    scores = kept.scores(rows)
    assert kept.scores(1e18 * rows) == pytest.approx(scores, abs=1e-6)
    assert kept.scores(1e-18 * rows) == pytest.approx(scores, abs=1e-6)
    assert [kept.scores(row[np.newaxis])[0] for row in rows] == pytest.approx(scores, abs=1e-6)


def test_a_row_of_zeros_is_far_from_everything() -> None:
    kept = judge(np.abs(np.random.default_rng(0).normal(size=(30, 8))))
    assert kept.scores(np.zeros((1, 8)))[0] == 1
    assert not of_length_one(np.zeros((2, 8))).any()


def test_fewer_images_than_neighbours_are_enough() -> None:
    assert judge(np.eye(2), neighbour=5).scores(np.eye(2)) == pytest.approx([1, 1])


@given(
    held_out=st.lists(st.integers(0, 20), min_size=1, max_size=60),
    score=st.integers(0, 20),
    rate=st.floats(0.001, 0.5),
)
def test_unknown_is_a_p_value_of_at_most_the_rate(
    held_out: list[int], score: int, rate: float
) -> None:
    kept = judge(np.eye(3), np.array(held_out))
    p = (1 + sum(each >= score for each in held_out)) / (len(held_out) + 1)
    assert 1 - kept.unlike(score) == pytest.approx(p)
    is_unknown = kept.below(score) >= kept.needed(rate)
    assert is_unknown == (p <= rate + 1e-9) or p == pytest.approx(rate)
    if rate < kept.least_rate - 1e-9:
        assert not is_unknown


@pytest.mark.when_changed("statistics")
@given(count=st.integers(1, 400), rate=st.sampled_from([0.01, 0.05, 0.1, 0.2]))
def test_at_most_the_rate_of_exchangeable_images_is_called_unknown(count: int, rate: float) -> None:
    # Each of count + 1 different scores is the new one's in turn: that is what exchangeable means.
    scores = np.arange(count + 1)
    called = sum(
        (kept := judge(np.eye(3), np.delete(scores, new))).below(new) >= kept.needed(rate)
        for new in scores.tolist()
    )
    assert called <= rate * (count + 1) + 1e-6
    assert called == int(rate * (count + 1) + 1e-6)


def test_how_far_the_share_of_false_alarms_may_lie_from_the_rate() -> None:
    random = np.random.default_rng(0)
    held_out = random.normal(size=(4000, 341))
    threshold = np.sort(held_out, axis=1)[:, judge(np.eye(3), held_out[0]).needed(0.05) - 1]
    from scipy.special import ndtr

    shares = 1 - ndtr(threshold)
    low, high = judge(np.eye(3), held_out[0]).alarms(0.05)
    assert shares.mean() == pytest.approx(0.05, abs=0.001)
    assert ((low <= shares) & (shares <= high)).mean() == pytest.approx(0.95, abs=0.012)


@given(labels=st.lists(st.integers(0, 5), min_size=1, max_size=200), most=st.integers(1, 100))
def test_a_bounded_bank_keeps_equally_many_of_each_class(labels: list[int], most: int) -> None:
    places = spread(np.array(labels), most)
    assert len(places) == min(most, len(labels))
    assert (np.diff(places) > 0).all()
    kept = np.bincount(np.array(labels)[places], minlength=6)
    every = np.bincount(labels, minlength=6)
    cut = kept < every
    if cut.any():
        assert kept[cut].max() - kept[cut].min() <= 1
        assert kept.max() <= kept[cut].min() + 1
    for label in set(labels):  # the first of each
        own = np.flatnonzero(np.array(labels) == label)
        assert np.isin(own[: kept[label]], places).all()


@given(count=st.integers(0, 500), most=st.integers(1, 100))
def test_an_even_choice_has_its_size_and_its_order(count: int, most: int) -> None:
    places = even(count, most)
    assert len(places) == min(count, most)
    assert (np.diff(places) > 0).all()
    assert (places < max(count, 1)).all()
