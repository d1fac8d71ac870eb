"""What a report says of differences: what to expect of the selected setting, all comparisons."""

from __future__ import annotations

from dataclasses import replace

from manyheads.core.text import counted
from manyheads.findings.study_findings import Findings
from manyheads.findings.wording import METRIC_WORDS, CandidateNames
from manyheads.heads.epoch_rules import rule_of
from manyheads.report.parts import Compared, Expectation
from manyheads.stats.comparisons import Comparisons

_BOOTSTRAP = (
    "Bias-corrected bootstrap, no test set: the setting is chosen again and again on images drawn "
    "with replacement, and scored on those that were not drawn, which corrects the optimism of the "
    "selection."
)
_APART = " The {metric} is at the epochs best in it; the model has those of {rule} instead."


def expected(findings: Findings) -> Expectation:
    """What to expect of the selected setting on new images."""
    select, known = findings.settings.select, findings.validated.other_epochs is not None
    scores = tuple(reversed(findings.winner))
    of_model = tuple(
        each.metric for each in scores if not known or rule_of(each.metric, select) == select
    )
    apart = [METRIC_WORDS[each.metric] for each in scores if each.metric not in of_model]
    return Expectation(
        words=_BOOTSTRAP + "".join(_APART.format(metric=each, rule=select) for each in apart),
        scores=scores,
        of_model=of_model,
    )


def comparisons(findings: Findings) -> Compared | None:
    """The comparisons of the verdict; None where nothing was compared."""
    family = findings.verdict.comparisons
    words = (
        "Intervals are for images and seeds drawn anew together, and simultaneous: adjusted like p "
        f"(Holm) for all {counted(family.family, 'comparison')} of accuracy and log loss, so that "
        "one excludes 0 exactly where a difference is significant."
    )
    if _is_surer(findings):
        words += (
            " Which settings may be the best is asked of fewer comparisons, and one-sided, so a "
            "setting can be ruled out there and its difference be undecided here."
        )
    return _compared(findings, family, words, findings.verdict.hints)


def _is_surer(findings: Findings) -> bool:
    """Whether the set of the best leaves out a candidate that a comparison leaves undecided."""
    best = findings.recommendation.best
    known = {best.candidate, *findings.recommendation.rivals}
    return any(
        entry.outcome == "undecided" and best.candidate in pair and not pair <= known
        for entry in findings.comparisons.of(best.metric)
        for pair in [{entry.first, entry.second}]
    )


def ends(findings: Findings) -> Compared | None:
    """The comparisons of the end of training; None where nothing is known of it."""
    return _compared(
        findings,
        findings.verdict.ends,
        "After the last epoch, whatever the rule of selection: the log loss there, and how far it "
        "lies above the training loss of that epoch. Adjusted as a family of their own.",
    )


def _compared(
    findings: Findings, family: Comparisons | None, words: str, hints: tuple[str, ...] = ()
) -> Compared | None:
    if family is None or not family.entries:
        return None
    names = CandidateNames(findings.validated).full
    first = findings.recommendation.best.metric  # which selects
    entries = sorted(family.entries, key=lambda entry: entry.metric != first)
    family = replace(family, entries=tuple(entries))
    return Compared(family=family, names=names, words=words, hints=hints)
