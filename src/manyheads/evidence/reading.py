"""What the store of a study knows, as the arrays that its evidence is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from manyheads.errors import RunError
from manyheads.evidence.selection import Curves
from manyheads.evidence.validated import Validated
from manyheads.heads.bank import Metrics
from manyheads.study.results import StudyResult
from manyheads.study.settings import StudySettings
from manyheads.study.space import setting_words
from manyheads.study.store import Store


def read_validated(
    path: Path, settings: StudySettings, result: StudyResult, classes: tuple[str, ...]
) -> Validated:
    """What the heads of the candidates that trained to their end said, from the store at `path`.

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

    def log_probabilities(
        candidate: int,
    ) -> Float32[np.ndarray, "seeds repeats images classes"]:
        shape = (settings.seeds, repeats, len(images), len(classes))
        found = np.full(shape, np.nan, np.float32)
        with Store(path) as store:
            for record in store.trials("done", candidate=candidate):
                said = store.predictions(record.trial.number, record.epoch, len(classes))
                if said is None:
                    raise _nothing_kept(path)
                where = np.searchsorted(images, divided[record.trial.fold].images)
                found[record.trial.seed, record.trial.fold // folds, where] = said
        return found

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(division, name) for division in divided[:folds]])[first]

    return Validated(
        candidates=tuple(candidates),
        names=tuple(names_of(settings, candidates)),
        labels=joined("labels"),
        classes=classes,
        units=joined("units"),
        fold_of=fold_of,
        folds=folds,
        log_probabilities=log_probabilities,
    )


def read_images(path: Path, settings: StudySettings) -> Int64[np.ndarray, "images"]:
    """The indices in the data set of the images of `read_validated`, in its order."""
    with Store(path) as store:
        divided = store.divisions()[: settings.folds or 1]
    return np.unique(np.concatenate([division.images for division in divided]))


def names_of(settings: StudySettings, candidates: Sequence[int]) -> list[str]:
    """Candidates in words, by what sets them apart."""
    varying = settings.grid.varying
    return [setting_words(settings.grid[candidate - 1], varying) for candidate in candidates]


def read_curves(path: Path, settings: StudySettings, candidates: Sequence[int]) -> Curves:
    """The validation curves of `candidates`; NaN where a trial failed or was not trained so far."""
    folds = settings.folds or 1
    shape = (len(candidates), settings.seeds, settings.repeats or 1, folds, settings.epochs)
    accuracy, loss = np.full(shape, np.nan), np.full(shape, np.nan)
    with Store(path) as store:
        for place, candidate in enumerate(candidates):
            for record in store.trials("done", candidate=candidate):
                curve = np.array(store.curve(record.trial.number))
                where = place, record.trial.seed, *divmod(record.trial.fold, folds)
                accuracy[where][: len(curve)] = curve[:, Metrics._fields.index("val_accuracy")]
                loss[where][: len(curve)] = curve[:, Metrics._fields.index("val_loss")]
    return Curves(accuracy, loss)


def _nothing_kept(path: Path) -> RunError:
    return RunError(
        f"what the heads of a study said, in {path}",
        "none of it",
        "an earlier version of manyheads trained them, or none trained to its end; begin the "
        "study anew in another --out",
    )
