"""What is said of a claim."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from manyheads.findings.claim_words import (
    ensemble_sentences,
    epochs_words,
    longer_sentences,
    way_words,
)
from manyheads.findings.ensembles import Contrast, EnsembleEvidence, ScoreRange
from manyheads.findings.training_length import EpochContrast, Longer, Reach
from manyheads.findings.wording import CandidateNames
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import Margins
from manyheads.stats.validation_predictions import Validated

NAMES = CandidateNames(
    cast(
        Validated,
        SimpleNamespace(candidates=(1, 2), names=("droprate 0", "droprate 0.8")),
    )
)
SURE = Estimate(10.0, 9.0, 11.0)


def contrast(outcome: Any, low: float | None, high: float | None, value: float) -> EpochContrast:
    return EpochContrast(
        first=1, second=2, metric="log_loss", difference=Estimate(value, low, high), p=0.01,
        outcome=outcome, seeds=5,
    )  # fmt: skip


def candidate(number: int, past_best: float = 1.0) -> Longer:
    reach = Reach(epoch=SURE, past_best=past_best)
    return Longer(
        candidate=number, name="", heads=5, failed=0, log_loss=reach,
        accuracy=Reach(epoch=SURE, past_best=1.0), lowest_log_loss=SURE, accuracy_there=SURE,
        epochs=(1,), val_loss=(1.0,),
    )  # fmt: skip


def said(*contrasts: EpochContrast, past_best: float = 1.0, seeds: int = 5) -> str:
    found = longer_sentences(
        [candidate(1), candidate(2, past_best)], contrasts, NAMES,
        limit=300, images=341, seeds=seeds, folds=1,
    )  # fmt: skip
    return " ".join(found)


def test_who_needs_longer_comes_first_whichever_way_round_it_was_measured() -> None:
    assert "droprate 0.8 needs 41 [36, 46] epochs more than 0." in said(
        contrast("fewer", -46.2, -36.4, -41)
    )
    assert "droprate 0 needs 41 [36, 46] epochs more than 0.8." in said(
        contrast("more", 36.4, 46.2, 41)
    )


def test_who_is_not_past_its_best_needs_at_least_so_many_and_the_remedy_is_named() -> None:
    words = said(contrast("fewer", None, -36.4, -41), past_best=0.6)
    assert "droprate 0.8 needs at least 41 [36, ∞] epochs more than 0." in words
    assert "droprate 0.8 (in 40 % of heads; at least 10 epochs) had not clearly passed" in words
    assert "; more `epochs` (so far 300) would tell." in words


def test_what_is_undecided_is_not_said_to_be_alike() -> None:
    words = said(contrast("undecided", -3, 4, 1))
    assert "no significant difference" in words
    assert "more than" not in words
    assert "cannot be told from seed noise" in said(contrast("undecided", None, None, 1), seeds=1)


def test_epochs_have_open_ends_where_nothing_is_known() -> None:
    assert epochs_words(Estimate(-41.2, None, -36.0)) == "−41 [−∞, −36]"
    assert epochs_words(Estimate(-0.3, -0.4, 1200.0)) == "0 [0, 1,200]"
    assert epochs_words(Estimate(4.25, None, None), 1) == "4.2 [−∞, ∞]"


@pytest.mark.parametrize(
    ("outcome", "found", "words"),
    [
        ("worse", Estimate(0.2, 0.15, 0.25), "worse in log loss by 0.200 [0.150, 0.250]"),
        ("better", Estimate(-0.2, -0.25, -0.15), "better in log loss by 0.200 [0.150, 0.250]"),
        ("equivalent", Estimate(0, -0.01, 0.01),
         "equivalent in log loss, within ±0.02 (0.000 [−0.010, 0.010])"),
        ("undecided", Estimate(0.1, None, None),
         "no significant difference in log loss (0.100 [−∞, ∞])"),
    ],
)  # fmt: skip
def test_an_answer_has_its_size_and_its_interval(outcome, found: Estimate, words: str) -> None:
    spread = ScoreRange(*[0.5] * 6)
    answer = Contrast(
        first="subnetworks", first_size=1, second="weight_scaling", metric="log_loss",
        difference=found, p=0.01, p_equivalent=1.0, outcome=outcome, draws=5,
    )  # fmt: skip
    evidence = EnsembleEvidence(spread, spread, (), (answer,))
    headline, *_, basis = ensemble_sentences(evidence, Margins(), 341, 5, "accuracy")
    assert headline == f"One random subnetwork against weight scaling: {words}."
    assert "chosen by the accuracy of weight scaling" in basis


def test_ways_have_words() -> None:
    assert way_words("deep", 5) == "an ensemble of 5 seeds"
    assert way_words("deep_subnetworks", 5).endswith("each the average of 100 subnetworks")
