"""Images as programs have them: paths, bytes, open files, images of Pillow, arrays."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image as PillowImage

from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import (
    load_pixels,
    load_thumbnail,
    size_upright,
    square_image,
    square_pixels,
)
from manyheads.data.remarks import Remarks
from manyheads.errors import ImageError

Array = Shaped[np.ndarray, "rows columns *channels"]
Image = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | PillowImage.Image | Array
)
Source = Path | bytes | PillowImage.Image | Array
"""What an image is read from, once an open file has been read."""


class NamedImage(NamedTuple):
    """An image and what it is called."""

    name: str
    source: Source


def each_of(given: Any) -> Iterable[Image]:
    """The images that `given` is: a single one as a list, or else what it is."""
    if isinstance(given, np.ndarray):
        one = given.ndim != 4 and given.dtype.kind not in "OSU"
    else:
        one = isinstance(given, str | os.PathLike) or is_in_memory(given)
    return cast(Iterable[Image], [given] if one else given)


def is_in_memory(given: Any) -> bool:
    """Whether `given` is an image, but neither a path nor an array."""
    kinds = bytes | bytearray | memoryview | PillowImage.Image
    return isinstance(given, kinds) or callable(getattr(given, "read", None))


def named(given: Image, place: int) -> NamedImage:
    """An image with its name: its path, or what it is with its `place` among those given.

    An open file is read from where it stands to its end. Raises `ImageError` for what is no image.
    """
    if isinstance(given, str | os.PathLike):
        return NamedImage(str(given), Path(given))
    if isinstance(given, bytes | bytearray | memoryview):
        return NamedImage(f"bytes {place}", bytes(given))
    if isinstance(given, PillowImage.Image):
        path = getattr(given, "filename", "")
        return NamedImage(os.fsdecode(path) if path else f"image {place}", _file_of(given) or given)
    if isinstance(given, np.ndarray):
        return NamedImage(f"array {place}", given)
    if callable(getattr(given, "read", None)):
        path = getattr(given, "name", "")
        name = path if isinstance(path, str) and path else f"file {place}"
        return NamedImage(name, _read(given, name))
    raise ImageError(
        "an image: a path, bytes, an open file, an image of Pillow or an array",
        f"{type(given).__name__} in place {place}", "give one of these",
    )  # fmt: skip


def square_of(
    source: Source, settings: ImageSettings, name: str, remarks: Remarks | None = None
) -> UInt8[np.ndarray, "size size 3"]:
    """The pixels as a model takes them: one rule for every kind, that of `load_pixels`.

    Raises `ImageError` as that does.
    """
    if isinstance(source, Path | bytes):
        return load_pixels(source, settings, name, remarks)
    if isinstance(source, PillowImage.Image):
        return square_image(source, settings, name)
    return square_pixels(source, settings, name)


def natural_size(source: Source, settings: ImageSettings, side: int) -> tuple[int, int]:
    """Width and height of the image as it is seen, or in their proportion, such as in `side`."""
    if isinstance(source, Path | bytes):
        return load_thumbnail(source, side, exif=settings.exif, depth=settings.depth).size
    if isinstance(source, PillowImage.Image):
        return size_upright(source) if settings.exif else source.size
    return source.shape[1], source.shape[0]


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
