"""What a finished study has found, computed from its run folder without training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from manyheads.evidence.collapsed import Collapsed, collapsed, collapsed_words
from manyheads.evidence.comparisons import (
    COMPARED,
    MAX_ALL_PAIRS,
    Comparisons,
    Margins,
    compare,
)
from manyheads.evidence.reading import read_curves, read_validated
from manyheads.evidence.selection import Curves, Nested, Optimism, nested, optimism
from manyheads.evidence.validated import Validated
from manyheads.evidence.verdict import Verdict, verdict_of
from manyheads.heads.bank import EPOCH_RULES
from manyheads.settings import whole
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead
from manyheads.study.refit import selected_head
from manyheads.study.results import StudyResult
from manyheads.study.settings import Resolved, StudySettings, read_study
from manyheads.study.tables import write_table

COMPARISONS_COLUMNS = (
    "metric", "first", "second", "first_candidate", "second_candidate", "difference",
    "low", "high", "fold_low", "fold_high", "p", "p_holm", "p_equivalent", "margin", "outcome",
    "seeds", "seeds_needed", "repeats_needed", "images_needed",
)  # fmt: skip

_MARGINS = Margins()


@dataclass(frozen=True)
class Findings:
    """A finished study with its verdict."""

    folder: RunFolder
    document: dict[str, Any]
    settings: StudySettings
    resolved: Resolved
    result: StudyResult
    validated: Validated
    verdict: Verdict

    @property
    def comparisons(self) -> Comparisons:
        """The comparisons of the verdict."""
        return self.verdict.comparisons

    @cached_property
    def optimism(self) -> tuple[Optimism, ...]:
        """What each epoch rule flatters by, the study's own first; needs folds."""
        rules = dict.fromkeys([self.settings.select, *EPOCH_RULES])
        return tuple(optimism(self._curves, rule) for rule in rules)

    @cached_property
    def nested(self) -> Nested:
        """What choosing epoch and candidate achieves on images that had no say; needs folds."""
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
    folder: RunFolder, *, baseline: object = None, margins: Margins = _MARGINS
) -> Findings:
    """The findings of the finished study in `folder`.

    Every pair of its candidates is compared, of more than `MAX_ALL_PAIRS` of the best so many; or
    each with the `baseline`, a number in `results.csv`. Raises `RunError` for an unfinished study
    and for one of an earlier version, `SettingError` for a baseline without a result.
    """
    document = folder.document()
    settings, resolved = read_study(document)
    result = finished_result(folder, settings)
    validated = read_validated(folder.store, settings, result, resolved.classes)
    best = [entry.candidate for entry in result.ranking]
    if baseline is not None:
        baseline = whole("baseline", baseline, 1, len(result.grid))
    among = sorted(best if baseline is not None else best[:MAX_ALL_PAIRS])
    comparisons = compare(validated, among=among, baseline=baseline, margins=margins)
    answer = verdict_of(validated, comparisons, best[0])
    return Findings(folder, document, settings, resolved, result, validated, answer)


def write_comparisons(findings: Findings) -> None:
    """Write `comparisons.csv`, a row for each comparison."""
    validated, margins = findings.validated, findings.comparisons.margins
    rows = (
        (
            entry.metric, validated.name(entry.first), validated.name(entry.second),
            entry.first, entry.second, entry.difference,
            *(_finite(each) for each in (entry.low, entry.high, entry.fold_low, entry.fold_high)),
            entry.p, entry.p_holm, entry.p_equivalent, getattr(margins, entry.metric),
            entry.outcome, entry.seeds,
            entry.needs.seeds, entry.needs.repeats, entry.needs.images,
        )
        for metric in COMPARED
        for entry in findings.comparisons.of(metric)
    )  # fmt: skip
    write_table(findings.folder.comparisons, COMPARISONS_COLUMNS, rows)


def _finite(value: float | None) -> float | None:
    return None if value is None or abs(value) == float("inf") else value
