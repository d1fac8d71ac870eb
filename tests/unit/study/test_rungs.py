"""Rungs: how many candidates train to which epoch."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import SettingError
from manyheads.study.rungs import FIRST_EPOCHS, Rung, check_prune, rungs, rungs_climbed
from manyheads.study.space import Grid
from tests.studies import study_settings


@pytest.mark.parametrize(
    ("candidates", "epochs", "eta", "expected"),
    [
        (1000, 30, 3, [(1000, 4), (333, 10), (111, 30)]),
        (1000, 30, None, [(1000, 30)]),
        (1000, 30, 2, [(1000, 4), (500, 8), (250, 15), (125, 30)]),
        (4, 30, 3, [(4, 10), (1, 30)]),
        (2, 9, 3, [(2, 3), (1, 9)]),
        (1000, 10, 3, [(1000, 4), (333, 10)]),
    ],
)
def test_rungs_as_they_are_announced(candidates, epochs, eta, expected) -> None:
    assert rungs(candidates, epochs, eta) == tuple(Rung(*rung) for rung in expected)


@given(st.integers(2, 100_000), st.integers(1, 100_000), st.integers(2, 100))
def test_each_rung_has_fewer_candidates_and_more_epochs_than_the_one_before(
    candidates: int, epochs: int, eta: int
) -> None:
    climb = rungs(candidates, epochs, eta)
    assert climb[0].candidates == candidates
    assert climb[-1].epochs == epochs
    for below, above in itertools.pairwise(climb):
        assert FIRST_EPOCHS <= below.epochs < above.epochs
        assert 1 <= above.candidates < below.candidates


@pytest.mark.parametrize(
    ("epochs", "climbed"), [(0, [0]), (3, [3]), (4, [4]), (7, [4, 7]), (30, [4, 10, 30])]
)
def test_what_a_trial_has_climbed_is_seen_from_its_curve(epochs: int, climbed: list[int]) -> None:
    assert list(rungs_climbed(rungs(1000, 30, 3), epochs)) == climbed


@pytest.mark.parametrize(
    ("candidates", "epochs", "eta", "words"),
    [
        (1, 30, 3, "at least two candidates, .* found one candidate; list more values, or leave"),
        (10, 8, 3, "at least 9 epochs for prune 3, .* found 8; train for more epochs, or leave"),
        (10, 30, 1, "`prune` to be a whole number from 2 to 100, found 1"),
        (10, 30, "half", "`prune` to be a whole number from 2 to 100, found 'half'"),
    ],
)
def test_what_cannot_be_pruned_is_said(candidates, epochs, eta, words) -> None:
    with pytest.raises(SettingError, match=words):
        check_prune(candidates, epochs, eta)
    droprates = tuple(n / candidates for n in range(candidates))
    with pytest.raises(SettingError, match=words):
        study_settings(grid=Grid((0.1,), (5,), droprates), epochs=epochs, prune=eta)


def test_patience_needs_a_best_epoch_to_wait_for() -> None:
    with pytest.raises(SettingError, match="patience with select last"):
        study_settings(select="last", patience=3)
    with pytest.raises(SettingError, match="`patience` to be a whole number from 1"):
        study_settings(patience=0)
    assert study_settings(select="last", epochs=9, prune="3").prune == 3
