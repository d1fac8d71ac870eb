"""Selection: which epoch of a trial, which trial of a candidate, which candidate of a study.

Validation images decide, and nothing else does. Because they decide, the score of what they
chose flatters it; that is why a test set is for reporting and validation is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from manyheads.heads.bank import Metrics, rank_epoch
from manyheads.study.space import Trial

LAST_EPOCHS = 10

RULES = {
    "best_accuracy": "highest mean over seeds of the peak val_accuracy; among equals, lowest "
    "mean of the minimum val_loss",
    "best_loss": "lowest mean over seeds of the minimum val_loss",
    "last": "highest mean over seeds of the last epoch's val_accuracy; among equals, lowest "
    "mean of the last epoch's val_loss",
}


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

    def measures(self) -> dict[str, float]:
        """The curve in a few numbers, each a validation score."""
        accuracy = [metrics.val_accuracy for metrics in self.curve]
        loss = [metrics.val_loss for metrics in self.curve]
        return {
            "peak_val_accuracy": max(accuracy),
            "last_ten_val_accuracy": fmean(accuracy[-LAST_EPOCHS:]),
            "final_val_accuracy": accuracy[-1],
            "min_val_loss": min(loss),
            "final_val_loss": loss[-1],
            "best_epoch": float(self.epoch),
        }


MEASURES = (
    "peak_val_accuracy",
    "last_ten_val_accuracy",
    "final_val_accuracy",
    "min_val_loss",
    "final_val_loss",
    "best_epoch",
)


@dataclass(frozen=True)
class Spread:
    """A mean over trials and its sample standard deviation (None for a single trial)."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class CandidateResult:
    """What a candidate's trials came to; `best` is None when every one of them failed."""

    candidate: int
    trials: int
    failed: int
    measures: dict[str, Spread]
    best: Outcome | None


def summarise(
    candidate: int, rule: str, outcomes: Sequence[Outcome], failed: int
) -> CandidateResult:
    """A candidate's result from its finished trials and the number of failed ones."""
    tables = [outcome.measures() for outcome in outcomes]
    measures = {name: Spread.of([table[name] for table in tables]) for name in MEASURES if tables}
    best = max(
        outcomes,
        key=lambda o: (rank_epoch(rule, o.epoch, o.chosen), -o.trial.number),
        default=None,
    )
    return CandidateResult(candidate, len(outcomes) + failed, failed, measures, best)


def ranked(rule: str, results: Sequence[CandidateResult]) -> list[CandidateResult]:
    """The candidates that have a result, best first by `RULES[rule]`, then in their order."""

    def key(result: CandidateResult) -> tuple[float, ...]:
        mean = {name: spread.mean for name, spread in result.measures.items()}
        return {
            "best_accuracy": (-mean["peak_val_accuracy"], mean["min_val_loss"]),
            "best_loss": (mean["min_val_loss"],),
            "last": (-mean["final_val_accuracy"], mean["final_val_loss"]),
        }[rule] + (result.candidate,)

    return sorted((result for result in results if result.best), key=key)
