"""What tells images unlike a study's: training features that are kept, and held-out images' scores.

Without folds, the validation images are held out, and the kept training images are the selected
head's. With folds, each image is scored by training images of its own fold, and those that are kept
in the end are drawn from all images, as the selected head trains on all of them: so an image has
slightly nearer neighbours there, and false alarms are rather fewer than the rate that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float16, Float32

from manyheads.data.columns import DIGEST_BYTES, Rows
from manyheads.data.dataset import Dataset
from manyheads.data.folds import pool_of
from manyheads.features.extraction import Features
from manyheads.stats.unlikeness import Unlikeness, as_kept, even, most_kept, spread
from manyheads.study.store import Division


def unlikeness_of(
    features: Features, dataset: Dataset, divided: Sequence[Division], folds: int | None
) -> Unlikeness | None:
    """What tells images unlike those of a study in `folds`, None: by the given split.

    `features` are the plain ones of all images of `dataset`, and `divided` those that validate each
    fold, as the store has them; of repeats the first counts. None where nothing is held out.
    """
    divided = divided[: folds or 1]
    if not divided:
        return None
    pool = dataset.rows("train") if folds is None else pool_of(dataset)
    pool = pool[features.rows[pool] >= 0]
    held_out = np.concatenate([division.images for division in divided])
    chosen = np.zeros(len(dataset), bool)
    chosen[held_out[even(len(held_out))]] = True
    scores: list[np.ndarray] = []
    for division in divided:
        own = division.images[chosen[division.images]]
        train = pool[~np.isin(pool, division.images)]
        if len(own) and len(train):
            judge = Unlikeness(_kept(features, dataset, train), np.zeros(0, np.float32))
            scores.append(judge.scores(_rows(features, own)))
    if not scores:
        return None
    return Unlikeness(_kept(features, dataset, pool), np.sort(np.concatenate(scores)))


def _kept(
    features: Features, dataset: Dataset, images: Rows
) -> Float16[np.ndarray, "kept features"]:
    """The features of some of the images, which their contents alone choose, each content once."""
    digests = dataset.digests.take(images).values
    _, first = np.unique(digests.view(f"S{DIGEST_BYTES}").ravel(), return_index=True)
    images = images[first]  # in the order of their contents, which says nothing of what they show
    places = spread(dataset.labels[images], most_kept(len(dataset.classes)))
    return as_kept(_rows(features, images[places]))


def _rows(features: Features, images: Rows) -> Float32[np.ndarray, "images features"]:
    return np.asarray(features.matrix[features.rows[images]], np.float32)
