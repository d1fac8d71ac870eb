"""`BackboneFeatures`: a frozen backbone as a scikit-learn transformer."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from jaxtyping import Float32
from sklearn.base import BaseEstimator, TransformerMixin

from manyheads.backbones import registry
from manyheads.errors import EstimatorError
from manyheads.estimator.array_inputs import images_in
from manyheads.estimator.image_features import FrozenBackbone
from manyheads.features.cache import lacking


class BackboneFeatures(TransformerMixin, BaseEstimator):
    """Turn images into the features of a frozen backbone: `make_pipeline(BackboneFeatures(), …)`.

    X is paths of images, in a list, an array, a series or a data frame (of one column, or with the
    column path); or images in memory, `uint8 [samples, rows, columns, 3]` or a list of arrays,
    images of Pillow, open files or the bytes of files. Features of files are kept in the cache by
    their content, so that a file costs one pass of the backbone, ever, in all processes; images in
    memory cost a pass each time.

    `backbone` is a name, or a network's file with its `preprocessing`; `weights` a file of weights
    (None: ImageNet's). `image_size` is in pixels; it, `interpolation` and `resize` are the
    backbone's own if they are None; `exif` and `depth` (of images with more than 8 bits a channel,
    white is 2^depth - 1; None: 65535) are how images are prepared, and `decode` (full, scaled) how
    files are decoded, as in a study. There is nothing to fit.
    """

    def __init__(
        self,
        backbone: str = "xception",
        *,
        preprocessing: str | None = None,
        weights: Any = None,
        image_size: int | None = None,
        interpolation: str | None = None,
        resize: str | None = None,
        exif: bool = True,
        depth: int | None = None,
        decode: str = "full",
    ) -> None:
        self.backbone = backbone
        self.preprocessing = preprocessing
        self.weights = weights
        self.image_size = image_size
        self.interpolation = interpolation
        self.resize = resize
        self.exif = exif
        self.depth = depth
        self.decode = decode

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Check the backbone's name, and return the transformer; X and y are not looked at.

        Raises `BackboneError` for a backbone that is not known.
        """
        del X, y
        registry.get(self.backbone, self.preprocessing)
        return self

    def transform(self, X: Any) -> Float32[np.ndarray, "samples features"]:
        """The features of images, `[samples, features]`.

        Raises `EstimatorError` if X is no images, `ImageError` with the name of one that is
        unreadable, `BackboneError` and `WeightsError` for a backbone that cannot be had.
        """
        return features_of(FrozenBackbone.of(self), X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of the features: `backbonefeatures0` and so on.

        If no image was seen yet by this backbone, it sees an empty one, to count its features.
        """
        del input_features  # images have no named columns
        backbone = FrozenBackbone.of(self)
        width = lacking(backbone.recipe(), ()).width
        width = width or backbone.transform([np.zeros((32, 32, 3), np.uint8)]).matrix.shape[1]
        return np.array([f"backbonefeatures{place}" for place in range(width)], object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.transformer_tags.preserves_dtype = []  # features are float32, whatever the pixels are
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = tags.input_tags.string = True
        return tags


def features_of(backbone: FrozenBackbone, X: Any) -> Float32[np.ndarray, "samples features"]:
    """The features of images in any form; raises `EstimatorError` if X is none."""
    images = images_in(X)
    if images is None:
        raise EstimatorError("paths of images, or images", type(X).__name__, "give such")
    matrix, rows = backbone.transform(images)
    return np.asarray(matrix[rows])
