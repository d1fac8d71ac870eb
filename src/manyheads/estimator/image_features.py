"""What sees for an estimator: a frozen backbone with its weights and its preparation of images."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from manyheads.backbones import registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights, resolve
from manyheads.data.augmentation import Augmentation, View
from manyheads.data.columns import Categorical, Digests
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.data.digests import digests_of
from manyheads.data.image_inputs import Image, named, square_of
from manyheads.data.paths import Paths
from manyheads.data.remarks import Remarks
from manyheads.errors import EstimatorError, ImageError, SettingError
from manyheads.estimator.array_inputs import Images
from manyheads.features.cache import FeatureRecipe
from manyheads.features.extraction import Features, extract, recipe_of
from manyheads.heads.fold import PLAIN, Source, Version, versions_of
from manyheads.heads.hyperparameters import Hyperparameters

Samples = Int64[np.ndarray, "samples"]
Sources = tuple[Mapping[Version, Source], tuple[int, int] | None]
"""What heads train on instead of plain features, and the rows and columns of grids in it."""


class Vectors(NamedTuple):
    """Features of samples: sample i's are `matrix[rows[i]]`; the matrix may be memory-mapped."""

    matrix: Float32[np.ndarray, "stored features"]
    rows: Int64[np.ndarray, "samples"]


def all_rows(matrix: Any) -> Vectors:
    """A matrix as the features of samples, one in each row."""
    return Vectors(matrix, np.arange(len(matrix)))


@dataclass(frozen=True)
class Eye:
    """A frozen backbone, its weights and its preparation of images: what turns images to features.

    Raises what the registry and the sources of weights raise, once it is used.
    """

    backbone: str
    preprocessing: str | None
    weights: Any
    image_size: int | None
    interpolation: str
    exif: bool
    depth: int | None = None

    def recipe(self) -> FeatureRecipe:
        """All that shapes its features."""
        return recipe_of(*self.parts())

    def see(self, images: Images) -> Vectors:
        """The features of images.

        Those of files are kept in the cache: each content costs one pass, ever. What is in memory
        costs a pass each, at every call. Raises `DataError` or `ImageError` with the name of a file
        that cannot be read or is no image, or the place of what in memory is none. Warns of what is
        worth saying of the files that were read.
        """
        if isinstance(images[0], str):
            return self._see_files(cast(Sequence[str], images))
        return self._see_in_memory(cast(Sequence[Image], images))

    def sources(
        self,
        paths: Sequence[str],
        versions: Sequence[Version],
        augmentation: Augmentation,
        samples: Samples,
    ) -> Sources:
        """The features of the `samples` among files in other `versions`, kept in the cache.

        Raises what `see` raises.
        """
        sources, cells = {}, None
        for version in versions:
            how: dict[str, Any] = {"pooling": "grid"} if version.grid else {}
            if version.view:
                how["alteration"] = View(
                    number=version.view, augmentation=augmentation, hide_pixels=version.hide_pixels
                )
            features = self._files(paths, only=np.sort(samples), **how)
            sources[version] = Source(features.matrix, features.rows[samples])
            cells = cells or features.grid
        return sources, cells

    def _see_files(self, paths: Sequence[str]) -> Vectors:
        features = self._files(paths)
        return Vectors(features.matrix, features.rows)

    def _files(self, paths: Sequence[str], **how: Any) -> Features:
        features = extract(_unlabelled(paths), *self.parts(), **how)
        if features.unreadable:
            sample, reason = next(iter(features.unreadable.items()))
            more = len(features.unreadable) - 1
            raise ImageError(
                f"{paths[sample]} to be an image", reason + (f", and {more} more" if more else ""),
                "replace the file, or leave it out",
            )  # fmt: skip
        _warn(features.remarks)
        return features

    def _see_in_memory(self, images: Sequence[Image]) -> Vectors:
        spec, weights, settings = self.parts()
        with compile_backbone(spec, weights, settings.size, images=len(images)) as backbone:
            matrix = np.empty((len(images), backbone.features), np.float32)
            remarks = Remarks()
            for part, found in backbone.run(_batches(images, settings, backbone.batch, remarks)):
                matrix[part] = found
        _warn(remarks.lines(settings))
        return all_rows(matrix)

    def parts(self) -> tuple[BackboneSpec, Weights, ImageSettings]:
        """The backbone, its arrays, and how images are prepared for it."""
        spec = registry.get(self.backbone, self.preprocessing)
        size = spec.default_size if self.image_size is None else self.image_size
        image = ImageSettings(
            size=size, interpolation=self.interpolation, exif=self.exif, depth=self.depth
        )
        spec.check_size(image.size)
        return spec, resolve(spec, self.weights), image


def _unlabelled(paths: Sequence[str]) -> Dataset:
    """Files as a data set whose labels, classes and splits nobody asks for."""
    files = Paths.of(paths)
    zeros = np.zeros(len(files), np.int64)
    contents = [part.values for _, part in digests_of(files, np.arange(len(files)))]
    return Dataset(
        "images", Path(), "manifest", files, zeros, ("",),
        Categorical(("train",), zeros.astype(np.int32)), Digests(np.concatenate(contents)),
    )  # fmt: skip


def _batches(
    images: Sequence[Image], settings: ImageSettings, size: int, remarks: Remarks
) -> Iterator[tuple[slice, UInt8[np.ndarray, "n size size 3"]]]:
    for start in range(0, len(images), size):
        part = slice(start, min(start + size, len(images)))
        batch = []
        for at in range(part.start, part.stop):
            name, source = named(images[at], at)
            batch.append(square_of(source, settings, name, remarks))
        yield part, np.stack(batch)


def _warn(remarks: Sequence[str]) -> None:
    for line in remarks:
        warnings.warn(line, stacklevel=2)


def sources_of(
    eye: Eye, setting: Hyperparameters, images: Images | None, augmentation: Augmentation | None
) -> Callable[[Samples], Sources] | None:
    """What makes the sources of training samples; None for a head that trains on plain features.

    Raises `EstimatorError` where they are needed and X is no paths, and `SettingError` for an
    `augmentation` without views.
    """
    if augmentation is not None and setting.views == 1:
        raise SettingError(
            "views of 2 or more for an augmentation", "1", "give views, or no augmentation"
        )
    versions = [version for version in versions_of(setting) if version != PLAIN]
    if not versions:
        return None
    if images is None or not isinstance(images[0], str):
        raise EstimatorError(
            "paths of images for views and for hide_patches", "features or pixels", "give paths"
        )
    paths = cast(Sequence[str], images)
    return partial(eye.sources, paths, versions, augmentation or Augmentation())
