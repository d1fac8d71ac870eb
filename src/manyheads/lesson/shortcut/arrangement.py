"""Which images train, carry the mark and are evaluated, and in which variants."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from manyheads.data.augmentation import Augmentation
from manyheads.data.columns import Rows
from manyheads.data.dataset import Dataset
from manyheads.data.name_rules import class_name
from manyheads.data.planting import held_out, planted
from manyheads.errors import DataError
from manyheads.features.variants import Wanted
from manyheads.heads.fold import PLAIN, Variant, variants_of
from manyheads.lesson.shortcut.shortcut_settings import Condition, ShortcutSettings
from manyheads.stats.shortcut_effects import EvaluatedImages


@dataclass(frozen=True)
class Arrangement:
    """Images of `dataset` by what they are for; all ascending.

    `train` are those of every condition, `clean` those that no condition trains on; `in_class` or
    `everywhere` are the training images with the mark. `validation` images are evaluated
    without it, `into`, some of these, with it too.
    """

    dataset: Dataset
    target: int
    train: Rows
    clean: Rows
    in_class: Rows
    everywhere: Rows
    validation: Rows
    into: Rows

    def planted(self, condition: Condition) -> Rows:
        """The training images that carry the mark in a condition."""
        carriers = {"none": self.train[:0], "class": self.in_class, "all": self.everywhere}
        return carriers[condition.planted]

    @property
    def evaluated(self) -> EvaluatedImages:
        """The images that heads are evaluated on."""
        labels, units = self.dataset.labels, self.dataset.units
        return EvaluatedImages(
            labels[self.validation], units[self.validation], self.target, units[self.into]
        )


def arranged(settings: ShortcutSettings, dataset: Dataset) -> Arrangement:
    """The arrangement of a data set; test images have no part in it.

    Raises `DataError` if it cannot be trained on, or has no class of such a name.
    """
    dataset.require_trainable()
    target = _number_of(dataset, settings.target, "target")
    others = [_number_of(dataset, name, "into") for name in settings.into]
    validation = dataset.rows("validation")
    if target in others:
        raise DataError(
            "other classes to plant the mark on", repr(settings.target), "leave it out of `into`"
        )
    if not others:
        validated = np.unique(dataset.labels[validation]).tolist()
        others = [label for label in validated if label != target]
    into = validation[np.isin(dataset.labels[validation], others)]
    for label, images in ((target, validation), (others[0], into)):
        if not (dataset.labels[images] == label).any():
            raise DataError(
                f"validation images of {dataset.classes[label]!r}", "none",
                "choose another class, or add images",
            )  # fmt: skip
    clean = held_out(dataset, dataset.rows("train"), settings.clean)
    train = np.setdiff1d(dataset.rows("train"), clean)
    everywhere = planted(dataset, train, settings.share)
    in_class = everywhere[dataset.labels[everywhere] == target]
    if not len(in_class):
        raise DataError(
            f"a share that marks an image of {settings.target!r}",
            f"{settings.share:g} of {int((dataset.labels[train] == target).sum()):,} images",
            "give a greater share",
        )
    return Arrangement(dataset, target, train, clean, in_class, everywhere, validation, into)


class Key(NamedTuple):
    """A variant of an image, with the mark or without."""

    marked: bool
    variant: Variant = PLAIN


def wanted_variants(settings: ShortcutSettings, arrangement: Arrangement) -> dict[Key, Wanted]:
    """Every variant of every image that some condition uses, the plain first."""
    everyone = [arrangement.train, arrangement.clean, arrangement.validation]
    images: dict[Key, list[Rows]] = {Key(False): everyone, Key(True): [arrangement.into]}
    for condition in settings.conditions:
        planted = arrangement.planted(condition)
        others = np.setdiff1d(arrangement.train, planted)
        images[Key(True)].append(planted)
        for variant in variants_of(condition.setting(settings.study.grid[0])):
            if variant != PLAIN:
                images.setdefault(Key(False, variant), []).append(others)
                images.setdefault(Key(True, variant), []).append(planted)
    return {
        key: Wanted(
            variant=key.variant, images=np.unique(np.concatenate(rows)),
            augmentation=Augmentation.none(), mark=settings.mark if key.marked else None,
            storage=settings.study.grid_storage,
        )
        for key, rows in images.items()
    }  # fmt: skip


def _number_of(dataset: Dataset, name: str, setting: str) -> int:
    name = name if name in dataset.classes else class_name(name)
    if name not in dataset.classes:
        parts = [part.strip() for part in name.split(",")]
        together = setting == "into" and set(parts) <= set(dataset.classes)
        remedy = f"separate them by spaces: `{setting}` {shlex.join(parts)}"
        raise DataError(
            f"`{setting}` to be one of {', '.join(dataset.classes)}", repr(name),
            remedy if together else "choose one of these",
        )  # fmt: skip
    return dataset.classes.index(name)
