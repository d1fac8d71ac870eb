"""What the heads of each arm learn from, put together from features with the mark and without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from manyheads.data.columns import Rows
from manyheads.features.extraction import Features
from manyheads.heads.fold import PLAIN, Fold, Source, Variant, variants_of
from manyheads.lesson.shortcut.arrangement import Arrangement, Key
from manyheads.lesson.shortcut.shortcut_settings import Arm, ShortcutSettings

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

    def asked(self, arrangement: Arrangement) -> Int64[np.ndarray, "asked"]:
        """The rows of the images that heads are asked about: the plain ones, then the marked."""
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
    """A fold for each arm; all are validated on the same plain images."""
    labels, train = arrangement.dataset.labels, arrangement.train
    folds = []
    for arm in settings.arms:
        variants = variants_of(arm.setting(settings.study.grid[0]))
        sources = {
            variant: _source(arrangement, arm, features, variant)
            for variant in variants
            if variant != PLAIN
        }
        grids = [features[Key(False, variant)].grid for variant in variants if variant.grid]
        folds.append(
            Fold(
                matrix=learnt.matrix,
                train=learnt.trained(train, arrangement.planted(arm)),
                train_labels=labels[train],
                validation=learnt.plain[arrangement.validation],
                validation_labels=labels[arrangement.validation],
                classes=len(arrangement.dataset.classes),
                sources=sources,
                cells=grids[0] if grids else None,
            )
        )
    return folds


def _source(arrangement: Arrangement, arm: Arm, features: Everything, variant: Variant) -> Source:
    """A variant of an arm's training images, in their order."""
    train = arrangement.train
    carries = np.isin(train, arrangement.planted(arm))
    like = features[Key(True, variant)].matrix
    array = np.empty((len(train), *like.shape[1:]), like.dtype)
    for marked in (False, True):
        each = features[Key(marked, variant)]
        if len(places := np.flatnonzero(carries == marked)):
            array[places] = each.matrix[each.rows[train[places]]]
    return Source(array, np.arange(len(train)))
