"""Reading a study's outcome, and writing it as tidy tables.

`history.csv` has a row per trial and epoch, `results.csv` a row per candidate. Numbers are
written in full, so that equal studies give equal files.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.heads.head import Hyperparameters
from manyheads.places import atomic_path
from manyheads.study.select import MEASURES, CandidateResult, Outcome, ranked, summarise
from manyheads.study.space import HYPERPARAMETERS, Grid
from manyheads.study.store import Store, TrialRecord

METRICS = ("accuracy", "loss", "val_accuracy", "val_loss")
HISTORY_COLUMNS = ("trial", "candidate", *HYPERPARAMETERS, "seed", "fold", "epoch", *METRICS)
RESULTS_COLUMNS = (
    "rank",
    "candidate",
    *HYPERPARAMETERS,
    "trials",
    "failed",
    *(f"{name}_{part}" for name in MEASURES for part in ("mean", "std")),
)


@dataclass(frozen=True)
class StudyResult:
    """What a study came to: its candidates, best first, and those that only failed, last."""

    rule: str
    grid: Grid
    ranking: tuple[CandidateResult, ...]
    without_result: tuple[CandidateResult, ...]

    def hyperparameters(self, candidate: int) -> Hyperparameters:
        """The setting of a candidate, counted from 1."""
        return self.grid[candidate - 1]

    @property
    def in_order(self) -> list[CandidateResult]:
        """All candidates in the grid's order."""
        return sorted((*self.ranking, *self.without_result), key=lambda r: r.candidate)


def read_result(store: Store, grid: Grid, rule: str) -> StudyResult:
    """The result of all trials that have ended."""
    results = []
    for number, records in _by_candidate(store, len(grid)).items():
        outcomes = [
            Outcome(record.trial, record.epoch, store.curve(record.trial.number))
            for record in records
            if record.state == "done"
        ]
        failed = sum(record.state == "failed" for record in records)
        results.append(summarise(number, rule, outcomes, failed))
    ranking = ranked(rule, results)
    rest = [result for result in results if result.best is None]
    return StudyResult(rule, grid, tuple(ranking), tuple(rest))


def write_history(path: Path, store: Store, grid: Grid) -> None:
    """Write `history.csv`, a trial at a time."""

    def rows() -> Iterator[Sequence[object]]:
        for record in store.trials("done", "failed", "pruned"):
            trial = record.trial
            setting = _values(grid[trial.candidate - 1])
            for epoch, metrics in enumerate(store.curve(trial.number), start=1):
                yield (
                    trial.number,
                    trial.candidate,
                    *setting,
                    trial.seed,
                    trial.fold,
                    epoch,
                    *metrics,
                )

    _write(path, HISTORY_COLUMNS, rows())


def write_results(path: Path, result: StudyResult) -> None:
    """Write `results.csv`; a candidate without a result has empty cells and no rank."""
    rank = {entry.candidate: place for place, entry in enumerate(result.ranking, start=1)}

    def rows() -> Iterator[Sequence[object]]:
        for entry in result.in_order:
            spreads = [entry.measures.get(name) for name in MEASURES]
            numbers = [
                number for s in spreads for number in ((s.mean, s.deviation) if s else ("", ""))
            ]
            yield (
                rank.get(entry.candidate, ""),
                entry.candidate,
                *_values(result.hyperparameters(entry.candidate)),
                entry.trials,
                entry.failed,
                *numbers,
            )

    _write(path, RESULTS_COLUMNS, rows())


def _by_candidate(store: Store, count: int) -> dict[int, list[TrialRecord]]:
    groups: dict[int, list[TrialRecord]] = {number: [] for number in range(1, count + 1)}
    for record in store.trials():
        groups[record.trial.candidate].append(record)
    return groups


def _values(setting: Hyperparameters) -> tuple[float, ...]:
    return tuple(getattr(setting, name) for name in HYPERPARAMETERS)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
