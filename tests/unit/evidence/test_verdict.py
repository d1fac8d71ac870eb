"""The answer in words, and that no winner is named that the evidence does not give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.evidence.comparisons import Margins, compare
from manyheads.evidence.validated import Validated
from manyheads.evidence.verdict import Verdict, verdict_of

ALIKE = World(liking=0.02, seed=0.01, rest=0.1)


def answer(
    shape: Shape, shift: float = 0.0, world: World = ALIKE, margins: Margins | None = None
) -> Verdict:
    found = named(made_up(np.random.default_rng(0), world, shape, shift))
    return verdict_of(found, compare(found, margins=margins or Margins()), 1)


def named(found: Validated) -> Validated:
    return replace(found, names=tuple(f"droprate 0.{c}" for c in found.candidates))


def test_one_that_is_worse_is_said_once_with_its_interval() -> None:
    said = answer(Shape(candidates=4, seeds=8, images=2000), -0.5)
    assert said.sentences[0].startswith(
        "Log loss: droprate 0.1 is worse than 0.2, 0.3 and 0.4, by "
    )
    assert "[" in said.sentences[0]
    assert said.sentences[1].startswith(
        "Accuracy: droprate 0.1 is worse than 0.2, 0.3 and 0.4, by "
    )
    assert "points" in said.sentences[1]
    assert "the other 3 differences are within ±0.02" in said.sentences[0]
    assert "the selected droprate 0.1 is worse than 0.2, 0.3 and 0.4" in said.sentences[2]
    assert "2,000 validation images and 8 seeds" in str(said)


def test_nothing_is_better_or_worse_where_nothing_is_declared() -> None:
    for candidates in (2, 4, 20):
        said = str(answer(Shape(candidates=candidates, seeds=3, images=60), world=World()))
        assert "better" not in said
        assert "worse" not in said
        assert said.count("does not separate") == 2
        assert "is not separated from" in said


def test_equivalence_is_said_with_its_margin() -> None:
    margins = Margins(accuracy=0.02, log_loss=0.05)
    said = answer(Shape(candidates=3, seeds=8, images=2000), margins=margins)
    assert "every difference is within ±0.05." in said.sentences[0]
    assert "every difference is within ±2 points." in said.sentences[1]


def test_what_would_settle_it_is_named() -> None:
    said = str(answer(Shape(candidates=2, seeds=4, images=400), 0.1, World(liking=0.1)))
    assert "would probably settle droprate 0.1 against 0.2" in said


def test_many_differences_are_counted() -> None:
    base = named(
        made_up(np.random.default_rng(0), ALIKE, Shape(candidates=20, seeds=8, images=500))
    )

    def spread(candidate: int) -> np.ndarray:
        said = base.log_probabilities(candidate).astype(np.float64)
        said[..., 0] += candidate * 0.15
        total = np.logaddexp.reduce(said, axis=-1, keepdims=True)
        return (said - total).astype(np.float32)

    found = replace(base, log_probabilities=spread)
    first = verdict_of(found, compare(found)).sentences[0]
    assert "of 190 differences are real, at most droprate 0.1 worse than 0.20 by" in first
    assert "nothing is shown to be better than" in first
    assert len(first) < 400


def test_settings_of_several_hyperparameters_are_kept_apart() -> None:
    base = made_up(np.random.default_rng(0), ALIKE, Shape(candidates=2, seeds=8, images=500), 1.0)
    found = replace(
        base, names=("learning_rate 0.1, droprate 0", "learning_rate 0.1, droprate 0.5")
    )
    first = verdict_of(found, compare(found)).sentences[0]
    assert (
        "(learning_rate 0.1, droprate 0.5) is worse than (learning_rate 0.1, droprate 0), by"
        in (first)
    )


def test_one_seed_and_one_candidate_say_so() -> None:
    one_seed = answer(Shape(candidates=3, seeds=1, images=50))
    assert one_seed.sentences[0].startswith("One seed cannot tell a setting from its seed")
    alone = answer(Shape(candidates=1, seeds=3, images=50))
    assert "nothing to compare: droprate 0.1 is the only candidate" in alone.sentences[0]


def test_failed_seeds_and_folds_are_told() -> None:
    base = named(
        made_up(np.random.default_rng(0), ALIKE, Shape(candidates=2, seeds=4, images=50, folds=5))
    )

    def failing(candidate: int) -> np.ndarray:
        said = base.log_probabilities(candidate).copy()
        if candidate == 2:
            said[0] = np.nan
        return said

    found = replace(base, log_probabilities=failing)
    last = verdict_of(found, compare(found)).sentences[-1]
    assert "droprate 0.2 counts with 3 of 4 seeds, as trials of the others failed" in last
    assert "50 images in 5 folds" in last


@pytest.mark.parametrize("candidates", [1, 2, 4, 20])
def test_two_or_three_sentences_whatever_was_found(candidates: int) -> None:
    for shift in (0.0, 0.5):
        said = answer(Shape(candidates=candidates, seeds=4, images=200), shift)
        assert 2 <= len(said.sentences) <= 3
        assert all(sentence.endswith(".") for sentence in said.sentences)
        assert str(said) == " ".join(said.sentences)
