"""Training a study's trials: what is pending is trained, what is done is kept.

A head is a function of its settings, its fold and its seed. So a trial that was cut off is
trained again from its beginning, and a head whose file is missing is made again, both to the same
bits; an interrupted study, resumed, equals one that never was. In the same way the candidates
that go on after a rung are trained again from their beginning, to the numbers they would have had
without rungs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from manyheads.core.job import SILENT, Job
from manyheads.heads.bank import Engine, EpochEnd, Fold, HeadEnd, Metrics, train_bank
from manyheads.study.events import TrainingReporter
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead, HeadFiles, best_heads
from manyheads.study.history import HistoryFile
from manyheads.study.refit import refit
from manyheads.study.results import StudyResult, best_at_rung, read_result, write_results
from manyheads.study.select import Outcome
from manyheads.study.space import Trial, counted
from manyheads.study.store import Store, TrialRecord
from manyheads.study.study_settings import StudySettings
from manyheads.study.trial_heads import check_same, head_settings
from manyheads.study.work import Work

__all__ = ["BestHead", "best_heads", "train_study"]

_STOPPED = "the study", "repeat the same command to resume"


def train_study(
    settings: StudySettings,
    folder: RunFolder,
    store: Store,
    folds: Sequence[Fold],
    engine: Engine,
    *,
    keep_heads: int = 100,
    work: Work | None = None,
    job: Job = SILENT,
) -> StudyResult:
    """Train every pending trial, then write the tables and the best heads.

    `history.csv` grows meanwhile. Files of heads are kept for at most `keep_heads` candidates, the
    best ones. `work` is kept up to date, for who wants to know what was done and how fast. Raises
    `Interrupted` when `job` is stopped; everything that had ended is recorded.
    """
    store.prepare(settings.trials())
    history = HistoryFile(folder.history, store, settings)
    work = work or Work(settings)
    training = _Training(
        settings, store, folds, engine, history, work, TrainingReporter(job, work), job
    )
    training.begin()
    candidates: Collection[int] = range(1, len(settings.grid) + 1)
    files = None
    if store.trials("pending"):
        for place in range(len(settings.rungs) - 1):
            training.climb(place, candidates)
            candidates = training.prune(place, candidates)
        files = HeadFiles(settings, folder, store, keep_heads)
        training.climb(len(settings.rungs) - 1, candidates, files)
    files = files or HeadFiles(settings, folder, store, keep_heads)
    result = read_result(store, settings)
    history.complete()
    write_results(folder.results, result)
    files.complete(result, folds, engine, job)
    job.check(*_STOPPED)
    if settings.folds is not None and result.ranking:
        refit(settings, folder, store, result, folds, engine, job)
    return result


@dataclass(frozen=True)
class _Training:
    """What the rungs of a study are trained with."""

    settings: StudySettings
    store: Store
    folds: Sequence[Fold]
    engine: Engine
    history: HistoryFile
    work: Work
    reporter: TrainingReporter
    job: Job

    def begin(self) -> None:
        """Count what is recorded, and tell it."""
        self.work.count(self.store.trials())
        self.reporter.begin()

    def climb(
        self, place: int, candidates: Collection[int], files: HeadFiles | None = None
    ) -> None:
        """Train all trials of `candidates` to a rung, from their beginning; to the last for good.

        Their heads are kept in `files`.
        """
        target = self.settings.rungs[place].epochs
        trials, ready, waiting = [], set(), []
        for record in self.store.trials():
            if record.trial.candidate not in candidates:
                continue
            trials.append(record.trial)
            if record.state == "pending" and record.epochs < target:
                waiting.append(record)
            else:
                ready.add(record.trial.number)
        self.history.begin(place, trials, ready)
        self._train(target, waiting, files)
        self.job.check(*_STOPPED)

    def prune(self, place: int, candidates: Collection[int]) -> Collection[int]:
        """End all `candidates` but the best at a rung, and return these.

        Decided from the curves up to the rung alone, once all are recorded; so a resumed study
        decides as one that was not interrupted.
        """
        rung, above = self.settings.rungs[place : place + 2]
        best = best_at_rung(self.store, self.settings, rung, candidates, above.candidates)
        kept = set(best)
        others = [candidate for candidate in candidates if candidate not in kept]
        self.store.prune(others, f"pruned after epoch {rung.epochs}")
        self.work.count(self.store.trials())
        if self.work.rung == place + 1 and kept:
            total = counted(len(candidates), "candidate")
            self.job.note(
                f"Epoch {rung.epochs}: the best {len(kept):,} of {total} "
                f"train on to epoch {above.epochs}"
            )
            self.reporter.begin()
        return kept

    def _train(self, target: int, waiting: Sequence[TrialRecord], files: HeadFiles | None) -> None:
        heads = [head_settings(self.settings, record.trial, target) for record in waiting]
        known: dict[int, list[Metrics]] = {}

        def recorded(head: int) -> list[Metrics]:
            """The curve that the store has of a head's trial, which has started by now."""
            if head not in known:
                trial = waiting[head].trial
                self.store.start(trial.number)
                known[head] = self.store.curve(trial.number)
            return known[head]

        def on_epoch(event: EpochEnd) -> None:
            trial = waiting[event.head].trial
            check_same(trial, recorded(event.head), event.epoch, event.metrics)
            self.reporter.epoch(trial, event.epoch, event.metrics)

        for end, curve in train_bank(
            self.engine, heads, self.folds,
            rule=self.settings.select, on_epoch=on_epoch, job=self.job,
        ):  # fmt: skip
            trial = waiting[end.head].trial
            check_same(trial, recorded(end.head), len(curve) + 1, None)
            del known[end.head]
            # Who ran out of patience before the rung is done, and so is all at the last.
            waits = end.status == "done" and files is None and len(curve) == target
            self._end(trial, "pending" if waits else end.status, end, curve, files)

    def _end(
        self,
        trial: Trial,
        state: str,
        end: HeadEnd,
        curve: list[Metrics],
        files: HeadFiles | None,
    ) -> None:
        if end.status == "done" and files is not None:
            files.offer(Outcome(trial, end.epoch, curve), end.parameters)
        predictions = end.predictions if state == "done" else None
        self.store.finish(trial.number, state, end.epoch, end.note, curve, predictions)
        if files is not None:
            files.ended(trial.candidate)
        self.history.ended(trial)
        self.reporter.end(trial, end, curve[end.epoch - 1] if end.epoch else None)
