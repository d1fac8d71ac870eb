"""Selection: hand-made curves, and who wins by which rule."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

import pytest

from manyheads.heads.bank import Metrics
from manyheads.heads.epoch_rules import EPOCH_RULES, SCORE_RULES
from manyheads.study.select import (
    MEASURES,
    CandidateResult,
    Outcome,
    chosen_epoch,
    measures_of,
    ranked,
    rule_words,
    summarise,
)
from manyheads.study.space import Trial


def outcome(
    accuracies: Sequence[float], losses: Sequence[float], epoch: int, number: int = 1
) -> Outcome:
    curve = [Metrics(0.5, 1.0, a, loss) for a, loss in zip(accuracies, losses, strict=True)]
    return Outcome(Trial(number=number, candidate=1, seed=number, fold=0), epoch, curve)


def chosen_by(rule: str, accuracies: Sequence[float], losses: Sequence[float]) -> Outcome:
    """A trial at the epoch that `rule` chooses."""
    curve = outcome(accuracies, losses, 1).curve
    return outcome(accuracies, losses, chosen_epoch(rule, curve))


def test_every_rule_is_put_in_words() -> None:
    words = [rule_words(rule) for rule in (*EPOCH_RULES, *SCORE_RULES, "fixed:7", "fixed:8")]
    assert len(set(words)) == len(words)
    assert "epoch 7" in words[-2]


def test_a_curve_in_a_few_numbers() -> None:
    accuracies = [0.1, 0.9, *([0.5] * 9), 0.7]
    losses = [2.0, 1.0, 0.4, *([1.5] * 9)]
    assert outcome(accuracies, losses, 2).measures() == {
        "peak_val_accuracy": 0.9,
        "last_ten_val_accuracy": pytest.approx((9 * 0.5 + 0.7) / 10),
        "final_val_accuracy": 0.7,
        "min_val_loss": 0.4,
        "final_val_loss": 1.5,
        "chosen_val_accuracy": 0.9,
        "chosen_val_loss": 1.0,
        "best_epoch": 2.0,
    }
    assert tuple(outcome([0.1], [1.0], 1).measures()) == MEASURES


@pytest.mark.parametrize("rule", SCORE_RULES)
def test_a_rule_by_a_score_ranks_epochs_and_candidates_by_it(rule: str) -> None:
    """Accuracy is the other way round, and among equal scores the loss decides."""

    def result(candidate: int, scores: Sequence[float], losses: Sequence[float]) -> CandidateResult:
        curve = [
            Metrics(0.5, 1.0, 1 - score, loss, score)
            for score, loss in zip(scores, losses, strict=True)
        ]
        trial = Trial(number=candidate, candidate=candidate, seed=0, fold=0)
        found = Outcome(trial, chosen_epoch(rule, curve), curve)
        return summarise(candidate, rule, [found], failed=0, epochs=3)

    results = [
        result(1, (0.9, 0.2, 0.6), (1, 1, 2)),
        result(2, (0.3, 0.3, 0.6), (1, 1, 1)),
        result(3, (0.4, 0.8, 0.7), (1, 1, 1)),
    ]
    assert [each.best.epoch for each in results if each.best] == (
        [1, 3, 2] if rule.startswith("best") else [3, 3, 3]
    )
    order = [each.candidate for each in ranked(rule, results)]
    assert order == ([1, 3, 2] if rule.startswith("best") else [3, 2, 1])
    assert measures_of(rule)[-1] in results[0].measures
    assert measures_of("last") == MEASURES


def test_a_curve_of_fewer_than_ten_epochs_is_averaged_whole() -> None:
    assert outcome([0.2, 0.4], [1.0, 1.0], 2).measures()["last_ten_val_accuracy"] == (
        pytest.approx(0.3)
    )


def test_spreads_are_over_trials() -> None:
    trials = [outcome([peak], [loss], 1, n) for n, (peak, loss) in enumerate([(0.5, 1), (0.8, 3)])]
    result = summarise(1, "best_accuracy", trials, failed=1, epochs=1)
    assert (result.trials, result.failed) == (3, 1)
    assert result.measures["peak_val_accuracy"].mean == pytest.approx(fmean([0.5, 0.8]))
    assert result.measures["peak_val_accuracy"].deviation == pytest.approx(stdev([0.5, 0.8]))
    assert result.best is trials[1]


def test_one_trial_has_no_deviation() -> None:
    result = summarise(1, "best_accuracy", [outcome([0.5], [1.0], 1)], failed=0, epochs=1)
    assert {spread.deviation for spread in result.measures.values()} == {None}


def test_a_candidate_that_only_failed_has_no_result_and_no_rank() -> None:
    result = summarise(1, "best_accuracy", [], failed=2, epochs=1)
    assert (result.trials, result.measures, result.best) == (2, {}, None)
    assert ranked("best_accuracy", [result]) == []


@pytest.mark.parametrize(
    ("rule", "winner"),
    [("best_accuracy", 1), ("best_loss", 2), ("last", 3), ("fixed:2", 3)],
)
def test_each_rule_has_its_own_winner(rule: str, winner: int) -> None:
    results = [
        summarise(number, rule, [chosen_by(rule, accuracies, losses)], 0, 1)
        for number, accuracies, losses in (
            (1, [0.9, 0.1], [2.0, 2.0]),
            (2, [0.5, 0.5], [0.1, 2.0]),
            (3, [0.1, 0.8], [2.0, 2.0]),
        )
    ]
    assert ranked(rule, results)[0].candidate == winner


@pytest.mark.parametrize("rule", EPOCH_RULES)
def test_the_winner_is_the_best_on_average_not_the_luckiest(rule: str) -> None:
    lucky = [outcome([0.95], [0.1], 1, 1), outcome([0.2], [3.0], 1, 2)]
    steady = [outcome([0.8], [0.5], 1, 1), outcome([0.8], [0.5], 1, 2)]
    results = [summarise(1, rule, lucky, 0, 1), summarise(2, rule, steady, 0, 1)]
    assert [result.candidate for result in ranked(rule, results)] == [2, 1]


@pytest.mark.parametrize("rule", ["best_accuracy", "last"])
def test_among_equal_accuracies_the_lower_loss_wins(rule: str) -> None:
    results = [
        summarise(1, rule, [outcome([0.8], [0.6], 1)], 0, 1),
        summarise(2, rule, [outcome([0.8], [0.5], 1)], 0, 1),
    ]
    assert ranked(rule, results)[0].candidate == 2


@pytest.mark.parametrize("rule", EPOCH_RULES)
def test_full_ties_go_to_the_first(rule: str) -> None:
    results = [summarise(n, rule, [outcome([0.8], [0.5], 1)], 0, 1) for n in (3, 1, 2)]
    assert [result.candidate for result in ranked(rule, results)] == [1, 2, 3]
    tied = [outcome([0.8], [0.5], 1, number) for number in (2, 1)]
    best = summarise(1, rule, tied, 0, 1).best
    assert best is not None
    assert best.trial.number == 1
