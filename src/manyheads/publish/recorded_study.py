"""A finished study as it is published: its table of results, and what its heads predicted.

Ten thousand candidates are read in seconds: their results from `results.csv`, where that is of the
same trials, and their predictions through one opening of the store.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from manyheads.errors import RunError
from manyheads.findings.reading import read_validated
from manyheads.heads.epoch_rules import metric_of, rule_of
from manyheads.publish.publication import RowState
from manyheads.stats.comparisons import Differences
from manyheads.stats.validation_predictions import LogProbabilities, OtherEpochs, Validated
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.results import StudyResult, result_rows, results_columns
from manyheads.study.select import CandidateResult, chosen_epoch, measures_of
from manyheads.study.store import Store, TrialRecord
from manyheads.study.study_document import Resolved
from manyheads.study.study_settings import StudySettings
from manyheads.study.trial_counts import ENDED, trial_counts


@dataclass(frozen=True, kw_only=True)
class RecordedCandidate:
    """A row of `results.csv`: `means` and `deviations` are over trials, of its measures."""

    candidate: int
    rank: int | None
    trials: int
    failed: int
    pruned_after: int | None
    means: Mapping[str, float]
    deviations: Mapping[str, float]

    @property
    def state(self) -> RowState:
        """Whether it trained to the end, was pruned, or failed in every trial."""
        if not self.means:
            return "failed"
        return "done" if self.pruned_after is None else "pruned"


def recorded_candidates(folder: RunFolder, settings: StudySettings) -> list[RecordedCandidate]:
    """The candidates of a finished study, the best first, then the pruned, then those that failed.

    Raises `RunError` for a study that is not finished, and for one without any result.
    """
    rows = _kept_rows(folder, settings)
    if rows is None:
        result = finished_result(folder, settings)
        columns = results_columns(settings.grid, settings.select)
        rows = [dict(zip(columns, row, strict=True)) for row in result_rows(result)]
    found = [_candidate(row, settings.select) for row in rows]
    metric = metric_of(settings.select)
    sign = 1 if metric == "log_loss" else -1
    measure = "chosen_val_loss" if metric == "log_loss" else f"chosen_val_{metric}"

    def order(each: RecordedCandidate) -> tuple[float, ...]:
        if each.rank is not None:
            return (0, each.rank)
        if each.state == "pruned":
            return (1, -(each.pruned_after or 0), sign * each.means[measure], each.candidate)
        return (2, each.candidate)

    return sorted(found, key=order)


def recorded_differences(
    store: Store,
    settings: StudySettings,
    ranked: Iterable[RecordedCandidate],
    resolved: Resolved,
) -> Differences:
    """The scores, image by image, of the candidates that trained to their end.

    The store stays open for them. Raises `RunError` where an earlier version kept none.
    """
    entries = [
        CandidateResult(each.candidate, each.trials, each.failed, {}, None)
        for each in ranked
        if each.state == "done"
    ]
    result = StudyResult(settings.select, settings.grid, tuple(entries), (), ())
    validated = read_validated(store.path, settings, result, resolved.classes, resolved.label_names)
    read = lru_cache(2)(_Predictions(store, settings, validated).read)
    other = validated.other_epochs
    if other is not None:
        at = _at_moments(settings, read, other)
        validated = replace(validated, other_epochs=replace(other, at=at))
    return Differences(replace(validated, log_probabilities=lambda each: read(each, None)))


def _at_moments(settings: StudySettings, read: Any, other: OtherEpochs) -> Any:
    def at(candidate: int, moment: str) -> LogProbabilities:
        if moment == "final":
            return other.at(candidate, moment)
        rule = rule_of(moment, settings.select)
        return read(candidate, None if rule == settings.select else rule)

    return at


class _Predictions:
    """What a study's heads predicted, a candidate at a time, through one open store."""

    def __init__(self, store: Store, settings: StudySettings, validated: Validated) -> None:
        self._store, self._settings = store, settings
        self._shape = (settings.seeds, *validated.fold_of.shape, len(validated.outputs))
        divided = store.divisions()
        images = np.unique(np.concatenate([d.images for d in divided[: settings.folds or 1]]))
        self._places = [np.searchsorted(images, division.images) for division in divided]
        self._records: defaultdict[int, list[TrialRecord]] = defaultdict(list)
        for record in store.trials("done"):
            self._records[record.trial.candidate].append(record)

    def read(self, candidate: int, rule: str | None) -> LogProbabilities:
        """At the epochs of the study's rule, or of another `rule`; NaN where a trial failed."""
        found = np.full(self._shape, np.nan, np.float32)
        folds = self._settings.folds or 1
        for record in self._records[candidate]:
            trial, epoch = record.trial, record.epoch
            if rule is not None:
                epoch = chosen_epoch(rule, self._store.curve(trial.number))
            predicted = self._store.predictions(trial.number, epoch, self._shape[-1])
            if predicted is None:
                raise RunError(
                    f"the predictions of trial {trial.number} in {self._store.path}", "none",
                    "repeat the study's sweep, which trains what is missing",
                )  # fmt: skip
            found[trial.seed, trial.fold // folds, self._places[trial.fold]] = predicted
        return found


def _kept_rows(folder: RunFolder, settings: StudySettings) -> list[dict[str, Any]] | None:
    """The rows of `results.csv`; None if it is not of all the trials of a finished study."""
    counts = trial_counts(folder.store)
    total = sum(counts.values())
    if not total or total != sum(counts.get(state, 0) for state in ENDED):
        return None
    try:
        with folder.results.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows: list[dict[str, Any]] = list(reader)
            if tuple(reader.fieldnames or ()) != results_columns(settings.grid, settings.select):
                return None
        whole = sum(int(row["trials"]) for row in rows), sum(int(row["failed"]) for row in rows)
    except (OSError, ValueError, TypeError, csv.Error):  # none, damaged, or of an earlier version
        return None
    ranked = any(row["rank"] for row in rows)
    is_same = whole == (total, counts.get("failed", 0)) and len(rows) == len(settings.grid)
    return rows if ranked and is_same else None


def _candidate(row: Mapping[str, Any], rule: str) -> RecordedCandidate:
    def numbers(part: str) -> dict[str, float]:
        found = {name: row[f"{name}_{part}"] for name in measures_of(rule)}
        return {name: float(value) for name, value in found.items() if value not in (None, "")}

    def whole(value: Any) -> int | None:
        return None if value in (None, "") else int(value)

    return RecordedCandidate(
        candidate=int(row["candidate"]), rank=whole(row["rank"]), trials=int(row["trials"]),
        failed=int(row["failed"]), pruned_after=whole(row["pruned_after"]), means=numbers("mean"),
        deviations=numbers("std"),
    )  # fmt: skip
