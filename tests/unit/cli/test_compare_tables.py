"""The tables of `manyheads compare`: rows of 80 columns, what they name, and what bounds them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.cli import compare_screen
from manyheads.findings.difference_tables import CellNames, best_table, probability_words
from manyheads.findings.wording import CandidateNames
from manyheads.stats.best_set import BestSet
from manyheads.stats.comparisons import ENDING, Comparisons, Differences, compare
from manyheads.stats.posterior import Posterior, posteriors
from manyheads.stats.validation_predictions import OtherEpochs, Validated

SHAPE = Shape(candidates=3, seeds=4, images=120)


def study(shape: Shape = SHAPE, name: str = "droprate 0.{}", shift: float = 0.0) -> Validated:
    """A made-up study whose candidates are called `name`, its number in the braces."""
    found = made_up(np.random.default_rng(0), World(), shape, shift)
    zeros = np.zeros((shape.seeds, shape.repeats, shape.folds))
    others = OtherEpochs(
        lambda candidate, _: found.log_probabilities(candidate), lambda _: zeros, lambda *_: zeros
    )
    names = tuple(name.format(candidate) for candidate in found.candidates)
    return replace(found, names=names, other_epochs=others)


def printed(validated: Validated, capsys: pytest.CaptureFixture[str]) -> str:
    ends = compare(validated, metrics=ENDING, advise=False)
    compare_screen.print_comparisons(validated, compare(validated), ends, "RUN/comparisons.csv")
    return capsys.readouterr().out


def probabilities(validated: Validated, comparisons: Comparisons) -> list[Posterior]:
    return list(posteriors(Differences(validated), comparisons))


LONGEST = "learning_rate {}e-05, size_inner 1{}, droprate_schedule constant, droprate 0.{}"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("droprate 0.{}", SHAPE),
        ("learning_rate_schedule cosine{}", SHAPE),
        ("input_droprate 0.12{}", Shape(candidates=3, seeds=4, images=120, folds=4)),
        (LONGEST.replace("{}", "{0}"), SHAPE),
    ],
)
def test_a_row_is_a_line_of_80_columns(
    name: str, shape: Shape, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in a terminal, where tables are folded
    validated = study(shape, name)
    lines = re.sub(r"\x1b\[[\d;]*m", "", printed(validated, capsys)).splitlines()
    assert all(len(line) <= 80 for line in lines)
    outcomes = re.compile(r"\S \[\S+, \S+\] +[\d.]+ +(undecided|better|worse|equivalent)")
    assert sum(1 for line in lines if outcomes.search(line)) == 4 * 3  # metrics, pairs
    assert not any("…" in line for line in lines)


def test_values_stand_in_cells_and_their_name_above_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = printed(study(), capsys).splitlines()
    assert lines[1].split()[0] == "droprate"
    assert lines[2].split()[:2] == ["first", "second"]
    assert lines[4].split()[:2] == ["0.1", "0.2"]
    assert "adjusted 95 %" in lines[2]
    assert CellNames({1: "learning_rate 0.1"}).title == "learning_\nrate"


def test_candidates_of_several_hyperparameters_are_numbers_of_a_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = printed(study(name="size_inner 5, droprate 0.{}"), capsys).splitlines()
    assert lines[0] == "Candidates, by their numbers in results.csv"
    assert lines[1:4] == [f"    {n}  size_inner 5, droprate 0.{n}" for n in (1, 2, 3)]
    assert any(line.split()[:2] == ["1", "2"] for line in lines)


def test_the_end_of_training_has_tables_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(study(shift=4.0), capsys)
    before, after = out.split("At the end of training\n")
    assert [before.count(title) for title in ("Log loss, in nats", "Accuracy, in points")] == [1, 1]
    assert after.count("Final log loss, in nats (margin ±0.02)") == 1
    assert after.count("Gap to the training loss, in nats (margin ±0.02)") == 1
    assert out.count("adjusted for these 6 comparisons (Holm)") == 2
    assert "<0.001" in after
    assert "better" in after


@pytest.mark.when_changed("commands")
def test_of_many_pairs_the_first_are_shown_and_the_rest_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    validated = study(Shape(candidates=8, seeds=2, images=40))
    out = printed(validated, capsys)
    assert out.count("… 8 more in RUN/comparisons.csv") == 4  # of 28 in each metric
    found = compare(validated)
    compare_screen.print_posteriors(validated, found, probabilities(validated, found))
    assert capsys.readouterr().out.count("… 8 more with --json") == 2


def test_the_best_are_named_in_each_metric() -> None:
    best = [BestSet("log_loss", (2,), 3, None), BestSet("accuracy", (3, 1), 3, 1)]
    assert best_table(best, CandidateNames(study())).rows == [
        ("Accuracy", "droprate 0.3 and 0.1", "2 of 3", "droprate 0.1"),
        ("Log loss", "droprate 0.2", "1 of 3", "–"),
    ]
    alike = best_table(best[:1], CandidateNames(study()))
    assert alike.rows == [("Log loss", "droprate 0.2", "1 of 3")]
    assert len(alike.columns) == 3


def test_of_very_many_that_may_be_the_best_some_are_named() -> None:
    validated = study(Shape(candidates=300, seeds=2, images=20))
    best = [BestSet("accuracy", validated.candidates, 300, None)]
    ((_, members, count),) = best_table(best, CandidateNames(validated)).rows
    assert members.endswith("0.10 and 290 more")
    assert count == "300 of 300"


def test_probabilities_say_what_they_are_and_that_they_decide_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    validated = study(Shape(candidates=2, seeds=8, images=2000), shift=2.0)
    found = compare(validated)
    compare_screen.print_posteriors(validated, found, probabilities(validated, found))
    out = capsys.readouterr().out
    said = " ".join(out.split())
    assert "the margins are ±0.02 of log loss and ±1 point of accuracy" in said
    assert "given these images and seeds and no opinion beforehand" in said
    assert "not adjusted for many pairs" in said
    assert "decide nothing; the verdict does" in said
    rows = [line.split() for line in out.splitlines() if line.split()[:2] == ["0.1", "0.2"]]
    assert rows == [["0.1", "0.2", ">99.9", "%", "<0.1", "%", "<0.1", "%"]] * 2


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (Shape(candidates=2, seeds=1, images=50), "With one seed"),
        (Shape(candidates=1, seeds=3, images=50), "nothing to compare"),
        (Shape(candidates=2, seeds=3, images=1), "images are too few"),
    ],
)
def test_where_there_are_no_probabilities_the_reason_is_said(
    shape: Shape, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    validated = study(shape)
    found = compare(validated)
    assert probabilities(validated, found) == []
    compare_screen.print_posteriors(validated, found, [])
    out = capsys.readouterr().out
    assert out.startswith("Probabilities: none. ")
    assert why in out


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1.0, ">99.9 %"), (0.99951, ">99.9 %"), (0.999, "99.9 %"), (0.5, "50.0 %"),
        (0.001, "0.1 %"), (0.0004, "<0.1 %"), (0.0, "<0.1 %"),
    ],
)  # fmt: skip
def test_no_probability_is_printed_as_certain(probability: float, words: str) -> None:
    assert probability_words(probability) == words
