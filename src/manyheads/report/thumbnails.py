"""Small pictures for a report."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels, load_thumbnail
from manyheads.data.remote_path import FilePath

LARGEST = 160  # pixels a side


def thumbnail(source: FilePath | bytes, settings: ImageSettings) -> bytes:
    """The image as the backbone sees it, at most `LARGEST` pixels a side, as a JPEG's bytes.

    It holds pixels alone: nothing of what a camera wrote beside them. Raises `ImageError` as
    `load_pixels` does.
    """
    pixels = load_pixels(source, replace(settings, size=min(settings.size, LARGEST)))
    return _jpeg(Image.fromarray(pixels))


def natural_thumbnail(
    source: FilePath | bytes, *, exif: bool = True, depth: int | None = None
) -> bytes:
    """The same in the image's own proportions, as a person sees it."""
    return _jpeg(load_thumbnail(source, LARGEST, exif=exif, depth=depth))


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    # What was read along with the pixels would be written along with them.
    Image.fromarray(np.asarray(image)).save(file, "JPEG", quality=78, optimize=True)
    return file.getvalue()
