"""What a fit tries: backbones, sizes, augmented copies, and how thoroughly it searches at each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from manyheads.backbones import registry
from manyheads.backbones.registry import BackboneSpec
from manyheads.run.fit.fit_settings import FitSettings, few_settings, search_grid
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings

# Shares of the size that the backbone was trained at, and augmented copies, from the one worth
# most. Pixels are worth more than a mirrored copy:
# docs/decisions/0016-an-average-of-heads-is-one-head.md.
_WORTH = (
    (1.5, 1), (1.5, 0), (1.25, 1), (1.25, 0), (1.0, 1), (1.0, 0), (0.75, 0), (0.5, 0)
)  # fmt: skip
ETA = 3

Effort = Literal["whole", "pruned", "few"]
EFFORTS: tuple[Effort, ...] = ("whole", "pruned", "few")
"""How an image option is searched, the most thorough first.

`whole`: every setting of the head to its last epoch; `pruned`: every setting, of which the worse
ones end early; `few`: the few settings that are usually best.
"""


Place = tuple[str, int]
"""A backbone and an image size."""


@dataclass(frozen=True, kw_only=True)
class ImageOption:
    """Images of `size` pixels with so many augmented `copies`, and what they cost.

    They are seen by the `backbone` of this name, which words call by its `label`, if they do.
    `altered` says what copies are. Where it is a `pair` of others, these come first. `passes`
    through the backbone are missing; its program is `prepared` already. `products` are samples ×
    units × epochs of the heads to train, in the order of `EFFORTS`.
    """

    backbone: str
    label: str = ""
    pair: bool = False
    altered: str = "mirrored"
    size: int
    copies: int
    passes: int
    prepared: bool
    products: tuple[float, ...]

    @property
    def place(self) -> Place:
        """The backbone and the size: of such a place one option is searched."""
        return self.backbone, self.size

    @property
    def at(self) -> str:
        """Such as `299×299`, or `xception at 299×299`."""
        size = f"{self.size}×{self.size}"
        return f"{self.label} at {size}" if self.label else size

    @property
    def words(self) -> str:
        """Such as `299×299, plain and mirrored`."""
        return f"{self.at}, plain{f' and {self.altered}' if self.copies else ''}"

    def no_smaller(self, other: ImageOption) -> bool:
        """Whether it takes as much as `other`, of the same backbone, or more."""
        same = self.backbone == other.backbone
        return same and (self.size, self.copies) >= (other.size, other.copies)


def candidate_images(
    size: int | None, spec: BackboneSpec, *, copied: bool = True
) -> list[tuple[int, int]]:
    """Sizes and augmented copies for a backbone, the one worth most first; not `copied`: no copies.

    A given `size` is the only one, and so is that of a backbone which takes no other. Many networks
    of the hub are such, without saying so: they are tried at their own size. Raises `BackboneError`
    for a size that the backbone does not take.
    """
    is_only = any(part.fixed or part.hub is not None for part in spec.parts)
    only = spec.default_size if is_only and size is None else size
    if only is not None:
        spec.check_size(only)
        return [(only, 1), (only, 0)] if copied else [(only, 0)]
    default, least = spec.default_size, spec.min_size
    pairs = ((max(least, round(default * share)), copies) for share, copies in _WORTH)
    pairs = ((size, copies) for size, copies in pairs if copied or not copies)
    return list(dict.fromkeys(pairs))


def head_grid(settings: FitSettings, copies: int, effort: Effort = "whole") -> Grid:
    """The settings of the head that a search compares, with so many copies of the images."""
    grid = few_settings(copies) if effort == "few" else search_grid(copies)
    for name in ("class_weight", "balanced_batches"):
        if (value := getattr(settings, name)) is not None:
            grid = replace(grid, **{name: (value,)})
    return grid


def study_of(
    settings: FitSettings, folds: int, images: tuple[int, int], effort: Effort = "whole"
) -> StudySettings:
    """The study of an image option: the settings of the head, once in every fold.

    `settings` have a single backbone.
    """
    size, copies = images
    backbone = settings.single
    assert backbone is not None
    return StudySettings(
        data=settings.data,
        grid=head_grid(settings, copies, effort),
        backbone=backbone,
        preprocessing=settings.preprocessing,
        weights=settings.weights,
        image=registry.get(backbone, settings.preprocessing).prepared(
            size, depth=settings.depth, decode=settings.decode
        ),
        split=settings.split,
        table=settings.table,
        seeds=1,
        folds=folds,
        select=settings.rule,
        prune=ETA if effort == "pruned" else None,
        engine=settings.engine,
        augmentation=settings.augmentation if copies else None,
    )
