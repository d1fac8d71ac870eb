"""What a report says of differences: the best, what to expect of the selected, all comparisons."""

from __future__ import annotations

import math
from collections.abc import Iterator

from manyheads.findings.study_findings import Findings
from manyheads.findings.wording import METRIC_WORDS, Names, needs_words
from manyheads.heads.bank import rule_of
from manyheads.report import bounds, parts
from manyheads.stats.comparisons import Comparisons
from manyheads.stats.intervals import Estimate

_BOOTSTRAP = (
    "Bias-corrected bootstrap, no test set: the setting is chosen again and again on images drawn "
    "with replacement, and scored on those that were not drawn, which takes out the luck of having "
    "been chosen."
)
_APART = " The {metric} is at the epochs best in it; the model has those of {rule} instead."


def best(findings: Findings) -> Iterator[parts.Best]:
    """The candidates that may be the best, by name; nothing where nothing was compared."""
    names = Names(findings.validated)
    for found in reversed(findings.verdict.best if findings.comparisons.entries else ()):
        yield parts.Best(
            metric=found.metric,
            names=names.listed(found.candidates, bounds.BEST),
            count=len(found.candidates),
            compared=found.compared,
            cheapest="" if found.cheapest is None else names.first([found.cheapest]),
        )


def expected(findings: Findings) -> parts.Expectation:
    """What to expect of the selected setting on new images."""
    select, known = findings.settings.select, findings.validated.other_epochs is not None
    scores = tuple(
        parts.Expected(
            metric=each.metric,
            naive=each.naive,
            estimate=interval(Estimate(each.score, each.low, each.high)),
            of_model=not known or rule_of(each.metric, select) == select,
        )
        for each in reversed(findings.winner)
    )
    apart = [METRIC_WORDS[each.metric] for each in scores if not each.of_model]
    return parts.Expectation(
        words=_BOOTSTRAP + "".join(_APART.format(metric=each, rule=select) for each in apart),
        scores=scores,
    )


def comparisons(findings: Findings) -> parts.Comparisons | None:
    """The comparisons of the verdict; None where nothing was compared."""
    verdict = findings.verdict
    return _compared(
        findings,
        verdict.comparisons,
        f"{verdict.sentences[-1]} Intervals are for images and seeds drawn anew together, adjusted "
        "for all comparisons of a family like p (Holm): one that excludes 0 is of a significant "
        "difference.",
        verdict.hints,
    )


def ends(findings: Findings) -> parts.Comparisons | None:
    """The comparisons of the end of training; None where nothing is known of it."""
    return _compared(
        findings,
        findings.verdict.ends,
        "After the last epoch, whatever the rule of selection: the log loss there, and how far it "
        "lies above the training loss of that epoch. Adjusted as a family of their own.",
    )


def interval(estimate: Estimate) -> parts.Interval:
    """An estimate whose unknown ends are infinite."""
    low = -math.inf if estimate.low is None else estimate.low
    high = math.inf if estimate.high is None else estimate.high
    return parts.Interval(estimate.value, low, high)


def _compared(
    findings: Findings, family: Comparisons | None, words: str, hints: tuple[str, ...] = ()
) -> parts.Comparisons | None:
    validated = findings.validated
    if family is None or not family.entries:
        return None
    return parts.Comparisons(
        entries=tuple(
            parts.Comparison(
                first=validated.name(entry.first),
                second=validated.name(entry.second),
                metric=entry.metric,
                difference=parts.Interval(
                    entry.difference, entry.adjusted_low, entry.adjusted_high
                ),
                outcome=entry.outcome,
                p=entry.p_holm,
                settled_by=needs_words(entry.required),
            )
            for entry in family.entries
        ),
        margins={entry.metric: family.margins.of(entry.metric) for entry in family.entries},
        words=words,
        hints=hints,
    )
