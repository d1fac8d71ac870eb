"""The sizes and augmented copies that a fit tries: what they cost, and what there is time for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from manyheads.backbones.registry import BackboneSpec
from manyheads.data.augmentation import Augmentation
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import SettingError
from manyheads.run.fit.fit_settings import FitSettings, budget_words, search_grid
from manyheads.study.space import counted
from manyheads.study.study_settings import StudySettings

MIRRORED = Augmentation(flip=True, shift=0, zoom=0, rotation=0, brightness=0, colour=0)

# Shares of the size that the backbone was trained at, and augmented copies, from the one worth
# most. Pixels are worth more than a mirrored copy:
# docs/decisions/0016-an-average-of-heads-is-one-head.md.
_WORTH = (
    (1.5, 1), (1.5, 0), (1.25, 1), (1.25, 0), (1.0, 1), (1.0, 0), (0.75, 0), (0.5, 0)
)  # fmt: skip
_KEPT_FREE = 0.2  # of the budget, for heads, for the model's file and for what was misjudged
ETA = 3


@dataclass(frozen=True, kw_only=True)
class ImageOption:
    """Images of `size` pixels with so many augmented `copies`: what it costs in passes and seconds.

    `training` are the seconds of its heads, which `pruned` says are pruned.
    """

    size: int
    copies: int
    passes: int
    extraction: float
    training: float
    pruned: bool = False

    @property
    def seconds(self) -> float:
        """All that it costs."""
        return self.extraction + self.training

    @property
    def words(self) -> str:
        """Such as `299×299, plain and mirrored`."""
        return f"{self.size}×{self.size}, {'plain and mirrored' if self.copies else 'plain'}"


def candidate_images(size: int | None, spec: BackboneSpec) -> list[tuple[int, int]]:
    """Sizes and augmented copies for a backbone, the one worth most first.

    A given `size` is the only one, and so is that of a backbone which takes no other. Raises
    `BackboneError` for a size that it does not take.
    """
    only = spec.default_size if spec.fixed and size is None else size
    if only is not None:
        spec.check_size(only)
        return [(only, 1), (only, 0)]
    default, least = spec.default_size, spec.min_size
    pairs = ((max(least, round(default * share)), copies) for share, copies in _WORTH)
    return list(dict.fromkeys(pairs))


def affordable(image_options: Sequence[ImageOption], budget: float) -> list[ImageOption]:
    """The image options that fit into `budget` seconds, to be tried in this order.

    The first of `image_options`, which come by their worth, that there is time for; then whatever
    else there is time for, if its images are of another size. Raises `SettingError` if there is
    time for none.
    """
    left = budget * (1 - _KEPT_FREE)
    chosen: list[ImageOption] = []
    for images in image_options:
        known = any(images.size == other.size for other in chosen)
        if images.seconds <= left and not known:
            chosen.append(images)
            left -= images.seconds
    if not chosen:
        least = min(image_options, key=lambda each: each.seconds)
        needed = budget_words(least.seconds / (1 - _KEPT_FREE))
        raise SettingError(
            f"a budget of at least {needed} for "
            f"{counted(least.passes, 'backbone pass', 'es')} at {least.size} pixels",
            budget_words(budget), f"give a `budget` of {needed} or more; what was computed is kept",
        )  # fmt: skip
    return chosen


def study_of(
    settings: FitSettings, folds: int, images: tuple[int, int], prune: bool
) -> StudySettings:
    """The study of an image option: every setting of the head, once in every fold."""
    size, copies = images
    return StudySettings(
        data=settings.data,
        grid=search_grid(copies),
        backbone=settings.backbone,
        preprocessing=settings.preprocessing,
        weights=settings.weights,
        image=ImageSettings(size=size, depth=settings.depth),
        split=settings.split,
        table=settings.table,
        seeds=1,
        folds=folds,
        select="last",
        prune=ETA if prune else None,
        engine=settings.engine,
        augmentation=MIRRORED if copies else None,
    )
