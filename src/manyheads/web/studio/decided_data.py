"""A data set with the decisions about its images applied: what is shown, trained on and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int32, Int64

from manyheads.data.columns import Categorical, frozen
from manyheads.data.dataset import Dataset
from manyheads.data.splits import SPLITS
from manyheads.errors import DataError
from manyheads.web.studio.decisions import DecidedImage, DecidedState

Places = Mapping[str, int]
"""The number of each image by its name in the data set."""


@dataclass(frozen=True)
class DecidedData:
    """The images of a data set as they were decided, in its order.

    `labels` index into `classes`: those of the data set, then new ones. `splits` index into
    `SPLITS`. `out` are left out and `changed` differ in any way from what was given; `missing`
    counts the decided images that are not in the data set any more, or have another content.
    """

    dataset: Dataset
    classes: tuple[str, ...]
    labels: Int64[np.ndarray, "images"]
    splits: Int32[np.ndarray, "images"]
    out: Bool[np.ndarray, "images"]
    changed: Bool[np.ndarray, "images"]
    missing: int

    @classmethod
    def of(cls, dataset: Dataset, decided: DecidedState, places: Places) -> DecidedData:
        """`dataset` with what was `decided`."""
        found = _Found(dataset, places)
        classes = list(dataset.classes)
        number = {name: place for place, name in enumerate(classes)}
        labels = np.array(dataset.labels, np.int64)
        splits = given_splits_of(dataset)
        given = splits.copy()
        out = np.zeros(len(dataset), bool)
        for image, name in decided.labels.items():
            if (place := found.place(image)) is not None:
                if name not in number:
                    number[name] = len(classes)
                    classes.append(name)
                labels[place] = number[name]
        for image, split in decided.splits.items():
            if (place := found.place(image)) is not None:
                splits[place] = SPLITS.index(split)
        for image in decided.left_out:
            if (place := found.place(image)) is not None:
                out[place] = True
        changed = (labels != dataset.labels) | (splits != given) | out
        return cls(
            dataset, tuple(classes), labels, splits, out, changed, missing=len(found.missing)
        )

    @property
    def differs(self) -> bool:
        """Whether anything is otherwise than given."""
        return bool(self.changed.any())

    def label(self, image: int) -> str:
        """The class of an image, as decided."""
        return self.classes[self.labels[image]]

    def split(self, image: int) -> str:
        """The split of an image, as decided."""
        return SPLITS[self.splits[image]]

    def counts(self) -> Int64[np.ndarray, "classes splits"]:
        """How many images each class has in each of `SPLITS`, without those that are left out."""
        kept = ~self.out
        places = self.labels[kept] * len(SPLITS) + self.splits[kept]
        size = len(self.classes) * len(SPLITS)
        return np.bincount(places, minlength=size).reshape(len(self.classes), len(SPLITS))

    def applied(self) -> Dataset:
        """The data set that was decided, with the splits of now; without classes of no images.

        Raises `DataError` if fewer than two classes are left.
        """
        kept = np.flatnonzero(~self.out)
        present = np.unique(self.labels[kept])
        names = sorted(self.classes[label] for label in present.tolist())
        if len(names) < 2:
            raise DataError(
                "two or more classes after all decisions", f"{len(names)}", "undo some of them"
            )
        order = {name: place for place, name in enumerate(names)}
        code = np.array([order.get(name, -1) for name in self.classes], np.int64)
        return replace(
            self.dataset.taken(kept),
            labels=frozen(code[self.labels[kept]]),
            classes=tuple(names),
            splits=Categorical(SPLITS, self.splits[kept]),
        )


class _Found:
    """Finds decided images in a data set, and remembers those that are not there."""

    def __init__(self, dataset: Dataset, places: Places) -> None:
        self._dataset, self._places = dataset, places
        self.missing: set[DecidedImage] = set()

    def place(self, image: DecidedImage) -> int | None:
        place = self._places.get(image.name)
        if place is not None and self._dataset.digests[place].startswith(image.digest):
            return place
        self.missing.add(image)
        return None


def given_splits_of(dataset: Dataset) -> Int32[np.ndarray, "images"]:
    """The splits that the data set has, as places in `SPLITS`."""
    order = np.array([SPLITS.index(name) for name in dataset.splits.names], np.int32)
    return order[dataset.splits.codes]
