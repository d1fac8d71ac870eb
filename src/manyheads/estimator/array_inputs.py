"""What an estimator is given as X: features, paths of images, or images in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from manyheads.data.image_inputs import Image, is_in_memory
from manyheads.errors import EstimatorError

Images = Sequence[str] | Sequence[Image]


def images_in(given: Any) -> Images | None:
    """The images that `given` holds, as paths or in memory; None if it is something else.

    Paths are `str` or `os.PathLike`, in a sequence, an array, a series, or a data frame with one
    column. Pixels are an array `[samples, rows, columns, 3]` or a sequence of
    `[rows, columns, 3]`; a sequence may also hold the bytes of files, open files and images of
    Pillow. Raises `EstimatorError` for paths among which there is something else.
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
        in_memory = getattr(items[0], "ndim", 0) == 3 or is_in_memory(items[0])
        return list(items) if in_memory else None
    return [_path(item, place) for place, item in enumerate(items)]


def _path(item: Any, place: int) -> str:
    if not isinstance(item, str | os.PathLike):
        raise EstimatorError(
            f"the path of an image as sample {place}", repr(item), "give paths alone"
        )
    return os.fspath(item)
