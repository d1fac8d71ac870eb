"""How probable it is that a candidate is better, equivalent or worse: another reading, beside p.

A p answers how improbable what was found would be if there were no difference. People often want to
know how probable a difference is. With no opinion beforehand (a flat prior) the true difference
lies around the observed one as the tests' own distribution says, so these probabilities rest
on the variances of the verdict (Behrens 1929, Fisher 1935; the three regions: Benavoli, Corani,
Demšar and Zaffalon 2017, Time for a change).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from manyheads.stats.comparisons import Comparisons, Differences
from manyheads.stats.paired import SHARES, Family


@dataclass(frozen=True)
class Posterior:
    """Probabilities that `first` is better or worse than `second` by more than the margin, or not.

    They sum to 1, and each is of this pair alone: among many pairs some look sure by chance.
    """

    metric: str
    first: int
    second: int
    better: float
    equivalent: float
    worse: float


def posteriors(differences: Differences, comparisons: Comparisons) -> Iterator[Posterior]:
    """The probabilities for each comparison of at least two seeds and units, with its margins."""
    entries = [entry for entry in comparisons.entries if entry.seeds > 1]
    pairs = [differences.between(e.first, e.second, e.metric) for e in entries]
    measured = [pair for pair in pairs if pair is not None]
    if not measured:
        return
    tests = Family(measured)
    margin = [comparisons.margins.of(entry.metric) for entry in entries]
    # One-sided p of "at most the margin" is the probability below it, under a flat prior.
    above = 1 - tests.p_above(margin)
    below = 1 - tests.p_below([-each for each in margin])
    for entry, more, less, unknown in zip(
        entries, above.tolist(), below.tolist(), tests.unknown, strict=True
    ):
        if unknown:
            continue
        better, worse = (more, less) if entry.metric in SHARES else (less, more)
        yield Posterior(
            entry.metric, entry.first, entry.second, better, max(0.0, 1 - better - worse), worse
        )
