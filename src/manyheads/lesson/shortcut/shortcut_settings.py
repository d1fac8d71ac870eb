"""What a check for shortcuts is asked: the mark, where it is planted, and the remedies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from manyheads.core.settings import number, store, whole
from manyheads.core.text import counted
from manyheads.data.marks import Mark
from manyheads.errors import SettingError
from manyheads.heads.hyperparameters import NEUTRAL, Hyperparameters
from manyheads.stats.shortcut_effects import CONTROL, MARKED
from manyheads.study.study_settings import StudySettings

HIDING = ("hide_patches", "hide_block", "hide_pixels", "views")
"""The hyperparameters that are remedies here, so no candidate may have them."""
LAST_LAYER = "last_layer"
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Arm:
    """One way to train the candidates: which images carry the mark, and what a head does about it.

    `planted` is `none`, the share of the `class`, or the same share of `all` classes. `changes`
    are the hyperparameters that differ from a candidate's.
    """

    name: str
    words: str
    planted: Literal["none", "class", "all"] = "class"
    changes: Mapping[str, Any] = field(default_factory=lambda: _NONE)

    def setting(self, candidate: Hyperparameters) -> Hyperparameters:
        """A candidate in this arm."""
        return replace(candidate, **self.changes)


@dataclass(frozen=True, kw_only=True)
class ShortcutSettings:
    """What is asked. `study` gives the data, the backbone, the candidates and their training.

    The `mark` is planted on the `share`, in (0, 1], of the training images of the class `target`;
    validation images of the classes `into` (none: all others) are asked about with it. Remedies:
    `hide_patches`, a share of the feature grid's cells, and `hide_pixels`, a share of the image in
    all of `views` views but the plain one, each 0 for not at all; `everywhere`: the mark on the
    same share of every class; `clean` images of every class that no arm trains on, which the last
    layer is trained on anew. `margin` is the difference, in (0, 1], that makes none in practice.
    Raises `SettingError`.
    """

    study: StudySettings
    target: str
    mark: Mark
    share: float = 0.95
    into: tuple[str, ...] = ()
    hide_patches: float = 0.0
    hide_pixels: float = 0.0
    views: int = 4
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
            hide_patches=number("hide_patches", self.hide_patches, 0, 1, open_high=True),
            hide_pixels=number("hide_pixels", self.hide_pixels, 0, 1, open_high=True),
            views=whole("views", self.views, 2, 1000),
            clean=whole("clean", self.clean, 0, 1_000_000),
            margin=number("the margin", self.margin, 0, 1, open_low=True),
        )
        if self.study.folds is not None:
            raise SettingError("given validation images", "folds", "leave them out")
        grid = self.study.grid
        given = [name for name in HIDING if getattr(grid, name) != (NEUTRAL[name],)]
        if given:
            raise SettingError(
                "candidates without what is a remedy here", ", ".join(given),
                "ask for the remedy instead",
            )  # fmt: skip

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms whose heads train on images, the control first."""
        arms = [
            Arm(CONTROL, "no image marked", "none"),
            Arm(MARKED, f"{100 * self.share:g} % of {self.target} marked"),
        ]
        if self.hide_patches:
            hidden = {"hide_patches": self.hide_patches}
            words = f"{100 * self.hide_patches:g} % of the feature grid hidden"
            arms.append(Arm("hide_patches", words, changes=hidden))
        if self.hide_pixels:
            hidden = {"hide_pixels": self.hide_pixels, "views": self.views}
            words = f"{100 * self.hide_pixels:g} % of the image hidden in {self.views - 1} of "
            arms.append(Arm("hide_pixels", f"{words}{counted(self.views, 'view')}", changes=hidden))
        if self.everywhere:
            words = f"{100 * self.share:g} % of every class marked"
            arms.append(Arm("everywhere", words, "all"))
        return tuple(arms)

    @property
    def arm_words(self) -> dict[str, str]:
        """Every arm in words, that of the last layer too."""
        words = {arm.name: arm.words for arm in self.arms}
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
