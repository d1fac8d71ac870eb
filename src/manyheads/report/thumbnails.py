"""Small pictures for a report."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from PIL import Image

from manyheads.data.images import load_pixels
from manyheads.settings import ImageSettings

LARGEST = 160  # pixels a side


def thumbnail(source: Path | bytes, settings: ImageSettings) -> bytes:
    """The image as the backbone sees it, at most `LARGEST` pixels a side, as a JPEG's bytes.

    It holds pixels alone: nothing of what a camera wrote beside them. Raises `ImageError` as
    `load_pixels` does.
    """
    pixels = load_pixels(source, replace(settings, size=min(settings.size, LARGEST)))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=78, optimize=True)
    return file.getvalue()
