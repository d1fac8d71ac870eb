"""Small pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from manyheads.errors import ImageError
from manyheads.report.thumbnails import LARGEST, thumbnail


@pytest.mark.parametrize(("size", "side"), [(71, 71), (299, LARGEST)])
def test_a_thumbnail_shows_what_the_backbone_sees(tmp_path: Path, size: int, side: int) -> None:
    pixels = np.zeros((300, 200, 3), np.uint8)
    pixels[:150] = (200, 40, 40)
    source = tmp_path / "photo.png"
    Image.fromarray(pixels).save(source)
    settings = ImageSettings(size=size)
    data = thumbnail(source, settings)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert image.size == (side, side)
        assert not image.getexif()
        shown = np.asarray(image.convert("RGB"), np.float64)
    seen = load_pixels(source, ImageSettings(size=side)).astype(np.float64)
    assert abs(shown - seen).mean() < 4
    assert len(data) < 20_000


def test_what_is_no_image_is_an_error() -> None:
    with pytest.raises(ImageError):
        thumbnail(b"no image", ImageSettings())
