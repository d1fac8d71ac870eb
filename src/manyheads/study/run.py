"""Training a study's trials: what is pending is trained, what is done is kept.

A head is a function of its settings, its fold and its seed. So a trial that was cut off is
trained again from its beginning, and a head whose file is missing is made again, both to the same
bits; an interrupted study, resumed, equals one that never was.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from manyheads.errors import Interrupted, ModelError, RunError
from manyheads.heads.bank import (
    Engine,
    EpochEnd,
    Fold,
    HeadEnd,
    HeadSettings,
    Metrics,
    rank_epoch,
)
from manyheads.heads.files import load_head, save_head
from manyheads.heads.head import Parameters
from manyheads.study.folder import RunFolder
from manyheads.study.results import StudyResult, read_result, write_history, write_results
from manyheads.study.select import CandidateResult, Outcome
from manyheads.study.settings import StudySettings
from manyheads.study.space import Trial
from manyheads.study.store import Store


class Listener:
    """Hears how a study goes; every method does nothing here."""

    def downloading(self, done: int, total: int) -> None:
        """`done` of `total` bytes of the backbone's weights are fetched."""

    def extracting(self, done: int, total: int) -> None:
        """`done` of `total` backbone passes are made."""

    def training(self, done: int, total: int) -> None:
        """`done` of `total` trials had ended when training began or went on."""

    def epoch(self, trial: Trial, epoch: int, metrics: Metrics) -> None:
        """A trial has finished an epoch."""

    def ended(self, trial: Trial, end: HeadEnd) -> None:
        """A trial has ended."""

    def note(self, text: str) -> None:
        """Something that a person should know."""


@dataclass(frozen=True)
class BestHead:
    """The best head of a candidate and where it comes from."""

    candidate: int
    outcome: Outcome
    parameters: Parameters


def train_study(
    settings: StudySettings,
    folder: RunFolder,
    store: Store,
    folds: Sequence[Fold],
    engine: Engine,
    *,
    keep_heads: int = 100,
    listener: Listener | None = None,
    stop: threading.Event | None = None,
) -> StudyResult:
    """Train every pending trial, then write the tables and the best heads.

    Files of heads are kept for at most `keep_heads` candidates, the best ones. Raises
    `Interrupted` when `stop` is set; everything that had ended is recorded.
    """
    listener = listener or Listener()
    store.prepare(settings.trials())
    pending = [record.trial for record in store.trials("pending")]
    total = len(settings.trials())
    listener.training(total - len(pending), total)
    files = _HeadFiles(settings, folder, store, keep_heads)
    _train(settings, store, folds, engine, pending, files, listener, stop)
    _check(stop)
    result = read_result(store, settings.grid, settings.select)
    write_history(folder.history, store, settings.grid)
    write_results(folder.results, result)
    files.complete(result, folds, engine, stop)
    return result


def best_heads(folder: RunFolder, result: StudyResult, limit: int | None = None) -> list[BestHead]:
    """The best heads of the best candidates, best first, from the files of a finished study."""
    return [
        BestHead(entry.candidate, entry.best, load_head(folder.head(entry.candidate))[0])
        for entry in result.ranking[:limit]
        if entry.best is not None
    ]


def head_settings(settings: StudySettings, trial: Trial) -> HeadSettings:
    """The settings of the head that `trial` trains."""
    return HeadSettings(
        hyperparameters=settings.grid[trial.candidate - 1],
        seed=trial.seed,
        fold=trial.fold,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
    )


def _train(
    settings: StudySettings,
    store: Store,
    folds: Sequence[Fold],
    engine: Engine,
    pending: Sequence[Trial],
    files: _HeadFiles,
    listener: Listener,
    stop: threading.Event | None,
) -> None:
    curves: dict[int, list[Metrics]] = defaultdict(list)
    heads = [head_settings(settings, trial) for trial in pending]
    for event in engine.train(heads, folds, rule=settings.select, stop=stop):
        trial = pending[event.head]
        if isinstance(event, EpochEnd):
            if event.epoch == 1:
                store.start(trial.number)
            curves[event.head].append(event.metrics)
            listener.epoch(trial, event.epoch, event.metrics)
            continue
        curve = curves.pop(event.head, [])
        if event.status == "done":
            files.offer(Outcome(trial, event.epoch, curve), event.parameters)
        store.finish(trial.number, event.status, event.epoch, event.note, curve)
        listener.ended(trial, event)


