"""The randomness of a head."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from manyheads.heads.random import SeededStreams


def test_different_epochs_seeds_and_folds_draw_different_numbers() -> None:
    draws = {
        (seed, fold, epoch): (
            SeededStreams(seed, fold).order(epoch, 50).tobytes(),
            SeededStreams(seed, fold).uniforms(epoch).random(50, dtype=np.float32).tobytes(),
        )
        for seed, fold, epoch in itertools.product(range(3), range(3), range(1, 4))
    }
    for which in (0, 1):
        assert len({draw[which] for draw in draws.values()}) == 27


def test_the_three_kinds_of_draws_are_independent() -> None:
    streams = SeededStreams(3)
    uniforms = streams.uniforms(1).random(1000)
    kernel = streams.initial_parameters(10, 100, 2).inner_kernel.ravel()
    assert abs(np.corrcoef(uniforms, kernel)[0, 1]) < 0.1
    assert abs(np.corrcoef(streams.order(1, 1000), uniforms)[0, 1]) < 0.1


def test_first_parameters_are_the_same_for_heads_of_one_shape() -> None:
    first, again = (SeededStreams(5, 2).initial_parameters(20, 8, 3) for _ in range(2))
    for left, right in zip(first, again, strict=True):
        assert left.tobytes() == right.tobytes()
    other = SeededStreams(6, 2).initial_parameters(20, 8, 3)
    assert not np.array_equal(first.kernel, other.kernel)


@pytest.mark.parametrize("droprate", [0.2, 0.5, 0.8])
def test_the_share_of_kept_units_is_one_less_the_rate(droprate: float) -> None:
    draws = SeededStreams(0).uniforms(1).random((1000, 100), dtype=np.float32)
    kept = draws >= np.float32(droprate)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert kept.mean() == pytest.approx(1 - droprate, abs=0.006)  # four standard deviations
    spread = np.sqrt(droprate * (1 - droprate) / 1000)
    assert np.abs(kept.mean(axis=0) - (1 - droprate)).max() < 5 * spread


def test_what_a_seed_draws_does_not_change_between_versions() -> None:
    """A study that is resumed under a later version must go on with the same numbers."""
    streams = SeededStreams(42, 1)
    assert streams.order(1, 8).tolist() == [6, 4, 2, 5, 3, 1, 0, 7]
    draws = streams.uniforms(1).random(3, dtype=np.float32)
    assert draws.tolist() == [0.7869663238525391, 0.9177553057670593, 0.44436419010162354]
    kernel = streams.initial_parameters(3, 2, 2).kernel.ravel()
    wanted = [0.7492372393608093, -1.166314959526062, -0.28819772601127625, -0.7503963708877563]
    assert kernel.tolist() == wanted
