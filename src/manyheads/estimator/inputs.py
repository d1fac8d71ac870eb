"""What an estimator is given as X: features, paths of images, or images; and how it is seen."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from manyheads.backbones import registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights, resolve
from manyheads.data.columns import Digests, Names
from manyheads.data.dataset import Dataset
from manyheads.data.digests import digests_of
from manyheads.data.images import square_pixels
from manyheads.data.paths import Paths
from manyheads.errors import EstimatorError, ImageError
from manyheads.features.cache import FeatureRecipe
from manyheads.features.extract import extract, recipe_of
from manyheads.settings import ImageSettings

Pixels = UInt8[np.ndarray, "rows columns 3"]


class Vectors(NamedTuple):
    """Features of samples: sample i's are `matrix[rows[i]]`; the matrix may be memory-mapped."""

    matrix: Float32[np.ndarray, "stored features"]
    rows: Int64[np.ndarray, "samples"]


def all_rows(matrix: Any) -> Vectors:
    """A matrix as the features of samples, one in each row."""
    return Vectors(matrix, np.arange(len(matrix)))


Images = Sequence[str] | Sequence[Pixels]


def images_in(given: Any) -> Images | None:
    """The images that `given` holds, as paths or as pixels; None if it is something else.

    Paths are `str` or `os.PathLike`, in a sequence, an array, a series, or a data frame with one
    column. Pixels are an array `[samples, rows, columns, 3]` or a sequence of
    `[rows, columns, 3]`. Raises `EstimatorError` for paths among which there is something else.
    """
    if isinstance(given, np.ndarray) and given.ndim == 4:
        return list(given)
    items = given
    if not isinstance(given, list | tuple):
        shape = getattr(given, "shape", None)
        if not isinstance(shape, tuple) or not (len(shape) == 1 or shape[1:] == (1,)):
            return None
        items = np.asarray(given).ravel()
    if len(items) == 0:
        return None
    if not isinstance(items[0], str | os.PathLike):
        return list(items) if getattr(items[0], "ndim", 0) == 3 else None
    return [_path(item, place) for place, item in enumerate(items)]


def _path(item: Any, place: int) -> str:
    if not isinstance(item, str | os.PathLike):
        raise EstimatorError(
            f"the path of an image as sample {place}", repr(item), "give paths alone"
        )
    return os.fspath(item)


@dataclass(frozen=True)
class Eye:
    """A frozen backbone, its weights and its preparation of images: what turns images to features.

    Raises what the registry and the sources of weights raise, once it is used.
    """

    backbone: str
    weights: Any
    image_size: int | None
    interpolation: str
    exif: bool

    def recipe(self) -> FeatureRecipe:
        """All that shapes its features."""
        return recipe_of(*self._parts())

    def see(self, images: Images) -> Vectors:
        """The features of images.

        Those of files are kept in the cache: each content costs one pass, ever. Pixels cost a pass
        each, at every call. Raises `DataError` or `ImageError` with the name of a file that cannot
        be read or is no image, or the place of pixels that are not `uint8 [rows, columns, 3]`.
        """
        if isinstance(images[0], str):
            return self._see_files(cast(Sequence[str], images))
        return self._see_pixels(cast(Sequence[Pixels], images))

    def _see_files(self, paths: Sequence[str]) -> Vectors:
        features = extract(_unlabelled(paths), *self._parts())
        if features.unreadable:
            sample, reason = next(iter(features.unreadable.items()))
            more = len(features.unreadable) - 1
            raise ImageError(
                f"{paths[sample]} to be an image", reason + (f", and {more} more" if more else ""),
                "replace the file, or leave it out",
            )  # fmt: skip
        return Vectors(features.matrix, features.rows)

    def _see_pixels(self, images: Sequence[Pixels]) -> Vectors:
        spec, weights, settings = self._parts()
        with compile_backbone(spec, weights, settings.size, images=len(images)) as backbone:
            matrix = np.empty((len(images), backbone.features), np.float32)
            for part, found in backbone.run(_batches(images, settings, backbone.batch)):
                matrix[part] = found
        return all_rows(matrix)

    def _parts(self) -> tuple[BackboneSpec, Weights, ImageSettings]:
        spec = registry.get(self.backbone)
        size = spec.default_size if self.image_size is None else self.image_size
        image = ImageSettings(size=size, interpolation=self.interpolation, exif=self.exif)
        spec.check_size(image.size)
        return spec, resolve(spec, self.weights), image


def _unlabelled(paths: Sequence[str]) -> Dataset:
    """Files as a data set whose labels, classes and splits nobody asks for."""
    files = Paths.of(paths)
    zeros = np.zeros(len(files), np.int64)
    contents = [part.values for _, part in digests_of(files, np.arange(len(files)))]
    return Dataset(
        "images", Path(), "manifest", files, zeros, ("",),
        Names(("train",), zeros.astype(np.int32)), Digests(np.concatenate(contents)),
    )  # fmt: skip


def _batches(
    images: Sequence[Pixels], settings: ImageSettings, size: int
) -> Iterator[tuple[slice, UInt8[np.ndarray, "n size size 3"]]]:
    for start in range(0, len(images), size):
        part = slice(start, min(start + size, len(images)))
        batch = [
            square_pixels(images[at], settings, f"image {at}")
            for at in range(part.start, part.stop)
        ]
        yield part, np.stack(batch)
