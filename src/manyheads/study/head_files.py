"""The files of a study's best heads: one for each candidate, for a bounded number of the best."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from manyheads.core.job import Job
from manyheads.core.settings import plain
from manyheads.errors import ModelError
from manyheads.heads.bank import Engine, Fold
from manyheads.heads.epoch_rules import rank_epoch
from manyheads.heads.files import load_head, save_head
from manyheads.heads.head import Parameters
from manyheads.study.folder import RunFolder
from manyheads.study.results import StudyResult, read_candidate, read_result
from manyheads.study.select import CandidateResult, Outcome, rank_candidate
from manyheads.study.space import counted
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings
from manyheads.study.trial_heads import head_settings, train_again


@dataclass(frozen=True)
class BestHead:
    """The best head of a candidate; `about` is its setting, trial, epoch, and metrics."""

    candidate: int
    about: dict[str, Any]
    parameters: Parameters


def best_heads(
    settings: StudySettings, folder: RunFolder, result: StudyResult, limit: int | None = None
) -> list[BestHead]:
    """The best heads of the best candidates, best first, from the files of a finished study."""
    return [
        BestHead(
            entry.candidate,
            about_head(settings, entry.best),
            load_head(folder.head(entry.candidate))[0],
        )
        for entry in result.ranking[:limit]
        if entry.best is not None
    ]


def about_head(settings: StudySettings, outcome: Outcome) -> dict[str, Any]:
    """Where the head of a trial comes from, in numbers."""
    trial = outcome.trial
    return {
        **plain(settings.grid[trial.candidate - 1]),
        "candidate": trial.candidate,
        "trial": trial.number,
        "seed": trial.seed,
        **({} if settings.folds is None else {"fold": trial.fold}),
        "epoch": outcome.epoch,
        **outcome.chosen.told(settings.select),
    }


class HeadFiles:
    """Keeps the files of the best heads of at most `limit` candidates, the best ones.

    A head is saved before its trial is recorded as done, so a recorded best has its file. When
    the last trial of a candidate has ended, its rank is known, and the file that falls behind the
    first `limit` is removed: beside these there are only files of candidates still in training.
    """

    def __init__(
        self, settings: StudySettings, folder: RunFolder, store: Store, limit: int
    ) -> None:
        self.settings, self.folder, self.store, self.limit = settings, folder, store, max(1, limit)
        self._unended = Counter(r.trial.candidate for r in store.trials("pending", "running"))
        self._best: dict[int, tuple[float, ...]] = {}
        self._kept: list[tuple[float, ...]] = []
        for entry in read_result(store, settings).ranking:
            if entry.best is not None and self._unended[entry.candidate]:
                self._best[entry.candidate] = self._key(entry.best)
            elif len(self._kept) < self.limit:
                self._kept.append(rank_candidate(settings.select, entry))

    def offer(self, outcome: Outcome, parameters: Parameters | None) -> None:
        """A trial is about to be recorded as done; keep its head if it is its candidate's best."""
        candidate, key = outcome.trial.candidate, self._key(outcome)
        held = self._best.get(candidate)
        if held is not None and held > key:
            return
        self._best[candidate] = key
        if parameters is not None:
            self._save(outcome, parameters)

    def ended(self, candidate: int) -> None:
        """A trial of `candidate` is recorded as ended; after the last, the file may have to go."""
        self._unended[candidate] -= 1
        if self._unended[candidate]:
            return
        self._best.pop(candidate, None)
        result = read_candidate(self.store, self.settings, candidate)
        if result.best is None:
            return
        insort(self._kept, rank_candidate(self.settings.select, result))
        if len(self._kept) > self.limit:
            behind = int(self._kept.pop()[-1])
            self.folder.head(behind).unlink(missing_ok=True)

    def complete(
        self,
        result: StudyResult,
        folds: Sequence[Fold],
        engine: Engine,
        job: Job,
    ) -> None:
        """Make the files that the best candidates lack, and remove those of the others."""
        kept = [entry for entry in result.ranking[: self.limit] if entry.best is not None]
        wanted = {self.folder.head(entry.candidate) for entry in kept}
        if self.folder.heads.is_dir():
            for path in self.folder.heads.glob("candidate-*.safetensors"):
                if path not in wanted:
                    path.unlink()
        missing = [entry.best for entry in kept if entry.best and not self._has_file(entry)]
        if missing:
            job.note(
                f"Training {counted(len(missing), 'best head')} again to make the missing files …"
            )
            for outcome, parameters in train_again(self.settings, missing, folds, engine, job):
                self._save(outcome, parameters)

    def _has_file(self, entry: CandidateResult) -> bool:
        path = self.folder.head(entry.candidate)
        if entry.best is None or not path.is_file():
            return False
        try:
            return load_head(path)[1] == self._about(entry.best)
        except ModelError:  # damaged: it is made again
            return False

    def _save(self, outcome: Outcome, parameters: Parameters) -> None:
        path = self.folder.head(outcome.trial.candidate)
        save_head(path, parameters, self._about(outcome))

    def _about(self, outcome: Outcome) -> dict[str, Any]:
        setting = head_settings(self.settings, outcome.trial).hyperparameters
        return {
            **plain(setting),
            **asdict(outcome.trial),
            "epoch": outcome.epoch,
            **outcome.chosen.told(self.settings.select),
        }

    def _key(self, outcome: Outcome) -> tuple[float, ...]:
        rank = rank_epoch(self.settings.select, outcome.epoch, outcome.chosen)
        return (*rank, -outcome.trial.number)
