"""Files without their end: used if every pixel is there, refused if one is not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import inspect_image, load_pixels
from manyheads.data.remarks import Remarks
from manyheads.errors import ImageError
from tests.strategies import distinct_image, encoded

SMALL = ImageSettings(size=32)
JPEGS = [{}, {"progressive": True}, {"subsampling": 0, "quality": 100}, {"restart_marker_rows": 1}]


def sound(data: bytes, whole: bytes) -> None:
    """The pixels are those of the `whole` file, and its lack of an end is told."""
    remarks = Remarks()
    np.testing.assert_array_equal(
        load_pixels(data, SMALL, remarks=remarks), load_pixels(whole, SMALL)
    )
    assert inspect_image(data).cut
    assert not inspect_image(whole).cut
    assert remarks.lines(SMALL) == (
        "1 file without the end of the format; all pixels are there, and used",
    )


@pytest.mark.parametrize("options", JPEGS)
@pytest.mark.parametrize("image", [distinct_image("a", 61), Image.new("RGB", (50, 40), "teal")])
def test_a_photograph_without_its_last_two_bytes_is_used(options, image):
    data = encoded(image, "JPEG", **options)
    sound(data[:-1], data)
    sound(data[:-2], data)
    sound(data[:-2] + bytes(512), data)  # as a disk's last sector is filled
    sound(data[:-2] + b"\r\n", data)


@pytest.mark.parametrize("options", JPEGS)
@pytest.mark.parametrize("missing", [3, 4, 5, 6, 9, 20, 100, 1000])
def test_a_truncated_photograph_is_refused(options, missing):
    data = encoded(distinct_image("a", 61), "JPEG", **options)
    with pytest.raises(ImageError, match="damaged or truncated"):
        load_pixels(data[:-missing], SMALL)


def test_what_a_file_without_its_end_holds_beside_its_pixels_does_not_mislead():
    small = encoded(distinct_image("b", 16), "JPEG")  # a thumbnail, with an end of its own
    exif = Image.Exif()
    data = encoded(distinct_image("a", 61), "JPEG", exif=exif, comment=small)
    sound(data[:-2], data)


@pytest.mark.parametrize("missing", [12, 16, 20])
def test_a_png_without_its_last_chunk_is_used(missing):
    data = encoded(distinct_image("a", 61))
    sound(data[:-missing], data)


def test_a_gif_without_its_trailer_is_used():
    data = encoded(distinct_image("a", 61), "GIF")
    sound(data[:-1], data)
    sound(data[:-2], data)


def test_a_webp_without_its_last_byte_is_used_where_that_is_no_pixel():
    images = [encoded(distinct_image(f"{n}", 61), "WEBP") for n in range(8)]
    padded = [data for data in images if data.endswith(b"\0")]
    assert padded
    sound(padded[0][:-1], padded[0])


@pytest.mark.parametrize(
    ("format", "missing"), [("PNG", 24), ("GIF", 30), ("WEBP", 12), ("BMP", 5), ("TIFF", 9000)]
)
def test_where_a_pixel_is_missing_the_file_is_refused(format, missing):
    data = encoded(distinct_image("a", 61), format)
    with pytest.raises(ImageError):
        load_pixels(data[:-missing], SMALL)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("behind", [bytes(7), b"junk" * 300, b"\xff\xd8\xff\xe0"])
def test_what_follows_the_end_does_no_harm(format, behind):
    data = encoded(distinct_image("a", 61), format)
    pixels = load_pixels(data + behind, SMALL)
    np.testing.assert_array_equal(pixels, load_pixels(data, SMALL))
    assert not inspect_image(data + behind).cut


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_animations_that_end_are_not_called_cut(format):
    frames = [distinct_image(f"{n}", 40) for n in range(3)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    assert not inspect_image(data).cut
