"""What a finished study has found, computed from its run folder without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from manyheads.core.settings import whole
from manyheads.findings.collapsed import Collapsed, collapsed, collapsed_words
from manyheads.findings.looks import level_of
from manyheads.findings.reading import read_curves, read_validated
from manyheads.findings.selection import Curves, Nested, RuleOptimism, nested, optimism
from manyheads.findings.verdict import Verdict, verdict_of
from manyheads.heads.bank import EPOCH_RULES
from manyheads.stats.best_set import best_set
from manyheads.stats.comparisons import (
    COMPARED,
    ENDING,
    MAX_ALL_PAIRS,
    Comparisons,
    Differences,
    Margins,
    compare,
)
from manyheads.stats.posterior import Posterior, posteriors
from manyheads.stats.validation_predictions import Validated
from manyheads.stats.winner import WinnerScore, winner_scores
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead
from manyheads.study.refit import selected_head
from manyheads.study.results import StudyResult
from manyheads.study.study_settings import Resolved, StudySettings, read_study
from manyheads.study.table_writing import finite, write_table
from manyheads.study.work import epoch_cost

COMPARISONS_COLUMNS = (
    "metric", "first", "second", "first_candidate", "second_candidate", "difference",
    "low", "high", "adjusted_low", "adjusted_high", "p", "p_holm", "p_equivalent",
    "margin", "outcome",
    "seeds", "seeds_needed", "repeats_needed", "images_needed",
)  # fmt: skip

_MARGINS = Margins()
_LARGEST = 10_000_000  # scores by unit that the best are looked for among


@dataclass(frozen=True)
class Findings:
    """A finished study with its verdict."""

    folder: RunFolder
    document: dict[str, Any]
    settings: StudySettings
    resolved: Resolved
    result: StudyResult
    differences: Differences
    verdict: Verdict

    @property
    def validated(self) -> Validated:
        """What the study's heads predicted for the images that validated them."""
        return self.differences.validated

    @property
    def comparisons(self) -> Comparisons:
        """The comparisons of the verdict."""
        return self.verdict.comparisons

    @cached_property
    def winner(self) -> tuple[WinnerScore, ...]:
        """The scores to expect of the selected setting on new images, without a test set."""
        best = [entry.candidate for entry in self.result.ranking]
        among = rivals(self.differences, best)
        return winner_scores(self.differences, best[0], self.settings.select, among=among)

    @property
    def posteriors(self) -> tuple[Posterior, ...]:
        """How probable it is that each compared candidate is better, equivalent or worse."""
        return tuple(posteriors(self.differences, self.comparisons))

    @cached_property
    def optimism(self) -> tuple[RuleOptimism, ...]:
        """How optimistic each epoch rule is, the study's own first; needs folds."""
        rules = dict.fromkeys([self.settings.select, *EPOCH_RULES])
        return tuple(optimism(self._curves, rule) for rule in rules)

    @cached_property
    def nested(self) -> Nested:
        """What selecting epoch and candidate achieves on held-out images; needs folds."""
        return nested(self._curves, self.settings.select)

    @cached_property
    def _curves(self) -> Curves:
        return read_curves(self.folder.store, self.settings, self.validated.candidates)

    @cached_property
    def collapsed(self) -> list[Collapsed]:
        """Candidates with heads that predict one class only, of the best `MAX_ALL_PAIRS`."""
        best = [entry.candidate for entry in self.result.ranking[:MAX_ALL_PAIRS]]
        return collapsed(self.validated, best)

    @property
    def collapsed_words(self) -> str | None:
        """The same in a sentence; None if there are none."""
        return collapsed_words(self.validated, self.collapsed, MAX_ALL_PAIRS)

    @cached_property
    def selected(self) -> BestHead:
        """The head that the study hands over."""
        return selected_head(self.settings, self.folder, self.result)


def read_findings(
    folder: RunFolder,
    *,
    baseline: object = None,
    margins: Margins = _MARGINS,
    alpha: float | None = None,
) -> Findings:
    """The findings of the finished study in `folder`.

    Every pair of its candidates is compared, of more than `MAX_ALL_PAIRS` of the best so many; or
    each with the `baseline`, a number in `results.csv`. Raises `RunError` for an unfinished study
    and for one of an earlier version, `SettingError` for a baseline without a result.
    """
    document = folder.document()
    settings, resolved = read_study(document)
    result = finished_result(folder, settings)
    level, notes = level_of(folder)
    alpha = level if alpha is None else alpha
    differences = Differences(read_validated(folder.store, settings, result, resolved.classes))
    validated = differences.validated
    best = [entry.candidate for entry in result.ranking]
    if baseline is not None:
        baseline = whole("baseline", baseline, 1, len(result.grid))
    among = sorted(best if baseline is not None else best[:MAX_ALL_PAIRS])

    def compared(metrics: Sequence[str], *, advise: bool) -> Comparisons:
        return compare(
            validated, among=among, baseline=baseline, margins=margins, metrics=metrics,
            alpha=alpha, advise=advise, differences=differences,
        )  # fmt: skip

    comparisons = compared(COMPARED, advise=True)
    ends = compared(ENDING, advise=False) if validated.other_epochs is not None else None
    among_best = rivals(differences, best)

    def cost(candidate: int) -> float:
        setting = settings.grid[candidate - 1]
        return setting.epochs * epoch_cost(setting)

    sets = [best_set(differences, m, cost, among=among_best, alpha=alpha) for m in COMPARED]
    answer = verdict_of(validated, comparisons, ends=ends, best=sets, selected=best[0], also=notes)
    return Findings(folder, document, settings, resolved, result, differences, answer)


def rivals(differences: Differences, ranking: Sequence[int]) -> list[int]:
    """The candidates that the best are looked for among: all, or as many as memory bears."""
    return list(ranking[: max(MAX_ALL_PAIRS, _LARGEST // len(differences.layout.sizes))])


def write_comparisons(findings: Findings) -> None:
    """Write `comparisons.csv`, a row for each comparison."""
    validated, margins = findings.validated, findings.comparisons.margins
    rows = (
        (
            entry.metric, validated.name(entry.first), validated.name(entry.second),
            entry.first, entry.second, entry.difference,
            *map(finite, (entry.low, entry.high, entry.adjusted_low, entry.adjusted_high)),
            entry.p, entry.p_holm, entry.p_equivalent, margins.of(entry.metric),
            entry.outcome, entry.seeds,
            entry.required.seeds, entry.required.repeats, entry.required.images,
        )
        for family in (findings.comparisons, findings.verdict.ends)
        for metric in (*COMPARED, *ENDING)
        for entry in (family.of(metric) if family else ())
    )  # fmt: skip
    write_table(findings.folder.comparisons, COMPARISONS_COLUMNS, rows)
