"""Folds on their way to other processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from manyheads.heads.fold import Fold, Source, Variant


@dataclass(frozen=True)
class SentFolds:
    """Folds as plain data, with the arrays of features that they share beside them, each once.

    Of an array `[stored, …]` there are the rows alone that some fold uses, in their order, in
    memory: of a cache of millions of images, a study of a thousand sends a thousand. `stripped` are
    the folds with the rows renumbered and without the arrays; `places` says which array each
    misses: that of its matrix is at None, that of a source at its variant.
    """

    arrays: Sequence[np.ndarray]
    stripped: Sequence[Fold]
    places: Sequence[dict[Variant | None, int]]

    @classmethod
    def of(cls, folds: Sequence[Fold]) -> Self:
        """What is to be sent for `folds`."""
        shared: dict[int, _SharedArray] = {}
        for fold in folds:
            for array, *rows in _uses(fold):
                one = shared.setdefault(id(array), _SharedArray(array, len(shared)))
                for each in rows:
                    one.used[each] = True
        for one in shared.values():
            one.kept = np.flatnonzero(one.used)
        stripped, places = [], []
        for fold in folds:
            matrix = shared[id(fold.matrix)]
            sources = {v: shared[id(source.array)] for v, source in fold.sources.items()}
            stripped.append(
                replace(
                    fold,
                    matrix=matrix.nothing,
                    train=matrix.renumbered(fold.train),
                    validation=matrix.renumbered(fold.validation),
                    sources={
                        v: Source(sources[v].nothing, sources[v].renumbered(source.rows))
                        for v, source in fold.sources.items()
                    },
                )
            )
            of_sources = {variant: one.place for variant, one in sources.items()}
            places.append({None: matrix.place, **of_sources})
        return cls([one.sent for one in shared.values()], stripped, places)

    def folds(self) -> list[Fold]:
        """Folds whose heads are those of the folds that were given, bit for bit."""
        return [
            replace(
                fold,
                matrix=self.arrays[places[None]],
                sources={
                    variant: Source(self.arrays[places[variant]], source.rows)
                    for variant, source in fold.sources.items()
                },
            )
            for fold, places in zip(self.stripped, self.places, strict=True)
        ]


class _SharedArray:
    """An array of features, and which of its rows are used."""

    def __init__(self, array: np.ndarray, place: int) -> None:
        self.array, self.place = array, place
        self.used = np.zeros(len(array), np.bool_)
        self.kept = np.arange(0)

    @property
    def sent(self) -> np.ndarray:
        whole = len(self.kept) == len(self.array)
        return np.asarray(self.array if whole else self.array[self.kept])

    @property
    def nothing(self) -> np.ndarray:
        return np.empty((0, *self.array.shape[1:]), self.array.dtype)

    def renumbered(self, rows: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.kept, rows)


def _uses(fold: Fold) -> list[tuple[Any, ...]]:
    """The arrays of a fold, each with the rows of it that are used."""
    sources = [(source.array, source.rows) for source in fold.sources.values()]
    return [(fold.matrix, fold.train, fold.validation), *sources]
