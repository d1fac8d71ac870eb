"""Posterior probabilities of all compared pairs, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from manyheads.core.text import capital
from manyheads.findings.finding import Finding
from manyheads.findings.wording import METRIC_WORDS, CandidateNames
from manyheads.stats.posterior import Posterior


@dataclass(frozen=True)
class Posteriors(Finding, Sequence[Posterior]):
    """The `entries` of every compared pair, in the order of the verdict's comparisons.

    `sentences` has one each. They are of one pair each, not adjusted for many.
    """

    entries: tuple[Posterior, ...]  # pyright: ignore[reportIncompatibleMethodOverride]
    sentences: tuple[str, ...]  # pyright: ignore[reportIncompatibleMethodOverride]

    @classmethod
    def of(cls, entries: Sequence[Posterior], names: CandidateNames) -> Posteriors:
        """Entries with their candidates' `names`."""
        sentences = tuple(
            f"{capital(METRIC_WORDS[each.metric])}, {names.first([each.first])} against "
            f"{names.then([each.second])}: better with probability {each.better:.3f}, equivalent "
            f"{each.equivalent:.3f}, worse {each.worse:.3f}."
            for each in entries
        )
        return cls(tuple(entries), sentences or ("No posterior: two seeds or more are needed.",))

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Posterior: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Posterior, ...]: ...
    def __getitem__(self, index: int | slice) -> Posterior | tuple[Posterior, ...]:
        return self.entries[index]

    def __iter__(self) -> Iterator[Posterior]:
        return iter(self.entries)
