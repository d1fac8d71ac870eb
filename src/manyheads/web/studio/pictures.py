"""Thumbnails of images for a page, kept in memory within a bound."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

import numpy as np
from fastapi import Request, Response
from PIL import Image

from manyheads.data.images import load_thumbnail
from manyheads.data.remote_path import FilePath
from manyheads.errors import ImageError, SettingError

SIZES = (96, 192, 480)
"""Pixels of a thumbnail's longer side."""

_MOST = 64_000_000  # bytes of thumbnails in memory
_AT_ONCE = 4  # images that are decoded at once
_QUALITY = 80


class PictureCache:
    """Makes JPEG thumbnails of image files, and keeps those that were used last.

    At most `most` bytes are kept. Safe to use from several threads.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._decoding = threading.Semaphore(_AT_ONCE)

    def thumbnail(self, path: FilePath, content: str, side: int) -> bytes:
        """The image in its own proportions, its longer side at most one of `SIZES`, as a JPEG.

        `content` is the digest of the file. Raises `ImageError` for a file that is no usable image,
        and `SettingError` for another size.
        """
        key = content, checked_size(side)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with self._decoding:
            made = as_jpeg(load_thumbnail(path, side))
        with self._lock:
            self._keep(key, made)
        return made

    @property
    def size(self) -> int:
        """The bytes of all thumbnails that are kept."""
        return self._bytes

    def _keep(self, key: tuple[str, int], made: bytes) -> None:
        if key in self._kept or len(made) > self._most:
            return
        self._kept[key] = made
        self._bytes += len(made)
        while self._bytes > self._most:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest)


def thumbnail_response(
    request: Request, pictures: PictureCache, path: FilePath, digest: str, size: int
) -> Response:
    """A thumbnail with its ETag, or 304 where the browser has it.

    Of a file of no image it is a drawing that says so: it is no fault of the page. Raises
    `SettingError` for a size that is none of `SIZES`.
    """
    tag = f'"{digest[:32]}-{checked_size(size)}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    try:
        made = pictures.thumbnail(path, digest, size)
    except ImageError:
        return words_response("cannot be read")
    return Response(made, media_type="image/jpeg", headers=headers)


def words_response(words: str) -> Response:
    """A drawing of a few words in the place of an image that cannot be shown."""
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 192 192" width="192" height="192">'
        '<rect width="192" height="192" fill="#8a939e"/><text x="96" y="100" fill="#fff" '
        f'font-family="sans-serif" font-size="16" text-anchor="middle">{words}</text></svg>'
    )
    return Response(drawing, media_type="image/svg+xml", headers={"Cache-Control": "no-store"})


def checked_size(side: int) -> int:
    """One of `SIZES`; raises `SettingError` for another."""
    if side not in SIZES:
        sizes = ", ".join(map(str, SIZES))
        raise SettingError(f"a size of {sizes}", f"{side}", "choose one of these")
    return side


def as_jpeg(image: Image.Image) -> bytes:
    """An RGB image as a JPEG's bytes, with nothing of what a camera wrote beside its pixels."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
