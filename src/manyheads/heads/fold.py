"""What the heads of one fold learn from: the features of its samples, in one variant or several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from manyheads.heads.hyperparameters import Hyperparameters


class Variant(NamedTuple):
    """Which features of an image: of which augmented copy, how much erased, pooled or as a map.

    The copy 0 is the image itself; `erased` is a share of the pixels, `grid` is the feature map.
    """

    copy: int = 0
    erased: float = 0.0
    grid: bool = False


PLAIN = Variant()


@dataclass(frozen=True)
class Source:
    """The features of the training samples in one variant: sample i's are `array[rows[i]]`.

    `array` is float32 or float16, `[stored, features]` or, of a grid, `[stored, cells, features]`,
    and may be memory-mapped.
    """

    array: Float[np.ndarray, "stored *cells features"]
    rows: Int64[np.ndarray, "train"]


@dataclass(frozen=True)
class Fold:
    """The samples that the heads of one fold train on and are validated on.

    `matrix` `[stored, features]` may be memory-mapped; `train` and `validation` are rows of it,
    and each has its labels, integers from 0 to `classes − 1`. `sources` has what some heads train
    on instead, and `cells` the rows and columns of grids in it. Nobody is ever validated on these.
    `weights` multiply the training samples' losses; None: one each. `class_names` are the classes
    by number, which weights by class need, and may be left out without such.

    Where a sample may have several labels, its number is that of its label set, and `label_sets`
    says which of the labels each set has: a head then has a sigmoid for each of the `classes`
    labels, and its loss is the mean of their binary cross-entropies. None: one class a sample.
    """

    matrix: Float32[np.ndarray, "stored features"]
    train: Int64[np.ndarray, "train"]
    train_labels: Int64[np.ndarray, "train"]
    validation: Int64[np.ndarray, "validation"]
    validation_labels: Int64[np.ndarray, "validation"]
    classes: int
    sources: Mapping[Variant, Source] = field(default_factory=dict[Variant, Source])
    cells: tuple[int, int] | None = None
    weights: Float32[np.ndarray, "train"] | None = None
    class_names: tuple[str, ...] = ()
    label_sets: Bool[np.ndarray, "sets labels"] | None = None

    def source(self, variant: Variant) -> Source:
        """The features of the training samples in `variant`."""
        given = self.sources.get(variant)
        if given is None and variant == PLAIN:
            return Source(self.matrix, self.train)
        if given is None:
            raise KeyError(f"a fold without {variant}, which one of its heads trains on")
        return given


def variants_of(setting: Hyperparameters) -> tuple[Variant, ...]:
    """The variants that a head of this `setting` trains on, the plain image first."""
    grid = setting.dropblock > 0
    copies = range(setting.augmented_copies + 1)
    return tuple(Variant(copy, setting.random_erasing if copy else 0.0, grid) for copy in copies)
