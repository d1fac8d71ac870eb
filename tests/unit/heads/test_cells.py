"""The mean over cells, in either precision."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.heads.cells import mean_cells, mean_half_cells


def kept_means(grids: np.ndarray, rows: np.ndarray, keep: np.ndarray) -> list[np.ndarray]:
    """What the kernels should give."""
    return [grids[row][kept].mean(axis=0) for row, kept in zip(rows, keep, strict=True)]


def test_the_mean_of_cells_is_that_of_the_kept_ones() -> None:
    random = np.random.default_rng(0)
    grids, keep = random.normal(size=(7, 6, 9)).astype(np.float32), random.random((4, 6)) < 0.5
    keep[:, 1] = True
    rows, out = np.array([5, 0, 5, 3]), np.empty((4, 9), np.float32)
    mean_cells(grids, rows, keep, out)
    np.testing.assert_allclose(out, kept_means(grids, rows, keep), rtol=1e-6, atol=1e-7)


@pytest.mark.when_changed("stacked engine")
def test_every_half_precision_number_is_read_as_what_it_is() -> None:
    every = np.arange(65_536, dtype=np.uint16)
    numbers = every.view(np.float16).astype(np.float32)
    grids = every[np.isfinite(numbers)].reshape(1, 1, -1)
    one, keep = np.zeros(1, np.int64), np.ones((1, 1), np.bool_)
    out = np.empty((1, grids.size), np.float32)
    mean_half_cells(grids, one, keep, out)
    np.testing.assert_array_equal(out[0], numbers[np.isfinite(numbers)])
    for bad in (np.inf, -np.inf, np.nan):
        spoilt = np.array([[[1, bad]]], np.float16).view(np.uint16)
        mean_half_cells(spoilt, one, keep, out[:, :2])
        assert np.isnan(out[0, :2]).all()


def test_the_mean_of_half_precision_cells_is_that_of_the_kept_ones() -> None:
    random = np.random.default_rng(0)
    grids, keep = random.normal(size=(7, 6, 9)).astype(np.float16), random.random((4, 6)) < 0.5
    keep[:, 1] = True
    rows, out = np.array([5, 0, 5, 3]), np.empty((4, 9), np.float32)
    mean_half_cells(grids.view(np.uint16), rows, keep, out)
    wanted = kept_means(grids.astype(np.float32), rows, keep)
    np.testing.assert_allclose(out, wanted, rtol=1e-6, atol=1e-7)
