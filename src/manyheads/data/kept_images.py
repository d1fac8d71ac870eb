"""Images in memory as files in the cache, so that a data set can name them and find them again."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from manyheads.core.places import atomic_path, cache_dir
from manyheads.data.image_inputs import named
from manyheads.data.image_kinds import FIRST_BYTES, image_kind
from manyheads.data.remote_path import FilePath, RemotePath
from manyheads.data.stored_png import stored_png
from manyheads.errors import ImageError

_ORIENTATION = 0x0112
_AS_THEY_ARE = ("L", "LA", "RGB", "RGBA", "I;16")
_SUFFIXES = {"JPEG": ".jpg"}


class KeptImages:
    """Writes the images of one data set below `datasets/images` of the cache, each content once.

    A file is named by the SHA-256 of its bytes. What is in memory becomes a PNG without loss; the
    bytes of a file, and an image of Pillow that is not decoded yet, stay the file that they are.
    """

    def __init__(self) -> None:
        self._seen = Counter[str]()

    def path_of(self, image: Any, place: int) -> FilePath:
        """The file of an image; that of a path is itself.

        Raises `ImageError` for what is no image, or one of more bits than a PNG has; `DiskError`.
        """
        name, source = named(image, place)
        if isinstance(source, Path | RemotePath):
            return source
        if isinstance(source, bytes):
            data, suffix = source, _suffix(source, name)
        else:
            data, suffix = _png(source, name), ".png"
        digest = hashlib.sha256(data).hexdigest()
        self._seen[digest] += 1
        # A content that comes again is another sample, which may have another label or split.
        again = f"-{self._seen[digest]}" if self._seen[digest] > 1 else ""
        folder = cache_dir() / "datasets" / "images" / digest[:2]
        target = folder / f"{digest}{again}{suffix}"
        if not target.is_file():
            with atomic_path(target) as temporary:
                temporary.write_bytes(data)
        return target


def _suffix(data: bytes, name: str) -> str:
    kind = image_kind(data[:FIRST_BYTES])
    if kind is None:
        raise ImageError(f"the bytes of an image's file in {name}", "others", "read them anew")
    return _SUFFIXES.get(kind, f".{kind.lower().replace(' ', '-')}")


def _png(image: PillowImage.Image | np.ndarray, name: str) -> bytes:
    if isinstance(image, np.ndarray):
        return stored_png(image)
    turn, exif = image.getexif().get(_ORIENTATION, 1), b""
    if turn != 1:
        recorded = PillowImage.Exif()
        recorded[_ORIENTATION] = turn
        exif = recorded.tobytes().removeprefix(b"Exif\0\0")
    return stored_png(np.asarray(_eight_or_sixteen_bits(image, name)), exif)


def _eight_or_sixteen_bits(image: PillowImage.Image, name: str) -> PillowImage.Image:
    if image.mode in ("I", "F"):
        raise ImageError(
            f"an image of 8 or 16 bits a channel in {name}", f"one of the mode {image.mode}",
            "convert it, or save it as TIFF and give its path",
        )  # fmt: skip
    if image.has_transparency_data and image.mode != "LA":
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in _AS_THEY_ARE else image.convert("RGB")
