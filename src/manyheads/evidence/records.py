"""What a comparison of two candidates is, and all comparisons of a study."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from manyheads.settings import number, store

COMPARED = ("log_loss", "accuracy")

Outcome = Literal["better", "worse", "equivalent", "undecided"]
_OPPOSITE: dict[Outcome, Outcome] = {"better": "worse", "worse": "better"}


@dataclass(frozen=True, kw_only=True)
class Margins:
    """What is too small to matter: a difference of accuracy, and one of log loss in nats.

    Both above 0, accuracy at most 1. Raises `SettingError`.
    """

    accuracy: float = 0.01
    log_loss: float = 0.02

    def __post_init__(self) -> None:
        accuracy = number("accuracy margin", self.accuracy, 0, 1, open_low=True)
        log_loss = number("log loss margin", self.log_loss, 0, 100, open_low=True)
        store(self, accuracy=accuracy, log_loss=log_loss)


@dataclass(frozen=True)
class Interval:
    """95 % of a difference, by one method, with the p that it is not 0, and that it is small.

    `p_equivalent` is the greater p of two one-sided tests against the margin.
    """

    low: float
    high: float
    p: float
    p_equivalent: float


@dataclass(frozen=True)
class Comparison:
    """Two candidates by one metric: `difference` is the score of `first` less that of `second`.

    So `first` is better where accuracy is above 0, or log loss below; `outcome` says it of
    `first`, in either metric. Of the intervals `two_way` and `folds` (None in a given split) the
    wider one decides: `method`, `low`, `high`, `p`, `p_equivalent`. These stand for one
    comparison alone; `p_holm` and `p_equivalent_holm` for the whole family, and the outcome rests
    on them. What cannot be estimated is None, and `reason` says why.
    """

    first: int
    second: int
    metric: str
    difference: float | None
    seeds: int
    outcome: Outcome = "undecided"
    reason: str = ""
    method: str = ""
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    p_equivalent: float | None = None
    p_equivalent_holm: float | None = None
    two_way: Interval | None = None
    folds: Interval | None = None
    needs_seeds: int | None = None
    needs_images: int | None = None

    def reversed(self) -> Comparison:
        """The same of `second` against `first`."""

        def turned(interval: Interval | None) -> Interval | None:
            return interval and replace(interval, low=-interval.high, high=-interval.low)

        return replace(
            self,
            first=self.second,
            second=self.first,
            difference=None if self.difference is None else -self.difference,
            outcome=_OPPOSITE.get(self.outcome, self.outcome),
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
            two_way=turned(self.two_way),
            folds=turned(self.folds),
        )


@dataclass(frozen=True)
class Comparisons:
    """All comparisons of a study, by metric and then pair; `family` is how many had a p."""

    candidates: tuple[int, ...]
    baseline: int | None
    margins: Margins
    all: tuple[Comparison, ...]
    means: dict[str, dict[int, float | None]] = field(repr=False)

    @property
    def family(self) -> int:
        """How many comparisons share the 5 %."""
        return sum(each.p is not None for each in self.all)

    def of(self, metric: str) -> list[Comparison]:
        """The comparisons by one metric."""
        return [each for each in self.all if each.metric == metric]

    def between(self, first: int, second: int, metric: str) -> Comparison:
        """One comparison, turned so that `first` comes first; `KeyError` if it was not made."""
        for each in self.of(metric):
            if (each.first, each.second) == (first, second):
                return each
            if (each.first, each.second) == (second, first):
                return each.reversed()
        raise KeyError((first, second, metric))
