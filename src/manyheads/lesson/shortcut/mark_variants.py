"""The versions of images that the arms train on, and what each costs in backbone passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.data.alterations import Alteration, Altered
from manyheads.data.augmentation import Augmentation, View
from manyheads.data.columns import Rows
from manyheads.features.cache import FeatureCache, FeatureRecipe
from manyheads.features.extraction import recipe_of
from manyheads.heads.fold import PLAIN, Version, versions_of
from manyheads.lesson.shortcut.arrangement import Arrangement
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings


class Key(NamedTuple):
    """A version of an image, with the mark or without."""

    marked: bool
    version: Version = PLAIN


@dataclass(frozen=True)
class Wanted:
    """Images that are needed in one version; `how` are the arguments of `extract` and `recipe_of`
    that make it."""

    key: Key
    images: Rows
    how: dict[str, Any]

    @property
    def words(self) -> str:
        """Such as `with the mark, augmented copy 2, 25 % erased`."""
        version = self.key.version
        parts = ["with the mark" if self.key.marked else "as they are"]
        parts += [f"augmented copy {version.view}"] if version.view else []
        parts += [f"{100 * version.hide_pixels:g} % erased"] if version.hide_pixels else []
        parts += ["feature grid"] if version.grid else []
        return ", ".join(parts)


def wanted_versions(settings: ShortcutSettings, arrangement: Arrangement) -> list[Wanted]:
    """Every version of every image that some arm trains on or is asked about, the plain first."""
    everyone = [arrangement.train, arrangement.clean, arrangement.validation]
    images: dict[Key, list[Rows]] = {Key(False): everyone, Key(True): [arrangement.into]}
    for arm in settings.arms:
        planted = arrangement.planted(arm)
        others = np.setdiff1d(arrangement.train, planted)
        images[Key(True)].append(planted)
        for version in versions_of(arm.setting(settings.study.grid[0])):
            if version != PLAIN:
                images.setdefault(Key(False, version), []).append(others)
                images.setdefault(Key(True, version), []).append(planted)
    return [
        Wanted(key, np.unique(np.concatenate(rows)), _how(settings, key))
        for key, rows in images.items()
    ]


def recipe(
    settings: ShortcutSettings, spec: BackboneSpec, weights: Weights, wanted: Wanted
) -> FeatureRecipe:
    """The recipe of the features of a version."""
    study = settings.study
    return recipe_of(spec, weights, study.image, study.runtime, study.precision, **wanted.how)


def missing_passes(
    arrangement: Arrangement,
    wanted: list[Wanted],
    recipe_for: Callable[[Wanted], FeatureRecipe] | None,
) -> Iterator[int]:
    """How many passes each version still needs; without weights there are no recipes, and all."""
    for each in wanted:
        contents = arrangement.dataset.digests.take(each.images)
        contents = contents.take(contents.distinct()[0])
        if recipe_for is None:
            yield len(contents)
            continue
        with FeatureCache(recipe_for(each)) as cache:
            yield cache.missing(contents)


def _how(settings: ShortcutSettings, key: Key) -> dict[str, Any]:
    version, steps = key.version, []
    if key.marked:
        steps.append(settings.mark)
    if version.view:
        none = Augmentation.none()
        steps.append(View(number=version.view, augmentation=none, hide_pixels=version.hide_pixels))
    pooled = {"pooling": "grid", "storage": settings.study.grid_storage} if version.grid else {}
    return {"alteration": _together(steps), **pooled}


def _together(steps: list[Alteration]) -> Alteration | None:
    if len(steps) > 1:
        return Altered(tuple(steps))
    return steps[0] if steps else None
