"""How a study's images are divided: what each fold's heads train on and are validated on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64

from manyheads.data.columns import Rows
from manyheads.data.dataset import Dataset
from manyheads.data.folds import (
    always_training,
    divide,
    pool_of,
    require_divisible,
    validating_units,
)
from manyheads.data.trainable import unvalidated_words
from manyheads.heads.bank import Fold
from manyheads.study.space import counted
from manyheads.study.store import Division
from manyheads.study.study_settings import StudySettings

_NAMED = 5  # classes; others are counted


def require_trainable(folds: int | None, dataset: Dataset) -> None:
    """Raise `DataError` unless heads can be trained on `dataset`, split as given or in `folds`."""
    if folds is None:
        dataset.require_trainable()
    else:
        require_divisible(dataset, folds)


def validation_counts(folds: int | None, dataset: Dataset) -> tuple[int, int]:
    """How many images a head trains on, about, and how many validate, all folds together."""
    if folds is None:
        return len(dataset.rows("train")), len(dataset.rows("validation"))
    pool = pool_of(dataset)
    validated = len(pool) - int(always_training(dataset, pool).sum())
    return len(pool) - validated // folds, validated


def few_words(dataset: Dataset, folds: int | None) -> str:
    """Which classes have too few units for each of `folds` to validate them; "" if none has.

    Such as `not every fold validates hat (2 images); none validates scarf (1 image), only trained
    on`. Without folds, which ones have no validation images.
    """
    if folds is None:
        return unvalidated_words(dataset)
    pool, validating = pool_of(dataset), validating_units(dataset)
    kind = "image" if dataset.groups is None else "group"
    some = np.flatnonzero((validating > 0) & (validating < folds))
    none = np.flatnonzero(validating == 0)
    parts = []
    if len(some):
        words = [f"{dataset.outputs[c]} ({counted(int(validating[c]), kind)})" for c in some]
        parts.append(f"not every fold validates {_listed(words)}")
    if len(none):
        images = dataset.counts(pool)
        words = [f"{dataset.outputs[c]} ({counted(int(images[c]), 'image')})" for c in none]
        parts.append(f"none validates {_listed(words)}, only trained on")
    return "; ".join(parts)


def _listed(words: list[str]) -> str:
    named, others = words[:_NAMED], len(words) - _NAMED
    return ", ".join([*named, *([counted(others, "more class", "es")] if others > 0 else [])])


def divisions(settings: StudySettings, dataset: Dataset) -> list[tuple[Rows, Rows]]:
    """The images that train and those that validate, for each fold of each repeat, in order.

    Raises `DataError` if `dataset` cannot be trained on so.
    """
    require_trainable(settings.folds, dataset)
    if settings.folds is None:
        return [(dataset.rows("train"), dataset.rows("validation"))]
    pool = pool_of(dataset)
    fold_of = divide(dataset, pool, settings.folds, settings.repeats or 1, settings.split.seed)
    return [
        (pool[row != fold], pool[row == fold]) for row in fold_of for fold in range(settings.folds)
    ]


def folds_of(
    divided: list[tuple[Rows, Rows]],
    dataset: Dataset,
    rows: Int64[np.ndarray, "images"],
    matrix: Float32[np.ndarray, "stored features"],
) -> list[Fold]:
    """What an engine trains on: `rows` says which row of `matrix` has an image's features."""
    labels, classes, sets = dataset.labels, len(dataset.outputs), dataset.label_sets
    return [
        Fold(
            matrix=matrix,
            train=rows[train],
            train_labels=labels[train],
            validation=rows[validation],
            validation_labels=labels[validation],
            classes=classes,
            label_sets=None if sets is None else sets.members,
            class_names=tuple(dataset.classes),
        )
        for train, validation in divided
    ]


def trained_on(
    divided: list[tuple[Rows, Rows]], original: Int64[np.ndarray, "images"]
) -> list[Int64[np.ndarray, "train"]]:
    """The images that each fold trains on, numbered as in the whole data set by `original`."""
    return [original[train] for train, _ in divided]


def recorded(
    divided: list[tuple[Rows, Rows]], dataset: Dataset, original: Int64[np.ndarray, "images"]
) -> list[Division]:
    """What the store keeps: `original` numbers the images as in the whole data set."""
    return [
        Division(original[validation], dataset.labels[validation], dataset.units[validation])
        for _, validation in divided
    ]
