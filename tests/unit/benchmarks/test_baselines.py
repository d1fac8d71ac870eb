"""What the benchmark `baselines` draws, trains and compares."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.baselines import Cell, measured
from benchmarks.parts.contenders import REGRESSION, HeadRule, Logistic, Sweep, with_scaled
from benchmarks.parts.few_images import Draw, Features, draws


@pytest.fixture
def blobs() -> Features:
    """Three classes of 80, 40 and 20 images that a line can tell apart."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), (80, 40, 20))
    matrix = random.normal(size=(140, 6)).astype(np.float32)
    matrix[np.arange(140), labels] += 4
    return Features("blobs", matrix, labels)


@pytest.fixture
def draw(blobs: Features) -> Draw:
    return next(draws(blobs, 56, 1))


def test_a_draw_divides_all_images_by_class(blobs: Features) -> None:
    first, second = draws(blobs, 56, 2)
    for each in (first, second):
        parts = each.train, each.choosing, each.scored
        assert sorted(np.concatenate(parts)) == list(range(140))
        assert [len(part) for part in parts] == [56, 14, 70]
        assert np.bincount(blobs.labels[each.train]).tolist() == [32, 16, 8]
    assert set(first.train) != set(second.train)


def test_at_the_largest_size_half_of_the_rest_chooses(blobs: Features) -> None:
    [each] = draws(blobs, 120, 1)
    assert (len(each.choosing), len(each.scored)) == (10, 10)


@pytest.mark.parametrize(("steps", "epochs"), [(0, 3), (4, 3), (7, 4), (8, 4)])
def test_steps_are_made_by_more_epochs_and_never_by_fewer(steps: int, epochs: int) -> None:
    assert HeadRule(epochs=3, steps=steps).setting(56).epochs == epochs  # each of 2 steps


def test_a_refitted_head_learns_from_the_choosing_images_too(draw: Draw) -> None:
    plain, refitted = HeadRule(), HeadRule(refitted=True)
    again = plain.fitted(draw, draw.labelled)[0]
    assert np.array_equal(refitted.trained(draw)[0].kernel, again.kernel)
    assert not np.array_equal(plain.trained(draw)[0].kernel, again.kernel)


def test_a_temperature_changes_the_loss_and_no_predicted_class(draw: Draw) -> None:
    plain, scaled = (rule(draw) for rule in with_scaled({"head": HeadRule()}).values())
    assert plain.seconds == scaled.seconds  # it is trained once
    different = plain.log_probabilities, scaled.log_probabilities
    assert not np.allclose(*different)
    assert np.array_equal(*(each.argmax(axis=1) for each in different))


def test_a_sweep_answers_as_the_best_of_its_rules(draw: Draw) -> None:
    poor, good = HeadRule({"learning_rate": 1e-6}), HeadRule({"learning_rate": 0.01})
    for metric in ("accuracy", "log_loss"):
        answers, seconds = Sweep((poor, good), metric)(draw)
        assert np.array_equal(answers, good(draw).log_probabilities)
        assert seconds == poor(draw).seconds + good(draw).seconds


def test_contenders_are_paired_by_draw(blobs: Features) -> None:
    contenders = {REGRESSION: Logistic(), "none": HeadRule({"learning_rate": 1e-6}, epochs=1)}
    cell = measured(blobs, 56, 3, contenders)
    assert cell.scored == 70
    for metric in ("accuracy", "log loss"):
        assert cell.beaten("none", [REGRESSION], metric)
        assert not cell.beaten(REGRESSION, ["none"], metric)
        assert cell.apart(REGRESSION, REGRESSION, metric) == (0, 0)


def test_a_lower_loss_is_better_and_an_infinite_one_never_is() -> None:
    scores = {
        "low": np.array([[0.5, 1.0, 0], [0.7, 1.2, 0]]),
        "high": np.array([[0.4, 1.5, 0], [0.6, 1.7, 0]]),
        "none": np.array([[0.4, np.inf, 0], [0.6, 1.7, 0]]),
    }
    cell = Cell("made up", 100, 10, scores)
    difference, half = cell.apart("low", "high", "log loss")
    assert difference == pytest.approx(0.5)
    assert half == pytest.approx(0, abs=1e-12)
    assert cell.beside("high", "low", "accuracy").startswith("0.500 (-0.100 ± 0.000")
    assert cell.beside("none", "low", "log loss") == "–"
    assert not cell.beaten("low", ["none"], "log loss")
