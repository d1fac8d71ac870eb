"""Images as programs have them: paths, bytes, open files, images of Pillow, arrays."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image as PillowImage

from manyheads.core.job import SILENT, Job
from manyheads.data.data_settings import ImageSettings
from manyheads.data.duck_typing import as_array, column_names, column_values
from manyheads.data.image_places import may_be_several, place_of
from manyheads.data.images import (
    check_pixels,
    load_pixels,
    load_thumbnail,
    size_upright,
    square_image,
    square_pixels,
)
from manyheads.data.remarks import Remarks
from manyheads.data.remote_path import FilePath, RemotePath, file_path
from manyheads.errors import DataError, ImageError

Array = Shaped[np.ndarray, "rows columns *channels"]
Image = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | PillowImage.Image | Array
)
Source = FilePath | bytes | PillowImage.Image | Array
"""What an image is read from, once an open file has been read."""
IMAGE_WORDS = (
    "a path, the bytes of a file, a file that is open in binary mode, an image of Pillow, or an "
    "array [rows, columns, 3] of uint8 or uint16"
)
"""What an image may be given as."""


class NamedImage(NamedTuple):
    """An image and what it is called."""

    name: str
    source: Source


def each_of(given: Any, job: Job = SILENT) -> Iterable[Image]:
    """The images that `given` is, in their order.

    An image is one of `IMAGE_WORDS`. A path may also be that of a folder, a glob, or a table, as
    `place_of` reads them; a table in memory has the column path. A sequence holds any of these,
    but paths in an iterator are those of files, as they stand. What folders hold beside images is
    noted to `job`. Raises `DataError` for a single path that leads to no image, or for what is of
    none of these types.
    """
    if isinstance(given, str | os.PathLike):
        return _placed(os.fspath(given), job)
    given = as_array(given)
    if isinstance(given, np.ndarray) and given.dtype.kind not in "OSU":
        return given if given.ndim == 4 else [given]
    if is_in_memory(given):
        return [given]
    if (names := column_names(given)) is not None:
        if "path" not in names:
            found = ", ".join(names)[:160] or "no columns"
            remedy = 'rename the column, or give it alone, as table["image"]'
            raise DataError("a table with the column path", found, remedy)
        given = column_values(given, "path")
    if isinstance(given, Iterator):
        return given
    if not isinstance(given, Iterable):
        raise DataError(
            f"{IMAGE_WORDS}; a folder, a glob, a table with the column path; or a list of these",
            type(given).__name__, "give one of these",
        )  # fmt: skip
    items = list(given)
    if not any(map(_several, items)):
        return items
    parts = (_placed(os.fspath(i), job) if _several(i) else [i] for i in items)
    return [image for part in parts for image in part]


def is_in_memory(given: Any) -> bool:
    """Whether `given` is an image, but neither a path nor an array."""
    kinds = bytes | bytearray | memoryview | PillowImage.Image
    return isinstance(given, kinds) or callable(getattr(given, "read", None))


def named(given: Image, place: int) -> NamedImage:
    """An image with its name: its path, or what it is with its `place` among those given.

    An open file is read from where it stands to its end. Raises `ImageError` for what is no image,
    such as an array of floating-point numbers.
    """
    given = as_array(given)
    if isinstance(given, str | os.PathLike):
        path = os.fspath(given)
        return NamedImage(path, file_path(path))
    if isinstance(given, bytes | bytearray | memoryview):
        return NamedImage(f"bytes {place}", bytes(given))
    if isinstance(given, PillowImage.Image):
        path = getattr(given, "filename", "")
        return NamedImage(os.fsdecode(path) if path else f"image {place}", _file_of(given) or given)
    if isinstance(given, np.ndarray):
        check_pixels(given, f"array {place}")
        return NamedImage(f"array {place}", given)
    if callable(getattr(given, "read", None)):
        path = getattr(given, "name", "")
        name = path if isinstance(path, str) and path else f"file {place}"
        return NamedImage(name, _read(given, name))
    raise ImageError(
        f"an image: {IMAGE_WORDS}", f"{type(given).__name__} in place {place}",
        "give one of these",
    )  # fmt: skip


def square_of(
    source: Source, settings: ImageSettings, name: str, remarks: Remarks | None = None
) -> UInt8[np.ndarray, "size size 3"]:
    """The pixels as a model takes them: one rule for every kind, that of `load_pixels`.

    Raises `ImageError` as that does.
    """
    if isinstance(source, Path | RemotePath | bytes):
        return load_pixels(source, settings, name, remarks)
    if isinstance(source, PillowImage.Image):
        return square_image(source, settings, name)
    return square_pixels(source, settings, name)


def natural_size(source: Source, settings: ImageSettings, side: int) -> tuple[int, int]:
    """Width and height of the image as it is seen, or in their proportion, such as in `side`."""
    if isinstance(source, Path | RemotePath | bytes):
        return load_thumbnail(source, side, exif=settings.exif, depth=settings.depth).size
    if isinstance(source, PillowImage.Image):
        return size_upright(source) if settings.exif else source.size
    return source.shape[1], source.shape[0]


def _several(given: Any) -> bool:
    return isinstance(given, str | os.PathLike) and may_be_several(os.fspath(given))


def _placed(text: str, job: Job) -> list[str]:
    place = place_of(text)
    paths = [image.path for image in place]
    if left_out := place.ignored.line(len(paths)):
        job.note(f"{text}: left out {left_out}")
    return paths


def _file_of(image: PillowImage.Image) -> bytes | None:
    """The file of an image that is opened and not decoded yet: it has more bits, and is kept."""
    file = getattr(image, "fp", None)
    tiles = getattr(image, "tile", None)
    if file is None or not tiles or image.tell() or getattr(image, "decoderconfig", ()):
        return None
    try:
        at = file.tell()
        file.seek(0)
        data = file.read()
        file.seek(at)
    except (OSError, ValueError):  # ValueError: it is closed
        return None
    return data


def _read(file: Any, name: str) -> bytes:
    try:
        data = file.read()
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise ImageError(f"to read {name}", str(error), "give an open file") from error
    if not isinstance(data, bytes):
        raise ImageError(f"bytes in {name}", "text", "open it in binary mode, as open(path, 'rb')")
    return data
