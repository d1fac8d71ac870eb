"""Selection: which epoch of a trial, which trial of a candidate, which candidate of a study.

Validation images decide, and nothing else does. Because they decide, the score of what they
chose flatters it; that is why a test set is for reporting and validation is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev

from manyheads.heads.bank import Metrics
from manyheads.heads.epoch_rules import fixed_epoch, rank_epoch, scored_by
from manyheads.heads.epoch_scores import SCORED
from manyheads.study.space import Trial

LAST_EPOCHS = 10

_RULES = {
    "best_accuracy": "highest mean over trials of the peak val_accuracy; among equals, lowest "
    "mean of the minimum val_loss",
    "best_loss": "lowest mean over trials of the minimum val_loss",
    "last": "highest mean over trials of the last epoch's val_accuracy; among equals, lowest "
    "mean of the last epoch's val_loss",
    **{
        f"best_{name}": f"highest mean over trials of the peak val_{name}; among equals, lowest "
        "mean of val_loss in the same epochs"
        for name in SCORED
    },
    **{
        f"last_{name}": f"highest mean over trials of the last epoch's val_{name}; among equals, "
        "lowest mean of the last epoch's val_loss"
        for name in SCORED
    },
}


def rule_words(rule: str) -> str:
    """How `rule` puts candidates in order."""
    fixed = fixed_epoch(rule)
    if fixed is None:
        return _RULES[rule]
    return (
        f"highest mean over trials of val_accuracy in epoch {fixed}; among equals, lowest mean of "
        "val_loss"
    )


@dataclass(frozen=True)
class Outcome:
    """A finished trial: its curve, and the epoch (from 1) that the rule chose."""

    trial: Trial
    epoch: int
    curve: Sequence[Metrics]

    @property
    def chosen(self) -> Metrics:
        """The metrics of the chosen epoch."""
        return self.curve[self.epoch - 1]

    def measures(self, rule: str = "last") -> dict[str, float]:
        """The curve in a few numbers, each a validation score; `rule` is what selects."""
        score = (
            {f"chosen_val_{metric}": self.chosen.val_score} if (metric := scored_by(rule)) else {}
        )
        accuracy = [metrics.val_accuracy for metrics in self.curve]
        loss = [metrics.val_loss for metrics in self.curve]
        return {
            "peak_val_accuracy": max(accuracy),
            "last_ten_val_accuracy": fmean(accuracy[-LAST_EPOCHS:]),
            "final_val_accuracy": accuracy[-1],
            "min_val_loss": min(loss),
            "final_val_loss": loss[-1],
            "chosen_val_accuracy": self.chosen.val_accuracy,
            "chosen_val_loss": self.chosen.val_loss,
            "best_epoch": float(self.epoch),
            **score,
        }


def chosen_epoch(rule: str, curve: Sequence[Metrics]) -> int:
    """The epoch, from 1, that `rule` chooses of a curve of at least one."""
    return max(range(1, len(curve) + 1), key=lambda e: rank_epoch(rule, e, curve[e - 1]))


MEASURES = (
    "peak_val_accuracy",
    "last_ten_val_accuracy",
    "final_val_accuracy",
    "min_val_loss",
    "final_val_loss",
    "chosen_val_accuracy",
    "chosen_val_loss",
    "best_epoch",
)


def measures_of(rule: str) -> tuple[str, ...]:
    """The measures of a study that selects by `rule`: the score that it selects by is the last."""
    metric = scored_by(rule)
    return MEASURES if metric is None else (*MEASURES, f"chosen_val_{metric}")


_OF_THE_END = ("last_ten_val_accuracy", "final_val_accuracy", "final_val_loss")


@dataclass(frozen=True)
class MeanDeviation:
    """A mean over trials and its sample standard deviation (None for a single trial)."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> MeanDeviation:
        """The spread of at least one value."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class CandidateResult:
    """What a candidate's trials came to; `best` is None when every one of them failed.

    `apart` has each measure's mean with its deviation between seeds (and repeats) of the mean over
    folds: how hard a fold is, which all candidates share, has no part in it.
    A pruned candidate was trained to epoch `pruned_after` (None: to its end). Its measures are of
    that short curve, and it has none that speak of the end of training.
    """

    candidate: int
    trials: int
    failed: int
    measures: dict[str, MeanDeviation]
    best: Outcome | None
    pruned_after: int | None = None
    apart: dict[str, MeanDeviation] = field(default_factory=dict)

    def pruned(self, after: int) -> CandidateResult:
        """The same of a candidate that was pruned, less what would look comparable and is not."""
        measures = {n: spread for n, spread in self.measures.items() if n not in _OF_THE_END}
        apart = {name: spread for name, spread in self.apart.items() if name in measures}
        return replace(self, measures=measures, pruned_after=after, apart=apart)


def summarise(
    candidate: int,
    rule: str,
    outcomes: Sequence[Outcome],
    failed: int,
    epochs: int,
    folds: int = 1,
) -> CandidateResult:
    """A candidate's result from its finished trials and the number of failed ones.

    Each division has so many `folds`.

    `epochs` is how many a whole trial has. A mean over the last ten is left out where a trial
    ended early with fewer.
    """
    tables = [outcome.measures(rule) for outcome in outcomes]
    short = any(len(outcome.curve) < min(LAST_EPOCHS, epochs) for outcome in outcomes)
    names = [name for name in measures_of(rule) if not (short and name == "last_ten_val_accuracy")]
    measures = {
        name: MeanDeviation.of([table[name] for table in tables]) for name in names if tables
    }
    whole: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for place, outcome in enumerate(outcomes):
        whole[outcome.trial.seed, outcome.trial.fold // folds].append(place)
    units = [places for places in whole.values() if len(places) == folds]
    apart = {
        name: MeanDeviation(
            spread.mean,
            MeanDeviation.of([fmean(tables[p][name] for p in unit) for unit in units]).deviation
            if units
            else None,
        )
        for name, spread in measures.items()
    }
    best = max(
        outcomes,
        key=lambda o: (rank_epoch(rule, o.epoch, o.chosen), -o.trial.number),
        default=None,
    )
    trials = len(outcomes) + failed
    return CandidateResult(candidate, trials, failed, measures, best, apart=apart)


def rank_candidate(rule: str, result: CandidateResult) -> tuple[float, ...]:
    """A key that is least for the candidate that `rule` puts first, then in their order."""
    mean = {name: spread.mean for name, spread in result.measures.items()}
    if rule == "best_accuracy":
        key = (-mean["peak_val_accuracy"], mean["min_val_loss"])
    elif rule == "best_loss":
        key = (mean["min_val_loss"],)
    elif metric := scored_by(rule):
        key = (-mean[f"chosen_val_{metric}"], mean["chosen_val_loss"])
    else:
        key = (-mean["chosen_val_accuracy"], mean["chosen_val_loss"])
    return (*key, result.candidate)


def ranked(rule: str, results: Iterable[CandidateResult]) -> list[CandidateResult]:
    """The candidates that have a result, best first."""
    return sorted((r for r in results if r.best), key=lambda r: rank_candidate(rule, r))
