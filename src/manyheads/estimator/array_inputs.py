"""What an estimator is given as X: features, paths of images, or images in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from manyheads.data.duck_typing import as_array, column_names, column_values
from manyheads.data.image_inputs import Image, is_in_memory
from manyheads.errors import EstimatorError

Images = Sequence[str] | Sequence[Image]
SAMPLE_WORDS = (
    "samples: features [samples, features]; paths of images, in a list or a data frame with the "
    "column path; or images, as an array [samples, rows, columns, 3] of uint8 or uint16, or in a "
    "list of arrays, images of Pillow, open files or the bytes of files"
)
"""What X may be."""


def images_in(given: Any) -> Images | None:
    """The images that `given` holds, as paths or in memory; None if it is something else.

    Paths are `str` or `os.PathLike`, in a sequence, an array, a series, or a data frame with one
    column or with one that is called path. Pixels are an array or a tensor
    `[samples, rows, columns, 3]` or a sequence of `[rows, columns, 3]`; a sequence may also hold
    the bytes of files, open files and images of Pillow. Raises `EstimatorError` for paths among
    which there is something else, and for a single text or image.
    """
    given = as_array(given)
    if isinstance(given, np.ndarray) and given.ndim == 4:
        return list(given)
    if isinstance(given, str | os.PathLike) or is_in_memory(given):
        raise EstimatorError(SAMPLE_WORDS, type(given).__name__, "give a list of samples")
    if "path" in (column_names(given) or ()):
        given = column_values(given, "path")
    items = given
    if not isinstance(given, Sequence):
        shape = getattr(given, "shape", None)
        if not isinstance(shape, tuple) or not (len(shape) == 1 or shape[1:] == (1,)):
            return None
        items = np.asarray(given).ravel()
    if len(items) == 0:
        return None
    if not isinstance(items[0], str | os.PathLike):
        in_memory = getattr(items[0], "ndim", 0) == 3 or is_in_memory(items[0])
        return list(items) if in_memory else None
    return [_path(item, place) for place, item in enumerate(items)]


def _path(item: Any, place: int) -> str:
    if not isinstance(item, str | os.PathLike):
        raise EstimatorError(
            f"the path of an image as sample {place}", repr(item), "give paths alone"
        )
    return os.fspath(item)
