"""Reading a study's outcome, and writing `results.csv`, a row per candidate.

Numbers are written in full, so that equal studies give equal files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.study.rungs import Rung
from manyheads.study.select import (
    CandidateResult,
    Outcome,
    chosen_epoch,
    measures_of,
    rank_candidate,
    ranked,
    summarise,
)
from manyheads.study.space import Candidates, setting_values
from manyheads.study.store import Store, TrialRecord
from manyheads.study.study_settings import StudySettings
from manyheads.study.table_writing import write_table


def results_columns(candidates: Candidates, rule: str = "last") -> tuple[str, ...]:
    """The columns of `results.csv` of a study that selects by `rule`."""
    spreads = [f"{name}_{part}" for name in measures_of(rule) for part in ("mean", "std")]
    return ("rank", "candidate", *candidates.names, "trials", "failed", "pruned_after", *spreads)


@dataclass(frozen=True)
class StudyResult:
    """What a study came to: the candidates that trained to the end, best first, and the others.

    `pruned` are those that were pruned, the longest trained first and of these the best;
    `without_result` those of which every trial failed.
    """

    rule: str
    grid: Candidates
    ranking: tuple[CandidateResult, ...]
    pruned: tuple[CandidateResult, ...]
    without_result: tuple[CandidateResult, ...]

    def hyperparameters(self, candidate: int) -> Hyperparameters:
        """The setting of a candidate, counted from 1."""
        return self.grid[candidate - 1]

    @property
    def in_order(self) -> list[CandidateResult]:
        """All candidates in the grid's order."""
        every = (*self.ranking, *self.pruned, *self.without_result)
        return sorted(every, key=lambda result: result.candidate)


def read_result(store: Store, settings: StudySettings) -> StudyResult:
    """The result of all trials that have ended."""
    rule, whole, pruned, rest = settings.select, [], [], []
    for candidate, group in groupby(store.trials(), lambda record: record.trial.candidate):
        records = list(group)
        result = _summary(store, settings, candidate, records, ("done", "pruned"))
        if result.best is None:
            rest.append(result)
        elif any(record.state == "pruned" for record in records):
            pruned.append((_rung_of(settings, records), result))
        else:
            whole.append(result)
    pruned.sort(key=lambda pair: (-pair[0], rank_candidate(rule, pair[1])))
    short = tuple(result.pruned(after) for after, result in pruned)
    return StudyResult(rule, settings.grid, tuple(ranked(rule, whole)), short, tuple(rest))


def read_candidate(store: Store, settings: StudySettings, candidate: int) -> CandidateResult:
    """The result of a candidate's trials that were trained to their end."""
    records = store.trials(candidate=candidate)
    return _summary(store, settings, candidate, records, ("done",))


def best_at_rung(
    store: Store, settings: StudySettings, rung: Rung, candidates: Iterable[int], count: int
) -> list[int]:
    """The best `count` of `candidates` by their curves up to a rung, in the grid's order.

    All their trials must have come so far or ended. What they did after the rung has no part in
    it, so that the answer is the same whenever it is asked. A candidate of which every trial had
    failed is none of the best.
    """
    results = []
    for candidate in candidates:
        outcomes, failed = [], 0
        for record in store.trials(candidate=candidate):
            if record.state == "failed" and record.epochs < rung.epochs:
                failed += 1
                continue
            curve = store.curve(record.trial.number)[: rung.epochs]
            outcomes.append(Outcome(record.trial, chosen_epoch(settings.select, curve), curve))
        results.append(summarise(candidate, settings.select, outcomes, failed, rung.epochs))
    return sorted(result.candidate for result in ranked(settings.select, results)[:count])


def write_results(path: Path, result: StudyResult) -> None:
    """Write `results.csv`; cells of what there is none of are empty."""
    write_table(path, results_columns(result.grid, result.rule), result_rows(result))


def result_rows(result: StudyResult) -> Iterator[Sequence[object]]:
    """A row for each candidate under `results_columns`; what there is none of is None.

    Only candidates that trained to the end have a rank.
    """
    rank = {entry.candidate: place for place, entry in enumerate(result.ranking, start=1)}
    for entry in result.in_order:
        spreads = [entry.measures.get(name) for name in measures_of(result.rule)]
        numbers = [
            number for s in spreads for number in ((s.mean, s.deviation) if s else (None, None))
        ]
        yield (
            rank.get(entry.candidate),
            entry.candidate,
            *setting_values(result.grid, entry.candidate),
            entry.trials,
            entry.failed,
            entry.pruned_after,
            *numbers,
        )


def _summary(
    store: Store,
    settings: StudySettings,
    candidate: int,
    records: Iterable[TrialRecord],
    states: Sequence[str],
) -> CandidateResult:
    outcomes, failed = [], 0
    for record in records:
        if record.state in states:
            curve = store.curve(record.trial.number)
            outcomes.append(Outcome(record.trial, record.epoch, curve))
        failed += record.state == "failed"
    epochs = settings.grid[candidate - 1].epochs
    folds = settings.folds or 1
    return summarise(candidate, settings.select, outcomes, failed, epochs, folds)


def _rung_of(settings: StudySettings, records: Iterable[TrialRecord]) -> int:
    """The epochs of the rung at which trials were pruned; patience may have ended them before."""
    longest = max(record.epochs for record in records if record.state == "pruned")
    return next((r.epochs for r in settings.rungs if r.epochs >= longest), longest)
