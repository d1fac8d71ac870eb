"""The answer in words, and that no winner is named that the evidence does not give."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.cli.closing import verdict_lines
from manyheads.findings.verdict import Verdict, verdict_of
from manyheads.stats.best_set import BestSet, best_set
from manyheads.stats.comparisons import COMPARED, ENDING, Differences, Margins, compare
from manyheads.stats.validation_predictions import OtherEpochs, Validated

ALIKE = World(liking=0.02, seed=0.01, rest=0.1)


def answer(
    shape: Shape,
    shift: float = 0.0,
    world: World = ALIKE,
    margins: Margins | None = None,
    number: int = 0,
) -> Verdict:
    found = named(made_up(np.random.default_rng(number), world, shape, shift))
    return judged(found, margins or Margins(), selected=1)


def named(found: Validated) -> Validated:
    return replace(found, names=tuple(f"droprate 0.{c}" for c in found.candidates))


def with_ends(
    found: Validated, training: Sequence[float] = (), later: Sequence[float] = ()
) -> Validated:
    """The same with other epochs: equal ones, and final ones with so much more log loss `later`.

    `training` are the candidates' losses on the training images.
    """
    alike = [0.0] * len(found.candidates)
    losses = dict(zip(found.candidates, training or alike, strict=True))
    more = dict(zip(found.candidates, later or alike, strict=True))
    heads = found.seeds(), len(found.fold_of), found.folds

    def at(candidate: int, moment: str) -> np.ndarray:
        said = found.log_probabilities(candidate)
        return said - np.float32(more[candidate]) if moment == "final" else said

    others = OtherEpochs(
        at=at,
        training=lambda candidate: np.full(heads, losses[candidate]),
        luck=lambda *_: np.zeros(heads),
    )
    return replace(found, other_epochs=others)


def judged(
    found: Validated,
    margins: Margins | None = None,
    *,
    selected: int | None = None,
    advise: bool = True,
) -> Verdict:
    """The verdict as `read_findings` asks for it; all cost the same."""
    margins, differences = margins or Margins(), Differences(found)
    ends = None
    if found.other_epochs is not None:
        ends = compare(found, metrics=ENDING, margins=margins, advise=False)
    sets = [
        best_set(differences, metric, lambda _: 1.0, among=found.candidates) for metric in COMPARED
    ]
    compared = compare(found, margins=margins, advise=advise)
    return verdict_of(found, compared, ends=ends, best=sets, selected=selected)


def spread(found: Validated, step: float) -> Validated:
    """Each candidate better than the one before it."""

    def changed(candidate: int) -> np.ndarray:
        said = found.log_probabilities(candidate).astype(np.float64)
        said[..., 0] += candidate * step
        total = np.logaddexp.reduce(said, axis=-1, keepdims=True)
        return (said - total).astype(np.float32)

    return replace(found, log_probabilities=changed)


def test_one_that_is_worse_is_said_once_with_its_interval() -> None:
    said = answer(Shape(candidates=3, seeds=8, images=2000), -0.5)
    best, accuracy, loss, basis = said.sentences
    assert best == "Best (95 %): droprate 0.2 or 0.3, by accuracy and log loss."
    assert accuracy.startswith("Accuracy: 0.1 worse than 0.2 and 0.3 by ")
    assert "] points" in accuracy
    assert loss.startswith("Log loss: 0.1 worse than 0.2 and 0.3 by 0.1")
    assert "[0." in loss
    assert basis == "On 2,000 validation images, 8 seeds; family-wise error rate ≤ 5 %."
    assert "The selected droprate 0.1 is worse than 0.2 and 0.3 by accuracy." in said.notes


def test_the_interval_that_is_said_is_the_adjusted_one() -> None:
    said = answer(Shape(candidates=2, seeds=8, images=2000), -0.5)
    (entry,) = said.comparisons.of("log_loss")
    low, high = entry.adjusted_low, entry.adjusted_high
    assert f"by {entry.difference:.3f} [{low:.3f}, {high:.3f}]" in str(said)
    assert low < entry.low


@pytest.mark.when_changed("statistics")
def test_nothing_is_better_or_worse_where_nothing_is_declared() -> None:
    for candidates in (2, 4, 20):
        said = str(answer(Shape(candidates=candidates, seeds=3, images=60), world=World()))
        assert "better" not in said
        assert "worse" not in said
        assert said.count("no significant difference") == 2
        assert f"Best (95 %): any of the {candidates}, by accuracy and log loss." in said


def test_equivalence_is_said_with_its_margin() -> None:
    margins = Margins(accuracy=0.02, log_loss=0.05)
    said = answer(Shape(candidates=3, seeds=8, images=2000), margins=margins)
    assert said.sentences[1] == "Accuracy: 3 of 3 equivalent within ±2 points."
    assert (
        said.sentences[2] == "Log loss: no significant difference; 3 of 3 equivalent within ±0.05."
    )
    alone = answer(Shape(candidates=2, seeds=8, images=2000)).sentences
    assert alone[1] == "Accuracy: no significant difference; 1 equivalent within ±1 point."


def test_what_would_settle_it_is_a_hint() -> None:
    shape, world = Shape(candidates=2, seeds=4, images=300), World(liking=0)
    every = (answer(shape, 0.25, world, number=number) for number in range(20))
    said = next(said for said in every if said.hints)
    assert any("separating droprate 0.1 from 0.2 would take " in hint for hint in said.hints)
    assert "would take" not in str(said)


def test_many_differences_are_counted() -> None:
    base = made_up(np.random.default_rng(0), ALIKE, Shape(candidates=20, seeds=8, images=500))
    said = judged(spread(named(base), 0.15))
    assert re.search(r"1\d\d/190 differ\.$", said.sentences[1])
    assert re.search(r"1\d\d/190 differ\.$", said.sentences[2])
    assert said.sentences[2].startswith("Log loss: 0.1 worse than 0.20 by ")


def test_settings_of_several_hyperparameters_are_kept_apart() -> None:
    base = made_up(np.random.default_rng(0), ALIKE, Shape(candidates=2, seeds=8, images=500), 1.0)
    found = replace(
        base, names=("learning_rate 0.1, droprate 0", "learning_rate 0.1, droprate 0.5")
    )
    best, accuracy, *_ = judged(found).sentences
    assert best.endswith("(learning_rate 0.1, droprate 0), by accuracy and log loss.")
    assert (
        "(learning_rate 0.1, droprate 0.5) worse than (learning_rate 0.1, droprate 0) by"
        in accuracy
    )


def test_one_seed_and_one_candidate_say_so() -> None:
    one_seed = answer(Shape(candidates=3, seeds=1, images=50))
    assert one_seed.sentences[0].startswith("With one seed, differences between settings cannot")
    assert not one_seed.hints
    alone = answer(Shape(candidates=1, seeds=3, images=50))
    assert "nothing to compare: droprate 0.1 is the only candidate" in alone.sentences[0]
    assert len(alone.sentences) == 2


def failing(found: Validated, change) -> Validated:
    """The same study after `change(candidate, log probabilities)`."""

    def changed(candidate: int) -> np.ndarray:
        said = found.log_probabilities(candidate).copy()
        change(candidate, said)
        return said

    return replace(found, log_probabilities=changed)


def test_failed_seeds_and_folds_are_told() -> None:
    shape = Shape(candidates=2, seeds=4, images=50, folds=5, repeats=3)

    def fail(candidate: int, said: np.ndarray) -> None:
        if candidate == 2:
            said[0] = np.nan

    said = judged(failing(named(made_up(np.random.default_rng(0), ALIKE, shape)), fail))
    assert "Some trials failed: droprate 0.2 counts with 3 of 4 seeds." in said.notes
    assert said.sentences[-1].startswith("On 50 images in 5 folds × 3, 4 seeds")


def test_no_seed_in_common_is_told() -> None:
    def fail(candidate: int, said: np.ndarray) -> None:
        said[candidate - 1] = np.nan

    base = named(made_up(np.random.default_rng(0), ALIKE, Shape(candidates=2, seeds=2, images=50)))
    said = judged(failing(base, fail))
    assert said.sentences[0].startswith("There is nothing to compare: no two candidates share")


def test_a_baseline_from_the_ends_of_the_table_is_told() -> None:
    base = made_up(np.random.default_rng(0), ALIKE, Shape(candidates=5, seeds=4, images=200), 1.0)
    found = named(base)
    said = verdict_of(found, compare(found, baseline=1))
    assert any("adjusted for all 20" in note for note in said.notes)
    assert not any("baseline" in note for note in judged(found).notes)


def test_the_end_of_training_has_a_sentence_of_its_own() -> None:
    shape = Shape(candidates=3, seeds=8, images=800)
    base = named(made_up(np.random.default_rng(0), ALIKE, shape))
    same = judged(with_ends(base)).sentences
    assert same[3] == "Final loss: no significant difference."
    apart = judged(with_ends(base, later=(0.2, 0.4, 0.6)))
    assert apart.sentences[3].startswith("Final loss: 0.3 worse than 0.1 by 0.4")
    assert "Log loss: no significant difference" in str(apart)
    # Final losses that do not differ, and training losses that do.
    gap = judged(with_ends(base, training=(0.1, 0.3, 0.3)))
    assert gap.sentences[3].startswith("Final gap: 0.1 worse than 0.2 and 0.3 by 0.19")


@pytest.mark.when_changed("studies")
def test_what_an_earlier_version_did_not_keep_is_told() -> None:
    base = named(made_up(np.random.default_rng(0), ALIKE, Shape(candidates=2, seeds=3, images=99)))
    assert any("nothing is known of the end of training" in note for note in judged(base).notes)
    assert judged(base).ends is None
    assert not judged(with_ends(base)).notes


def told(*sets: BestSet) -> str:
    base = made_up(np.random.default_rng(0), ALIKE, Shape(candidates=4, seeds=4, images=90))
    found = named(base)
    return verdict_of(found, compare(found, advise=False), best=sets).sentences[0]


def test_the_best_are_told_once_where_both_metrics_agree_on_them() -> None:
    """Whichever of them is first in a metric."""
    sets = BestSet("log_loss", (3, 1), 4, None), BestSet("accuracy", (1, 3), 4, None)
    assert told(*sets) == "Best (95 %): droprate 0.1 or 0.3, by accuracy and log loss."
    one = told(BestSet("log_loss", (2,), 4, None), BestSet("accuracy", (2,), 4, None))
    assert one == "Best (95 %): droprate 0.2, by accuracy and log loss."


def test_the_best_are_told_by_metric_where_they_differ() -> None:
    sets = BestSet("log_loss", (3, 1, 4), 4, None), BestSet("accuracy", (2, 3, 1, 4), 4, None)
    assert told(*sets) == "Best (95 %) by accuracy: any of the 4; log loss: 0.1, 0.3, 0.4."
    few = BestSet("log_loss", (4,), 4, None), BestSet("accuracy", (4, 1), 4, None)
    assert told(*few) == "Best (95 %): droprate 0.1 or 0.4 by accuracy; 0.4 by log loss."


def test_the_cheapest_of_the_best_is_told() -> None:
    both = told(BestSet("log_loss", (3, 1), 4, 1), BestSet("accuracy", (1, 3), 4, 1))
    assert both == "Best (95 %): 0.1, 0.3, by accuracy and log loss; cheapest: 0.1."
    apart = told(BestSet("log_loss", (3, 2), 4, 2), BestSet("accuracy", (1, 3), 4, 1))
    assert apart.endswith(
        "the cheapest of them is droprate 0.1 by accuracy and droprate 0.2 by log loss."
    )


def dealt(random: np.random.Generator) -> Validated:
    """A study of any size of four rates, which differ by anything from nothing to very much."""
    shape = Shape(
        candidates=4,
        seeds=int(random.choice([2, 5, 10])),
        images=int(random.choice([60, 300, 1500])),
        folds=int(random.choice([1, 5])),
    )
    world = World(liking=random.choice([0.02, 0.5]), rest=random.choice([0.1, 0.8]))
    base = made_up(random, world, shape)
    shifts, later = random.choice([0, 0.1, 0.3, 1], 2)[:, None] * random.normal(size=(2, 4))
    losses = 0.3 + random.choice([0, 0.1]) * random.normal(size=4)

    def said(candidate: int) -> np.ndarray:
        given = base.log_probabilities(candidate)
        margin = given[..., 0] - given[..., 1] + shifts[candidate - 1]
        return -np.logaddexp(0, np.stack([-margin, margin], -1)).astype(np.float32)

    names = tuple(f"droprate {rate}" for rate in (0.1, 0.25, 0.5, 0.8))
    found = replace(base, names=names, log_probabilities=said)
    return with_ends(found, losses.tolist(), np.abs(later).tolist())


@pytest.mark.when_changed("statistics")
def test_of_four_settings_of_a_hyperparameter_it_takes_five_lines_of_80_columns() -> None:
    seen = set()
    for number in range(40):
        said = judged(dealt(np.random.default_rng(number)), advise=False)
        lines = verdict_lines(cast(Any, SimpleNamespace(verdict=said, collapsed_words=None)))
        assert len(lines) <= 5, lines
        assert max(map(len, lines)) <= 80
        seen |= {
            word for word in ("any of", " or ", "equivalent", "differ.", "/") if word in str(said)
        }
    assert len(seen) == 5  # the studies do differ


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("candidates", [1, 2, 4, 8])
def test_few_sentences_whatever_was_found(candidates: int) -> None:
    for shift in (0.0, 0.5):
        said = answer(Shape(candidates=candidates, seeds=4, images=200), shift)
        assert 2 <= len(said.sentences) <= 4
        every = *said.sentences, *said.notes, *said.hints
        assert all(sentence.endswith(".") for sentence in every)
        assert str(said) == "\n".join((*said.sentences, *said.notes))
