"""What the store of a study knows, as the arrays that its evidence is computed from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from manyheads.core.label_sets import LabelSets
from manyheads.errors import RunError
from manyheads.findings.selection import Curves, luck
from manyheads.heads.bank import Metrics
from manyheads.heads.epoch_rules import rule_of, scored_by
from manyheads.stats.validation_predictions import LogProbabilities, OfHeads, OtherEpochs, Validated
from manyheads.study.results import StudyResult
from manyheads.study.select import chosen_epoch
from manyheads.study.space import Candidates, setting_words
from manyheads.study.store import Division, Store, TrialRecord
from manyheads.study.study_settings import StudySettings


def read_validated(
    path: Path,
    settings: StudySettings,
    result: StudyResult,
    classes: tuple[str, ...],
    label_names: tuple[str, ...] = (),
) -> Validated:
    """The predictions of the candidates that trained to their end, from the store at `path`.

    Raises `RunError` for a study of an earlier version, which kept none of that.
    """
    with Store(path) as store:
        divided = store.divisions()
    candidates = sorted(entry.candidate for entry in result.ranking)
    if len(divided) != settings.divisions or not candidates:
        raise _nothing_kept(path)
    folds, repeats = settings.folds or 1, settings.repeats or 1
    images, first = np.unique(
        np.concatenate([division.images for division in divided[:folds]]), return_index=True
    )
    fold_of = np.empty((repeats, len(images)), np.int64)
    for place, division in enumerate(divided):
        repeat, fold = divmod(place, folds)
        fold_of[repeat, np.searchsorted(images, division.images)] = fold

    outputs = len(label_names or classes)
    reader = _PredictionReader(path, settings, divided, images, outputs)

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(division, name) for division in divided[:folds]])[first]

    return Validated(
        candidates=tuple(candidates),
        names=tuple(names_of(settings.grid, candidates)),
        labels=joined("labels"),
        classes=classes,
        units=joined("units"),
        fold_of=fold_of,
        folds=folds,
        log_probabilities=reader.chosen,
        other_epochs=reader.other_epochs(),
        label_sets=LabelSets.of(label_names, classes),
    )


@dataclass(frozen=True)
class _PredictionReader:
    """Reads what was predicted, a candidate at a time."""

    path: Path
    settings: StudySettings
    divided: list[Division]
    images: Int64[np.ndarray, "images"]
    outputs: int

    def chosen(self, candidate: int) -> LogProbabilities:
        """At the epochs that the study's rule chose."""
        return self._predictions(candidate, lambda record, _: record.epoch)

    def other_epochs(self) -> OtherEpochs | None:
        """What is kept of other epochs; None if an earlier version trained any of the trials."""
        with Store(self.path) as store:
            if not store.has_predictions(after="last"):
                return None
        return OtherEpochs(self._at, self._training, self._luck)

    def _at(self, candidate: int, moment: str) -> LogProbabilities:
        select = self.settings.select
        rule = "last" if moment == "final" else rule_of(moment, select)

        def epoch(record: TrialRecord, store: Store) -> int:
            if rule == select:
                return record.epoch
            return chosen_epoch(rule, store.curve(record.trial.number))

        return self._predictions(candidate, epoch)

    def _training(self, candidate: int) -> OfHeads:
        losses = np.full((self.settings.seeds, *self._shape), np.nan)
        with Store(self.path) as store:
            for record in store.trials("done", candidate=candidate):
                place = record.trial.seed, *divmod(record.trial.fold, self._shape[1])
                losses[place] = store.curve(record.trial.number)[-1].loss
        return losses

    def _luck(self, candidate: int, metric: str) -> OfHeads:
        curves = read_curves(self.path, self.settings, [candidate])
        return luck(curves, metric, self.settings.select)[0]

    @property
    def _shape(self) -> tuple[int, int]:
        return self.settings.repeats or 1, self.settings.folds or 1

    def _predictions(
        self, candidate: int, epoch: Callable[[TrialRecord, Store], int]
    ) -> LogProbabilities:
        repeats, folds = self._shape
        shape = (self.settings.seeds, repeats, len(self.images), self.outputs)
        found = np.full(shape, np.nan, np.float32)
        with Store(self.path) as store:
            for record in store.trials("done", candidate=candidate):
                predicted = store.predictions(
                    record.trial.number, epoch(record, store), self.outputs
                )
                if predicted is None:
                    raise _nothing_kept(self.path)
                where = np.searchsorted(self.images, self.divided[record.trial.fold].images)
                found[record.trial.seed, record.trial.fold // folds, where] = predicted
        return found


def read_images(path: Path, folds: int | None) -> Int64[np.ndarray, "images"]:
    """The indices in the data set of the images of `read_validated`, in its order."""
    with Store(path) as store:
        divided = store.divisions()[: folds or 1]
    return np.unique(np.concatenate([division.images for division in divided]))


def names_of(grid: Candidates, candidates: Sequence[int]) -> list[str]:
    """Candidates in words, by what sets them apart."""
    varying = grid.varying
    return [setting_words(grid[candidate - 1], varying) for candidate in candidates]


def read_curves(path: Path, settings: StudySettings, candidates: Sequence[int]) -> Curves:
    """The validation curves of `candidates`; NaN where a trial failed or was not trained so far."""
    folds = settings.folds or 1
    shape = (len(candidates), settings.seeds, settings.repeats or 1, folds, settings.epochs)
    names = ["val_accuracy", "val_loss", *(["val_score"] if scored_by(settings.select) else [])]
    found = {name: np.full(shape, np.nan) for name in names}
    with Store(path) as store:
        for place, candidate in enumerate(candidates):
            for record in store.trials("done", candidate=candidate):
                curve = np.array(store.curve(record.trial.number))
                where = place, record.trial.seed, *divmod(record.trial.fold, folds)
                for name, scores in found.items():
                    scores[where][: len(curve)] = curve[:, Metrics._fields.index(name)]
    return Curves(**found)


def _nothing_kept(path: Path) -> RunError:
    return RunError(
        f"what the heads of a study predicted, in {path}",
        "none of it",
        "an earlier version of manyheads trained them, or none trained to its end; begin the "
        "study anew in another run folder",
    )
