"""What a head is shown: how much is hidden, which copies are drawn, which pairs are mixed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.heads.fold import PLAIN, Variant
from manyheads.heads.inputs import TrainingInputs, block_rate, dropped, kept_cells
from manyheads.heads.random import SeededStreams
from tests.banks import generated_fold, settings, with_versions

FOLD = with_versions(generated_fold())


def shown(**changes: Any):
    """The whole first epoch of a head."""
    given = settings(**changes).hyperparameters
    epoch = TrainingInputs(given, FOLD, SeededStreams(0)).epoch(1)
    return epoch.part(slice(0, len(FOLD.train))), epoch


@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("rate", [0.1, 0.4, 0.7])
def test_the_share_of_hidden_cells_is_the_rate_in_the_mean(rate: float, block: int) -> None:
    draws = np.random.default_rng(0).random((20_000, 30), dtype=np.float32)
    keep = kept_cells(draws, rate, block, (5, 6))
    error = np.std(1 - keep.mean(axis=1)) / np.sqrt(len(keep))
    assert 1 - keep.mean() == pytest.approx(rate, abs=4 * error + 0.002)
    assert keep.any(axis=1).all()


def test_hidden_cells_are_whole_blocks_inside_the_grid() -> None:
    draws = np.random.default_rng(0).random((500, 30), dtype=np.float32)
    for keep in kept_cells(draws, 0.2, 2, (5, 6)).reshape(-1, 5, 6):
        hidden = ~keep
        blocks = hidden[:-1, :-1] & hidden[1:, :-1] & hidden[:-1, 1:] & hidden[1:, 1:]
        covered = np.zeros_like(hidden)
        for row, column in np.argwhere(blocks):
            covered[row : row + 2, column : column + 2] = True
        np.testing.assert_array_equal(covered, hidden)


def test_where_all_would_be_hidden_the_greatest_draw_stays() -> None:
    draws = np.array([[0.1, 0.3, 0.2, 0.05]], np.float32)
    np.testing.assert_array_equal(kept_cells(draws, 0.9, 1, (2, 2)), [[False, True, False, False]])


@given(st.floats(0.01, 0.99), st.integers(1, 4), st.integers(4, 9), st.integers(4, 9))
def test_the_rate_of_blocks_solves_its_equation(rate: float, block: int, rows: int, columns: int):
    gamma = block_rate(rate, block, (rows, columns))
    covers = np.zeros((rows, columns))
    for row in range(rows - block + 1):
        for column in range(columns - block + 1):
            covers[row : row + block, column : column + block] += 1
    assert (1 - (1 - gamma) ** covers).mean() == pytest.approx(rate)


def test_a_plain_head_is_shown_its_matrix_and_no_copy() -> None:
    part, epoch = shown()
    assert part.vectors is FOLD.matrix
    np.testing.assert_array_equal(part.rows, FOLD.train[epoch.order])
    assert (part.shares == 1).all()


def test_copies_are_drawn_alike_often_and_anew_in_each_epoch() -> None:
    given = settings(augmented_copies=2).hyperparameters
    inputs = TrainingInputs(given, FOLD, SeededStreams(0))
    sources, drawn = [FOLD.source(v) for v in (PLAIN, Variant(1), Variant(2))], []
    for number in range(1, 41):
        epoch = inputs.epoch(number)
        part = epoch.part(slice(0, 70))
        versions = [
            [np.array_equal(vector, each.array[each.rows[sample]]) for each in sources]
            for vector, sample in zip(part.vectors, epoch.order, strict=True)
        ]
        assert (np.sum(versions, axis=1) == 1).all()
        drawn.append(np.argmax(versions, axis=1))
    counts = np.bincount(np.concatenate(drawn))
    assert np.abs(counts / counts.sum() - 1 / 3).max() < 0.04
    assert not np.array_equal(drawn[0], drawn[1])


def test_pairs_are_mixed_within_their_batch_and_the_own_share_is_the_larger() -> None:
    part, epoch = shown(mixup=0.5)
    assert ((part.shares >= 0.5) & (part.shares <= 1)).all()
    pairs, _ = epoch._mixed
    np.testing.assert_array_equal(np.arange(70) // 32, pairs // 32)
    plain = FOLD.matrix[FOLD.train[epoch.order]]
    share = part.shares[:, None]
    np.testing.assert_allclose(part.vectors, share * plain + (1 - share) * plain[pairs], rtol=1e-6)
    np.testing.assert_array_equal(part.partners, part.labels[pairs])


def test_half_precision_grids_are_read_as_the_numbers_that_they_hold() -> None:
    halves = {
        version: dataclasses.replace(source, array=source.array.astype(np.float16))
        for version, source in FOLD.sources.items()
    }
    fold = dataclasses.replace(FOLD, sources=halves)
    rounded = dataclasses.replace(
        FOLD,
        sources={v: dataclasses.replace(s, array=s.array.astype(np.float32))
                 for v, s in halves.items()},
    )  # fmt: skip
    given = settings(dropblock=0.5).hyperparameters
    parts = [
        TrainingInputs(given, each, SeededStreams(0)).epoch(1).part(slice(0, 70))
        for each in (fold, rounded)
    ]
    np.testing.assert_allclose(parts[0].vectors, parts[1].vectors, rtol=1e-6, atol=1e-7)


def test_dropped_inputs_keep_their_mean() -> None:
    draws = np.random.default_rng(0).random((4000, 50), dtype=np.float32)
    assert dropped(np.ones_like(draws), draws, 0.3).mean() == pytest.approx(1, abs=0.01)
    assert set(np.unique(dropped(np.ones((2, 50), np.float32), draws[:2], 0.5))) == {0, 2}
