"""Whatever the bytes: pixels of the right shape, or one line; never anything else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import inspect_image, load_pixels
from manyheads.errors import ImageError
from tests.strategies import mutated_images, valid_images

SMALL = ImageSettings(size=32)
STARTS = (
    b"",
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"RIFF\0\0\0\0WEBPVP8 ",
    b"II*\0",
    b"MM\0*",
    b"P6 9 9 255 ",
    b"8BPS",
)


@settings(max_examples=300)
@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_random_bytes(start, data):
    image_or_error(start + data)


@pytest.mark.when_changed("data")
@settings(max_examples=500)
@given(mutated_images())
def test_mutated_images(data):
    image_or_error(data)


@settings(max_examples=200)
@given(valid_images())
def test_valid_images_open(data):
    assert load_pixels(data, SMALL).shape == (32, 32, 3)
    assert inspect_image(data).width >= 1


def image_or_error(data: bytes) -> None:
    refusal = ""
    try:
        pixels = load_pixels(data, SMALL, "file.jpg")
        assert pixels.shape == (32, 32, 3)
        assert pixels.dtype == np.uint8
    except ImageError as error:
        refusal = str(error)
    assert refusal == "" or refusal.startswith("expected file.jpg ")
    assert "\n" not in refusal