def _check(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Interrupted("the study", "repeat the same command to resume")


class _HeadFiles:
    """Keeps a file for each candidate's best head, where the study is small enough for that.

    A file is written before its trial is recorded as done, so a recorded best always has one. In
    a study of more candidates than files, the files are made at the end, for the best candidates.
    """

    def __init__(
        self, settings: StudySettings, folder: RunFolder, store: Store, limit: int
    ) -> None:
        self.settings, self.folder, self.limit = settings, folder, max(1, limit)
        self.at_once = len(settings.grid) <= self.limit
        self.best: dict[int, Outcome] = {}
        result = read_result(store, settings.grid, settings.select)
        for entry in result.ranking:
            if entry.best is not None:
                self.best[entry.candidate] = entry.best

    def offer(self, outcome: Outcome, parameters: Parameters | None) -> None:
        """A trial is about to be recorded as done; keep its head if it is its candidate's best."""
        candidate = outcome.trial.candidate
        held = self.best.get(candidate)
        if held is not None and self._key(held) > self._key(outcome):
            return
        self.best[candidate] = outcome
        if self.at_once and parameters is not None:
            self._save(outcome, parameters)

    def complete(
        self,
        result: StudyResult,
        folds: Sequence[Fold],
        engine: Engine,
        stop: threading.Event | None,
    ) -> None:
        """Make the files that the best candidates lack, and remove those of the others."""
        kept = [entry for entry in result.ranking[: self.limit] if entry.best is not None]
        wanted = {self.folder.head(entry.candidate) for entry in kept}
        if self.folder.heads.is_dir():
            for path in self.folder.heads.glob("candidate-*.safetensors"):
                if path not in wanted:
                    path.unlink()
        missing = [entry for entry in kept if not self._has_file(entry)]
        self._train_again([entry.best for entry in missing if entry.best], folds, engine, stop)
        _check(stop)

    def _has_file(self, entry: CandidateResult) -> bool:
        path = self.folder.head(entry.candidate)
        if entry.best is None or not path.is_file():
            return False
        try:
            return load_head(path)[1] == self._about(entry.best)
        except ModelError:  # damaged: it is made again
            return False

    def _train_again(
        self,
        outcomes: Sequence[Outcome],
        folds: Sequence[Fold],
        engine: Engine,
        stop: threading.Event | None,
    ) -> None:
        heads = [head_settings(self.settings, outcome.trial) for outcome in outcomes]
        for event in engine.train(heads, folds, rule=self.settings.select, stop=stop):
            outcome = outcomes[event.head]
            if isinstance(event, EpochEnd):
                if event.metrics != outcome.curve[event.epoch - 1]:
                    raise RunError(
                        f"trial {outcome.trial.number} to train to the same numbers again",
                        f"others in epoch {event.epoch}",
                        "begin the study anew in another --out; this machine or its libraries "
                        "have changed since it was begun",
                    )
            elif event.parameters is not None:
                self._save(outcome, event.parameters)

    def _save(self, outcome: Outcome, parameters: Parameters) -> None:
        path = self.folder.head(outcome.trial.candidate)
        save_head(path, parameters, self._about(outcome))

    def _about(self, outcome: Outcome) -> dict[str, float]:
        setting = head_settings(self.settings, outcome.trial).hyperparameters
        return {
            **asdict(setting),
            **asdict(outcome.trial),
            "epoch": outcome.epoch,
            **outcome.chosen._asdict(),
        }

    def _key(self, outcome: Outcome) -> tuple[float, ...]:
        rank = rank_epoch(self.settings.select, outcome.epoch, outcome.chosen)
        return (*rank, -outcome.trial.number)
