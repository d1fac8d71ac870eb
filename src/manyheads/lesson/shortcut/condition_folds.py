"""The fold of each condition, put together from features with the mark and without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from manyheads.data.columns import Rows
from manyheads.features.extraction import Features
from manyheads.heads.fold import PLAIN, Fold, Source, Variant, variants_of
from manyheads.lesson.shortcut.arrangement import Arrangement, Key
from manyheads.lesson.shortcut.shortcut_settings import Condition, ShortcutSettings

Everything = Mapping[Key, Features]


@dataclass(frozen=True)
class Learnt:
    """The pooled features of all images, in one matrix.

    `plain[i]` and `marked[i]` are the rows of image i without and with the mark; -1: not there.
    """

    matrix: Float32[np.ndarray, "stored features"]
    plain: Int64[np.ndarray, "images"]
    marked: Int64[np.ndarray, "images"]

    def trained(self, train: Rows, planted: Rows) -> Int64[np.ndarray, "train"]:
        """The rows of the training images, of which those `planted` carry the mark."""
        return np.where(np.isin(train, planted), self.marked[train], self.plain[train])

    def evaluated(self, arrangement: Arrangement) -> Int64[np.ndarray, "evaluated"]:
        """The rows of the images that heads are evaluated on: the plain ones, then the marked."""
        return np.concatenate([self.plain[arrangement.validation], self.marked[arrangement.into]])


def gathered(features: Everything) -> Learnt:
    """The pooled features in memory; engines read one matrix, the cache has one per variant."""
    matrices, places, stored = [], [], 0
    for marked in (False, True):
        each = features[Key(marked)]
        present = np.flatnonzero(each.rows >= 0)
        place = np.full(len(each.rows), -1)
        place[present] = stored + np.arange(len(present))
        matrices.append(each.matrix[each.rows[present]])
        places.append(place)
        stored += len(present)
    return Learnt(np.concatenate(matrices), *places)


def folds_of(
    settings: ShortcutSettings, arrangement: Arrangement, features: Everything, learnt: Learnt
) -> list[Fold]:
    """A fold for each condition; all are validated on the same plain images."""
    labels, train = arrangement.dataset.labels, arrangement.train
    folds = []
    for condition in settings.conditions:
        variants = variants_of(condition.setting(settings.study.grid[0]))
        sources = {
            variant: _source(arrangement, condition, features, variant)
            for variant in variants
            if variant != PLAIN
        }
        grids = [features[Key(False, variant)].grid for variant in variants if variant.grid]
        folds.append(
            Fold(
                matrix=learnt.matrix,
                train=learnt.trained(train, arrangement.planted(condition)),
                train_labels=labels[train],
                validation=learnt.plain[arrangement.validation],
                validation_labels=labels[arrangement.validation],
                classes=len(arrangement.dataset.classes),
                class_names=tuple(arrangement.dataset.classes),
                sources=sources,
                cells=grids[0] if grids else None,
            )
        )
    return folds


def _source(
    arrangement: Arrangement, condition: Condition, features: Everything, variant: Variant
) -> Source:
    """A variant of a condition's training images, in their order."""
    train = arrangement.train
    carries = np.isin(train, arrangement.planted(condition))
    like = features[Key(True, variant)].matrix
    array = np.empty((len(train), *like.shape[1:]), like.dtype)
    for marked in (False, True):
        each = features[Key(marked, variant)]
        if len(places := np.flatnonzero(carries == marked)):
            array[places] = each.matrix[each.rows[train[places]]]
    return Source(array, np.arange(len(train)))
