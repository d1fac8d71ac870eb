"""Near-duplicates: planted ones are found, in blocks as in one piece, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.errors import Interrupted, SettingError
from manyheads.findings import similar
from manyheads.findings.similar import find_similar
from tests.features import dataset_of, features_of
from tests.jobs import HeardJob, stopped_job

COUNT, WIDTH = 60, 32


def scattered(seed: int = 0, count: int = COUNT) -> np.ndarray:
    """Features of images that have nothing in common."""
    return np.abs(np.random.default_rng(seed).normal(size=(count, WIDTH)))


def planted(pairs: list[tuple[int, int]], seed: int = 0, off: float = 0.02) -> np.ndarray:
    """Scattered features, but the second of each pair nearly has those of the first."""
    matrix, random = scattered(seed), np.random.default_rng(seed + 1)
    for first, second in pairs:
        matrix[second] = 3 * matrix[first] + off * random.normal(size=WIDTH)
    return matrix


def named(found: similar.SimilarImages) -> set[frozenset[str]]:
    return {frozenset(pair.names) for pair in found.pairs}


def test_planted_pairs_are_found_with_what_matters_first() -> None:
    matrix = planted([(0, 1), (2, 40), (3, 4)])
    labels = [0] * 59 + [1]
    labels[1] = 1
    splits = ["train"] * 30 + ["validation"] * 30
    found = find_similar(dataset_of(labels, splits), features_of(matrix))
    assert [pair.names for pair in found.pairs] == [
        ("2.jpg", "40.jpg"), ("0.jpg", "1.jpg"), ("3.jpg", "4.jpg"),
    ]  # fmt: skip
    assert [pair.across_splits for pair in found.pairs] == [True, False, False]
    assert [pair.differs_in_label for pair in found.pairs] == [False, True, False]
    assert (found.images, found.found, found.across_splits, found.differ_in_label) == (60, 3, 1, 1)
    assert all(0.99 < pair.similarity <= 1 for pair in found.pairs)


def test_a_pair_is_judged_by_its_own_surroundings() -> None:
    # A crowd around one image: as close to each other as the planted pair, and no pairs.
    random = np.random.default_rng(3)
    crowd = scattered(5)[0] + 0.3 * random.normal(size=(40, WIDTH))
    matrix = np.concatenate([scattered(6, 40), crowd])
    matrix[1] = matrix[0] + 0.3 * random.normal(size=WIDTH)
    found = find_similar(dataset_of([0] * 80), features_of(matrix))
    assert named(found) == {frozenset({"0.jpg", "1.jpg"})}


def test_a_burst_longer_than_the_neighbours_is_one_cluster() -> None:
    matrix = planted([(0, second) for second in range(1, 25)])
    found = find_similar(dataset_of([0] * COUNT), features_of(matrix))
    assert found.found == 25 * 24 // 2
    (cluster,) = found.clusters
    assert cluster.names == tuple(f"{number}.jpg" for number in range(25))


def test_pairs_that_share_an_image_are_one_cluster() -> None:
    matrix = planted([(0, 1), (0, 2), (7, 8)])
    found = find_similar(dataset_of([0] * COUNT), features_of(matrix))
    assert [cluster.names for cluster in found.clusters] == [
        ("0.jpg", "1.jpg", "2.jpg"), ("7.jpg", "8.jpg"),
    ]  # fmt: skip


def test_identical_files_are_no_news_but_their_likes_are() -> None:
    matrix = planted([(0, 1), (0, 2)])
    matrix[1] = matrix[0]
    contents = ["same", "same", *range(2, COUNT)]
    splits = ["train", "validation", *["train"] * (COUNT - 2)]
    found = find_similar(dataset_of([0] * COUNT, splits, contents=contents), features_of(matrix))
    assert named(found) == {frozenset({"0.jpg", "2.jpg"}), frozenset({"1.jpg", "2.jpg"})}
    assert found.across_splits == 1
    within = dataset_of([0] * COUNT, contents=contents)
    assert named(find_similar(within, features_of(matrix))) == {frozenset({"0.jpg", "2.jpg"})}


def test_unreadable_images_are_not_compared() -> None:
    matrix = planted([(0, 1)])
    found = find_similar(dataset_of([0] * COUNT), features_of(matrix, unreadable=[1]))
    assert (found.images, found.found) == (COUNT - 1, 0)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_images_are_no_problem(count: int) -> None:
    dataset = dataset_of([0] * 3).without(range(count, 3))
    found = find_similar(dataset, features_of(scattered(0, 3)[:count]))
    assert (found.images, found.pairs) == (count, ())


def test_features_that_are_all_equal_or_all_zero() -> None:
    ones = find_similar(dataset_of([0] * 20), features_of(np.ones((20, WIDTH))))
    assert ones.found == 190
    zeros = find_similar(dataset_of([0] * 20), features_of(np.zeros((20, WIDTH))))
    assert zeros.found == 0


@pytest.mark.parametrize("block", [1, 7, 16, 59, 60])
def test_blocks_give_what_one_matrix_gives(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dataset_of(np.arange(COUNT) % 2)
    features = features_of(planted([(0, 1), (1, 50), (2, 30), (58, 59)], off=0.15))
    whole = find_similar(dataset, features)
    assert whole.found >= 4
    monkeypatch.setattr(similar, "_BLOCK", block)
    assert find_similar(dataset, features) == whole


@settings(max_examples=20)
@given(
    st.permutations(range(COUNT)),
    st.lists(st.tuples(st.integers(0, 29), st.integers(30, 59)), max_size=6),
    st.integers(0, 9),
)
def test_the_order_of_the_images_does_not_matter(order, pairs, seed) -> None:
    matrix, labels = planted(pairs, seed), np.arange(COUNT) % 3
    names = [f"{number}.jpg" for number in range(COUNT)]
    one = find_similar(dataset_of(labels, names=names), features_of(matrix))
    order = np.array(order)
    moved = dataset_of(labels[order], names=[names[at] for at in order])
    other = find_similar(moved, features_of(matrix[order]))
    assert named(one) == named(other)
    assert (one.found, one.differ_in_label) == (other.found, other.differ_in_label)
    sets = [{frozenset(cluster.names) for cluster in each.clusters} for each in (one, other)]
    assert sets[0] == sets[1]


def test_of_very_many_pairs_those_that_matter_are_listed_and_all_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(similar, "MAX_PAIRS", 5)
    monkeypatch.setattr(similar, "_BLOCK", 8)
    splits = ["train"] * 28 + ["validation"] * 2
    matrix = np.ones((30, WIDTH))
    found = find_similar(dataset_of([0] * 30, splits), features_of(matrix))
    assert (found.found, found.across_splits) == (435, 56)
    assert len(found.pairs) == 5
    assert all(pair.across_splits for pair in found.pairs)
    assert [len(cluster.names) for cluster in found.clusters] == [30]


def test_no_more_than_a_block_is_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar, "_BLOCK", 8)
    asked: list[int] = []

    class Watched(np.ndarray):
        def __getitem__(self, key):  # pyright: ignore[reportIncompatibleMethodOverride]
            found = np.asarray(super().__getitem__(key))
            asked.append(len(found))
            return found

    features = features_of(planted([(0, 1)]))
    object.__setattr__(features, "matrix", features.matrix.view(Watched))
    assert find_similar(dataset_of([0] * COUNT), features).found == 1
    assert max(asked) == 8


def test_progress_stop_and_a_share_out_of_range() -> None:
    dataset, features = dataset_of([0] * COUNT), features_of(scattered())
    heard = HeardJob()
    find_similar(dataset, features, job=heard)
    assert heard.steps("comparing")[-1] == (1, 1)
    job = stopped_job()
    with pytest.raises(Interrupted, match="comparing the images"):
        find_similar(dataset, features, job=job)
    with pytest.raises(SettingError, match="`nearer` to be a number above 0 and below 1"):
        find_similar(dataset, features, nearer=1.0)
