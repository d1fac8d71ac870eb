"""Labels that heads, trained on all other images, find hard to believe.

Images are divided into folds; the heads of a fold train on the others and tell the probabilities
of the fold's own images, which they have never seen. Confident learning (Northcutt, Jiang and
Chuang 2021), as cleanlab does it, compares these out-of-fold probabilities with the labels. Only
training and validation images are looked at: those of the test split stay closed.

Heads err by themselves, and confident learning alone would name every tenth photograph of the
lesson. So a label must also have hardly any probability, `UNBELIEVED` at most; docs/check.md has
the table of flipped labels that this was read from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from manyheads.core.job import SILENT, Job
from manyheads.data.columns import Rows, frozen, kept_rows
from manyheads.data.dataset import Dataset
from manyheads.data.folds import divide, pool_of
from manyheads.errors import DataError, MissingExtraError
from manyheads.features.extraction import Features
from manyheads.heads.bank import Fold, HeadSettings, engine_named, train_bank
from manyheads.heads.hyperparameters import Hyperparameters

FOLDS = 5
REPEATS = 3
EPOCHS = 10
UNBELIEVED = 0.02
_HEAD = Hyperparameters(learning_rate=0.001, size_inner=100, droprate=0.5)

Probabilities = Float64[np.ndarray, "images classes"]


@dataclass(frozen=True)
class SuspiciousLabel:
    """An image whose label is doubtful, and the class that the heads suggest instead.

    `given` and `confidence` are the probabilities of the label that it has and of the suggested.
    """

    name: str
    split: str
    label: str
    suggested: str
    given: float
    confidence: float


@dataclass(frozen=True)
class SuspiciousLabels:
    """What `find_suspicious` found among `judged` images, the most doubtful label first.

    `too_small` are the classes with too few images to judge their labels by.
    """

    judged: int
    suspicious: tuple[SuspiciousLabel, ...]
    too_small: tuple[str, ...]


def find_suspicious(
    dataset: Dataset,
    features: Features,
    *,
    job: Job = SILENT,
) -> SuspiciousLabels:
    """The readable training and validation images whose label is probably wrong.

    Images of one content or group are in one fold. Raises `MissingExtraError` without cleanlab,
    `DataError` if there are too few images to judge by, and `Interrupted` when `job` is stopped.
    """
    require_cleanlab()
    images, too_small = _judged(dataset, features)
    judged = _only(dataset, images)
    probabilities = out_of_fold(judged, features.matrix, features.rows[images], job=job)
    found = doubtful(judged.labels, probabilities, UNBELIEVED)
    return SuspiciousLabels(
        judged=len(images),
        suspicious=tuple(_suspicious(judged, image, probabilities[image]) for image in found),
        too_small=tuple(dataset.classes[label] for label in too_small),
    )


def require_cleanlab() -> None:
    """Raise `MissingExtraError` unless cleanlab is installed."""
    try:
        import cleanlab.filter  # noqa: F401 # pyright: ignore[reportMissingImports]
    except ImportError as error:
        remedy = "pip install 'manyheads[labels]'"
        raise MissingExtraError("cleanlab to judge labels", "none installed", remedy) from error


def _judged(dataset: Dataset, features: Features) -> tuple[Rows, Rows]:
    """The images whose labels can be judged, and the classes that have too few of them."""
    pool = pool_of(dataset)
    pool = pool[features.rows[pool] >= 0]
    pairs = np.unique(np.stack([dataset.units[pool], dataset.labels[pool]]), axis=1)
    units = np.bincount(pairs[1], minlength=len(dataset.classes))
    large = units >= FOLDS
    if large.sum() < 2:
        raise DataError(
            f"two or more classes of at least {FOLDS} different images to judge labels by",
            f"{int(large.sum())} among the training and validation images of {dataset.name}",
            "add images, or do not ask for suspicious labels",
        )
    return pool[large[dataset.labels[pool]]], np.flatnonzero((units > 0) & ~large)


def _only(dataset: Dataset, images: Rows) -> Dataset:
    """The data set of these images and their classes alone."""
    kept, labels = np.unique(dataset.labels[images], return_inverse=True)
    return replace(
        dataset.without(kept_rows(len(dataset), images)),
        classes=tuple(dataset.classes[label] for label in kept),
        labels=frozen(labels),
    )


def out_of_fold(
    dataset: Dataset,
    matrix: np.ndarray,
    rows: Rows,
    *,
    epochs: int = EPOCHS,
    job: Job = SILENT,
) -> Probabilities:
    """Each image's probabilities by heads that did not train on it, the mean over the repeats.

    The features of image i are `matrix[rows[i]]`; one head is trained for each fold of a repeat.
    """
    folds, heads, members = [], [], []
    for repeat, dealt in enumerate(divide(dataset, pool_of(dataset), FOLDS, REPEATS, seed=0)):
        for number in range(FOLDS):
            inside, others = np.flatnonzero(dealt == number), np.flatnonzero(dealt != number)
            heads.append(
                HeadSettings(hyperparameters=_HEAD, seed=repeat, fold=len(folds), epochs=epochs)
            )
            folds.append(
                Fold(
                    matrix, rows[others], dataset.labels[others],
                    rows[inside], dataset.labels[inside], len(dataset.classes),
                )
            )  # fmt: skip
            members.append(inside)
    total = np.zeros((len(rows), len(dataset.classes)))
    ends = train_bank(engine_named("fused"), heads, folds, rule="last", job=job)
    for ended, (end, _) in enumerate(ends, start=1):
        if end.status == "failed" or end.chosen is None:
            remedy = "look at the features of this backbone, or choose another"
            raise DataError("heads that train on the features", f"one that {end.note}", remedy)
        total[members[end.head]] += np.exp(end.chosen.astype(np.float64))
        job.progress("judging labels", ended, len(heads), "heads")
    job.check("judging the labels")
    return total / total.sum(axis=1, keepdims=True)


def doubtful(
    labels: Int64[np.ndarray, "images"], probabilities: Probabilities, at_most: float
) -> Rows:
    """The images whose label confident learning calls wrong, the least believed first.

    Labels with a probability above `at_most` are left out.
    """
    from cleanlab.filter import find_label_issues  # pyright: ignore[reportMissingImports]

    found = find_label_issues(
        labels, probabilities, filter_by="low_self_confidence",
        return_indices_ranked_by="self_confidence", n_jobs=1,
    )  # fmt: skip
    return found[probabilities[found, labels[found]] <= at_most]


def _suspicious(
    dataset: Dataset, image: int, probabilities: Float64[np.ndarray, "classes"]
) -> SuspiciousLabel:
    label = dataset.labels[image]
    suggested = int(probabilities.argmax())
    return SuspiciousLabel(
        name=dataset.name_of(image),
        split=dataset.splits[image],
        label=dataset.classes[label],
        suggested=dataset.classes[suggested],
        given=round(float(probabilities[label]), 4),
        confidence=round(float(probabilities[suggested]), 4),
    )
