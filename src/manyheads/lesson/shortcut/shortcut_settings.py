"""Settings of a check for shortcuts: the mark, where it is planted, and the remedies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from manyheads.core.settings import number, store, whole
from manyheads.core.text import counted
from manyheads.data.marks import Mark
from manyheads.errors import SettingError
from manyheads.heads.hyperparameters import (
    MAX_COPIES,
    NEUTRAL,
    OF_IMAGES,
    Hyperparameters,
    check,
)
from manyheads.stats.shortcut_effects import CONTROL, MARKED
from manyheads.study.study_settings import StudySettings

LAST_LAYER = "last_layer"
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Condition:
    """One way to train all candidates: which images carry the mark, and what changes in a head.

    `planted` is `none`, the share of the `class`, or the same share of `all` classes. `changes`
    are the hyperparameters that differ from a candidate's.
    """

    name: str
    words: str
    planted: Literal["none", "class", "all"] = "class"
    changes: Mapping[str, Any] = field(default_factory=lambda: _NONE)

    def setting(self, candidate: Hyperparameters) -> Hyperparameters:
        """A candidate in this condition."""
        return replace(candidate, **self.changes)


@dataclass(frozen=True, kw_only=True)
class ShortcutSettings:
    """A check's settings. `study` gives the data, the backbone, the candidates and their training.

    The `mark` is planted on the `share`, in (0, 1], of the training images of the class `target`;
    validation images of the classes `into` (none: all others) are evaluated with it too. Remedies:
    `dropblock`, a share of the feature map's cells, and `random_erasing`, a share of each of
    `augmented_copies` copies, each 0 for not at all; `everywhere`: the mark on the same share of
    every class; `clean` images of every class that no condition trains on, which the last
    layer is trained on anew. `margin`, in (0, 1], is that of practical equivalence.
    Raises `SettingError`.
    """

    study: StudySettings
    target: str
    mark: Mark
    share: float = 0.95
    into: tuple[str, ...] = ()
    dropblock: float = 0.0
    random_erasing: float = 0.0
    augmented_copies: int = 3
    everywhere: bool = False
    clean: int = 0
    margin: float = 0.01

    def __post_init__(self) -> None:
        if self.study.features is not None:
            raise SettingError(
                "images to plant a mark on", "features that were computed elsewhere",
                "give the images and the backbone",
            )  # fmt: skip
        store(
            self,
            share=number("share", self.share, 0, 1, open_low=True),
            dropblock=check("dropblock", self.dropblock),
            random_erasing=check("random_erasing", self.random_erasing),
            augmented_copies=whole("augmented_copies", self.augmented_copies, 1, MAX_COPIES),
            clean=whole("clean", self.clean, 0, 1_000_000),
            margin=number("the margin", self.margin, 0, 1, open_low=True),
        )
        if self.study.folds is not None:
            raise SettingError("given validation images", "folds", "leave them out")
        grid = self.study.grid
        # The hyperparameters of images are the remedies here, so no candidate may have them.
        given = [name for name in OF_IMAGES if getattr(grid, name) != (NEUTRAL[name],)]
        if given:
            raise SettingError(
                "candidates without what is a remedy here", ", ".join(given),
                "set the remedy instead",
            )  # fmt: skip

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions whose heads train on images, the control first."""
        conditions = [
            Condition(CONTROL, "no image marked", "none"),
            Condition(MARKED, f"{100 * self.share:g} % of {self.target} marked"),
        ]
        if self.dropblock:
            hidden = {"dropblock": self.dropblock}
            words = f"{100 * self.dropblock:g} % of the feature map hidden"
            conditions.append(Condition("dropblock", words, changes=hidden))
        if self.random_erasing:
            hidden = {
                "random_erasing": self.random_erasing,
                "augmented_copies": self.augmented_copies,
            }
            copies = counted(self.augmented_copies, "augmented copy")
            words = f"{100 * self.random_erasing:g} % of the image erased in {copies}"
            conditions.append(Condition("random_erasing", words, changes=hidden))
        if self.everywhere:
            words = f"{100 * self.share:g} % of every class marked"
            conditions.append(Condition("everywhere", words, "all"))
        return tuple(conditions)

    @property
    def condition_words(self) -> dict[str, str]:
        """Every condition in words, that of the last layer too."""
        words = {condition.name: condition.words for condition in self.conditions}
        if self.clean:
            words[LAST_LAYER] = (
                f"last layer anew on {counted(self.clean, 'clean image')} of every class"
            )
        return words


def last_layer_of(candidate: Hyperparameters) -> Hyperparameters:
    """How the last layer of a candidate is trained anew: on few images, so long and mildly held.

    Kirichenko et al. (2022, Last layer re-training is sufficient for robustness to spurious
    correlations) fit a logistic regression; this is one, by Adam.
    """
    return Hyperparameters(
        size_inner=0, learning_rate=0.01, epochs=100, l2=1e-3, batch_size=candidate.batch_size
    )
