"""Standard classifiers on a study's features, in its own folds: what a head has to beat.

The majority class, nearest neighbours and logistic regression, all scikit-learn's, with its usual
settings but for the metric of the neighbours. They train on the plain features of the training
images, and answer for the images that validate the heads.
"""

from __future__ import annotations

import time
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16, Int64

from manyheads.core.job import SILENT, Job
from manyheads.core.places import atomic_path
from manyheads.heads.bank import Predictions
from manyheads.heads.fold import Fold
from manyheads.heads.head import compact_log_odds, compact_predictions
from manyheads.study.folder import RunFolder
from manyheads.study.store import Division

MAJORITY, NEIGHBOURS, REGRESSION = (
    "majority class", "5 nearest neighbours", "logistic regression",
)  # fmt: skip
BASELINES = (MAJORITY, NEIGHBOURS, REGRESSION)
MOST = 5_000  # training images of a fold that a baseline learns from; beyond, it takes minutes
_NEIGHBOURS = 5
_ITERATIONS = 1_000  # of logistic regression; most converge in a few hundred


@dataclass(frozen=True)
class Baseline:
    """What a baseline predicts for the images that validate, in their order in the data set.

    `trained_on` is the largest number of training images in a fold that it learnt from, of `train`;
    `seconds` are those of the processor, all folds together. The votes of neighbours are no
    probabilities, and have no log loss.
    """

    name: str
    log_probabilities: Float16[np.ndarray, "images classes"]
    trained_on: int
    train: int
    seconds: float

    @property
    def has_probabilities(self) -> bool:
        """Whether its predictions have a log loss that means something."""
        return self.name != NEIGHBOURS


def fit_baselines(
    folds: Sequence[Fold], divisions: Sequence[Division], job: Job = SILENT
) -> list[Baseline]:
    """Train every baseline in each of the `folds`, those of one repeat.

    `divisions` say which images validate them. Raises `Interrupted` when `job` is stopped.
    """
    from threadpoolctl import threadpool_limits

    _models(1)  # imports, which the seconds are not to count
    order = np.argsort(np.concatenate([division.images for division in divisions]))
    found = []
    with threadpool_limits(1):  # a few thousand images are too few for threads that wait in turn
        for done, name in enumerate(BASELINES):
            job.progress("fitting", done, len(BASELINES), "baselines")
            parts, seconds = [], 0.0
            for fold in folds:
                job.check("the baselines")
                began = time.process_time()
                parts.append(_predictions(name, fold))
                seconds += time.process_time() - began
            train = max(len(fold.train) for fold in folds)
            taken = train if name == MAJORITY else min(train, MOST)
            found.append(Baseline(name, np.concatenate(parts)[order], taken, train, seconds))
    job.progress("fitting", len(BASELINES), len(BASELINES), "baselines")
    return found


def _predictions(name: str, fold: Fold) -> Predictions:
    from sklearn.exceptions import ConvergenceWarning

    if fold.label_sets is not None:
        return _log_odds(name, fold, fold.label_sets)
    places = _learnt_from(fold)
    labels = fold.train_labels[places]
    if name == MAJORITY or len(np.unique(labels)) < 2:  # of one class nothing else can be learnt
        name, labels = MAJORITY, fold.train_labels
        known, asked = np.zeros((len(labels), 1)), np.zeros((len(fold.validation), 1))
    else:
        known, asked = fold.matrix[fold.train[places]], fold.matrix[fold.validation]
    model = _models(len(labels))[name]
    with warnings.catch_warnings():
        # A regression that has not converged is a baseline all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(known, labels)
    logs = np.full((len(asked), fold.classes), -np.inf, np.float32)
    with np.errstate(divide="ignore"):
        logs[:, model.classes_] = np.log(model.predict_proba(asked))
    return compact_predictions(logs)


def _log_odds(name: str, fold: Fold, label_sets: Bool[np.ndarray, "sets labels"]) -> Predictions:
    """What a baseline predicts of several labels: each is a classification of its own."""
    from sklearn.exceptions import ConvergenceWarning

    places = _learnt_from(fold)
    targets = label_sets[fold.train_labels[places]]
    chances = np.tile(label_sets[fold.train_labels].mean(axis=0), (len(fold.validation), 1))
    mixed = np.flatnonzero(targets.any(axis=0) & ~targets.all(axis=0))
    if name != MAJORITY and len(mixed):
        known, asked = fold.matrix[fold.train[places]], fold.matrix[fold.validation]
        model = _models(len(places))[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for label in mixed:
                model.fit(known, targets[:, label])
                chances[:, label] = model.predict_proba(asked)[:, 1]
    with np.errstate(divide="ignore"):
        return compact_log_odds((np.log(chances) - np.log1p(-chances)).astype(np.float32))


def _models(samples: int) -> dict[str, Any]:
    """The classifiers for so many training images."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    return {
        MAJORITY: DummyClassifier(strategy="prior"),
        NEIGHBOURS: KNeighborsClassifier(min(_NEIGHBOURS, samples), metric="cosine"),
        REGRESSION: LogisticRegression(max_iter=_ITERATIONS),
    }


def _learnt_from(fold: Fold) -> Int64[np.ndarray, "samples"]:
    """The places of the training images that a baseline learns from: all, or `MOST` at random."""
    count = len(fold.train)
    if count <= MOST:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:MOST])


def keep_baselines(
    folder: RunFolder,
    folds: Sequence[Fold],
    divisions: Sequence[Division],
    job: Job = SILENT,
    *,
    place: int = 0,
) -> None:
    """Train the baselines of a study and write what they predict, unless that is there.

    `folds` and their `divisions` are of one repeat, with the features of the backbone at `place`:
    a study that grows may select another one. Raises `Interrupted` when `job` is stopped.
    """
    if kept_baselines(folder, place) is not None:
        return
    found = fit_baselines(folds, divisions, job)
    with atomic_path(folder.baselines) as temporary:
        np.savez_compressed(
            temporary,
            names=np.array([each.name for each in found]),
            log_probabilities=np.stack([each.log_probabilities for each in found]),
            counts=np.array([(each.trained_on, each.train) for each in found]),
            seconds=np.array([each.seconds for each in found]),
            place=place,
        )


def kept_baselines(folder: RunFolder, place: int = 0) -> list[Baseline] | None:
    """What the baselines of a study predict from the features of the backbone at `place`.

    None if it has none of these, or they are damaged.
    """
    try:
        with folder.baselines.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if int(kept.get("place", 0)) != place:
                return None
            columns = kept["names"], kept["log_probabilities"], kept["counts"], kept["seconds"]
            return [
                Baseline(str(name), logs, int(counts[0]), int(counts[1]), float(seconds))
                for name, logs, counts, seconds in zip(*columns, strict=True)
            ]
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
        return None
