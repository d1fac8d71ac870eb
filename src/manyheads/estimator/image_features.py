"""Images → features for an estimator, by a frozen backbone and its preparation of images."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Float32, Int64

from manyheads.backbones import registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.weights import resolve
from manyheads.data.augmentation import Augmentation
from manyheads.data.columns import Categorical, Digests
from manyheads.data.dataset import Dataset
from manyheads.data.digests import digests_of
from manyheads.data.image_inputs import Image, named, square_of
from manyheads.data.paths import Paths
from manyheads.data.remarks import Remarks
from manyheads.errors import EstimatorError, ImageError, SettingError
from manyheads.estimator.array_inputs import Images
from manyheads.features.cache import FeatureRecipe
from manyheads.features.extraction import Features, recipe_of
from manyheads.features.image_batches import image_batches
from manyheads.features.variants import Extractor, Wanted
from manyheads.heads.fold import PLAIN, Source, Variant, variants_of
from manyheads.heads.hyperparameters import Hyperparameters

Samples = Int64[np.ndarray, "samples"]
Sources = tuple[Mapping[Variant, Source], tuple[int, int] | None]
"""What heads train on instead of plain features, and the rows and columns of grids in it."""


class Vectors(NamedTuple):
    """Features of samples: sample i's are `matrix[rows[i]]`; the matrix may be memory-mapped."""

    matrix: Float32[np.ndarray, "stored features"]
    rows: Int64[np.ndarray, "samples"]


def all_rows(matrix: Any) -> Vectors:
    """A matrix as the features of samples, one in each row."""
    return Vectors(matrix, np.arange(len(matrix)))


@dataclass(frozen=True)
class FrozenBackbone:
    """A frozen backbone, its weights and its preparation of images: what turns images to features.

    Raises what the registry and the sources of weights raise, once it is used.
    """

    backbone: str
    preprocessing: str | None
    weights: Any
    image_size: int | None
    interpolation: str | None
    resize: str | None
    exif: bool
    depth: int | None = None
    decode: str = "full"

    @classmethod
    def of(cls, estimator: object) -> FrozenBackbone:
        """The one that the parameters of an estimator describe."""
        return cls(*(getattr(estimator, field.name) for field in fields(cls)))

    def recipe(self) -> FeatureRecipe:
        """All that shapes its plain features."""
        extractor = self.extractor()
        return recipe_of(extractor.spec, extractor.weights, extractor.image)

    def transform(self, images: Images) -> Vectors:
        """The features of images.

        Those of files are kept in the cache: each content costs one pass, ever. What is in memory
        costs a pass each, at every call. Raises `DataError` or `ImageError` with the name of a file
        that cannot be read or is no image, or the place of what in memory is none. Warns of what is
        worth saying of the files that were read.
        """
        if isinstance(images[0], str):
            return self._of_files(cast(Sequence[str], images))
        return self._in_memory(cast(Sequence[Image], images))

    def sources(
        self,
        paths: Sequence[str],
        variants: Sequence[Variant],
        augmentation: Augmentation,
        samples: Samples,
    ) -> Sources:
        """The features of the `samples` among files in other `variants`, kept in the cache.

        Raises what `transform` raises.
        """
        dataset, images, sources, cells = _unlabelled(paths), np.sort(samples), {}, None
        for variant in variants:
            wanted = Wanted(variant=variant, images=images, augmentation=augmentation)
            features = self._extracted(dataset, wanted)
            sources[variant] = Source(features.matrix, features.rows[samples])
            cells = cells or features.grid
        return sources, cells

    def _of_files(self, paths: Sequence[str]) -> Vectors:
        dataset, images = _unlabelled(paths), np.arange(len(paths))
        features = self._extracted(dataset, Wanted(variant=PLAIN, images=images))
        return Vectors(features.matrix, features.rows)

    def _extracted(self, dataset: Dataset, wanted: Wanted) -> Features:
        # A search in several processes sends nearly the same images to all of them, all at once.
        features = self.extractor().extract(dataset, wanted, in_turn=True)
        if features.unreadable:
            sample, reason = next(iter(features.unreadable.items()))
            more = len(features.unreadable) - 1
            raise ImageError(
                f"{dataset.paths[sample]} to be an image",
                f"{reason}, and {more} more" if more else reason,
                "replace the file, or leave it out",
            )
        _warn(features.remarks)
        return features

    def _in_memory(self, images: Sequence[Image]) -> Vectors:
        extractor = self.extractor()
        settings = extractor.image
        with compile_backbone(
            extractor.spec, extractor.weights, settings.size, images=len(images)
        ) as backbone:
            matrix = np.empty((len(images), backbone.features), np.float32)
            remarks = Remarks()
            sources = (named(image, place) for place, image in enumerate(images))
            batches = image_batches(
                enumerate(sources),
                lambda item: square_of(item[1].source, settings, item[1].name, remarks),
                backbone.batch,
                refused=_raise,
            )
            for items, found in backbone.run(batches):
                matrix[[place for place, _ in items]] = found
        _warn(remarks.lines(settings))
        return all_rows(matrix)

    def extractor(self) -> Extractor:
        """The backbone with its arrays, and how images are prepared for it."""
        spec = registry.get(self.backbone, self.preprocessing)
        image = spec.prepared(
            self.image_size, self.interpolation, self.resize,
            exif=self.exif, depth=self.depth, decode=self.decode,
        )  # fmt: skip
        spec.check_size(image.size)
        return Extractor(spec, resolve(spec, self.weights), image)


def _unlabelled(paths: Sequence[str]) -> Dataset:
    """Files as a data set whose labels, classes and splits nobody asks for."""
    files = Paths.of(paths)
    zeros = np.zeros(len(files), np.int64)
    contents = [part.values for _, part in digests_of(files, np.arange(len(files)))]
    return Dataset(
        "images", Path(), "manifest", files, zeros, ("",),
        Categorical(("train",), zeros.astype(np.int32)), Digests(np.concatenate(contents)),
    )  # fmt: skip


def _raise(_: object, error: ImageError) -> None:
    raise error


def _warn(remarks: Sequence[str]) -> None:
    for line in remarks:
        warnings.warn(line, stacklevel=2)


def sources_of(
    backbone: FrozenBackbone,
    setting: Hyperparameters,
    images: Images | None,
    augmentation: Augmentation | None,
) -> Callable[[Samples], Sources] | None:
    """What makes the sources of training samples; None for a head that trains on plain features.

    Raises `EstimatorError` where they are needed and X is no paths, and `SettingError` for an
    `augmentation` without augmented copies.
    """
    if augmentation is not None and setting.augmented_copies == 0:
        raise SettingError(
            "augmented_copies for an augmentation", "0", "give augmented_copies, or no augmentation"
        )
    variants = [variant for variant in variants_of(setting) if variant != PLAIN]
    if not variants:
        return None
    if images is None or not isinstance(images[0], str):
        raise EstimatorError(
            "paths of images for augmented_copies and for dropblock",
            "features or pixels",
            "give paths",
        )
    paths = cast(Sequence[str], images)
    return partial(backbone.sources, paths, variants, augmentation or Augmentation())
