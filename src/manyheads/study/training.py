"""Training a study's trials: what is pending is trained, what is done is kept.

A head is a function of its settings, its fold and its seed. So a trial that was cut off is
trained again from its beginning, and a head whose file is missing is made again, both to the same
bits; an interrupted study, resumed, equals one that never was. In the same way the candidates
that go on after a rung are trained again from their beginning, to the numbers they would have had
without rungs.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from manyheads.errors import Interrupted
from manyheads.heads.bank import Engine, EpochEnd, Fold, HeadEnd, Metrics, train_bank
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead, HeadFiles, best_heads
from manyheads.study.history import HistoryFile
from manyheads.study.listener import Listener
from manyheads.study.refit import refit
from manyheads.study.results import StudyResult, best_at_rung, read_result, write_results
from manyheads.study.select import Outcome
from manyheads.study.space import Trial, counted
from manyheads.study.store import Store, TrialRecord
from manyheads.study.study_settings import StudySettings
from manyheads.study.trial_heads import check_same, head_settings
from manyheads.study.work import Work

__all__ = ["BestHead", "Listener", "best_heads", "train_study"]


def train_study(
    settings: StudySettings,
    folder: RunFolder,
    store: Store,
    folds: Sequence[Fold],
    engine: Engine,
    *,
    keep_heads: int = 100,
    listener: Listener | None = None,
    work: Work | None = None,
    stop: threading.Event | None = None,
) -> StudyResult:
    """Train every pending trial, then write the tables and the best heads.

    `history.csv` grows meanwhile. Files of heads are kept for at most `keep_heads` candidates, the
    best ones. `work` is kept up to date, for who wants to know what was done and how fast. Raises
    `Interrupted` when `stop` is set; everything that had ended is recorded.
    """
    store.prepare(settings.trials())
    history = HistoryFile(folder.history, store, settings)
    training = _Training(
        settings, store, folds, engine, history,
        listener or Listener(), work or Work(settings), stop,
    )  # fmt: skip
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
    files.complete(result, folds, engine, training.listener.note, stop)
    training.check_stop()
    if settings.folds is not None and result.ranking:
        refit(settings, folder, store, result, folds, engine, training.listener.note, stop)
    return result


@dataclass(frozen=True)
class _Training:
    """What the rungs of a study are trained with."""

    settings: StudySettings
    store: Store
    folds: Sequence[Fold]
    engine: Engine
    history: HistoryFile
    listener: Listener
    work: Work
    stop: threading.Event | None

    def begin(self) -> None:
        """Tell the listener how far the study is."""
        self.work.count(self.store.trials())
        self.listener.training(self.work)

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
        self.check_stop()

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
            self.listener.note(
                f"Epoch {rung.epochs}: the best {len(kept):,} of {total} "
                f"train on to epoch {above.epochs}"
            )
            self.listener.training(self.work)
        return kept

    def check_stop(self) -> None:
        """Raise `Interrupted` if a stop was asked for."""
        if self.stop is not None and self.stop.is_set():
            raise Interrupted("the study", "repeat the same command to resume")

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
            self.work.epoch(trial)
            self.listener.epoch(trial, event.epoch, event.metrics)

        for end, curve in train_bank(
            self.engine, heads, self.folds,
            rule=self.settings.select, on_epoch=on_epoch, stop=self.stop,
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
        self.work.end(trial, curve[end.epoch - 1] if end.epoch else None)
        self.listener.ended(trial, end)
