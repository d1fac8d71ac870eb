"""More than 8 bits a channel: what each kind of file becomes, value by value."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest

from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import inspect_image, load_pixels, load_thumbnail
from manyheads.data.remarks import Remarks, depth_remark
from manyheads.errors import ImageError, SettingError
from tests.image_files import png, tiff

VALUES = [300, 4000, 4095]  # of 12 bits; of 16: 1, 15 or 16, and 15 or 16 of 255


def colour(data: bytes, depth: int | None = None) -> list[int]:
    settings = ImageSettings(size=32, interpolation="nearest", depth=depth)
    pixels = load_pixels(data, settings, "scan.tif")
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0].tolist()


def of_png(kind: int, values: list[int]) -> bytes:
    return png(1, 1, 16, kind, b"\0" + struct.pack(f">{len(values)}H", *values))


def of_tiff(values: Sequence[float], type_: str, order: str = "<", **how) -> bytes:
    bits = 8 * np.dtype(type_).itemsize
    kind = {"u": 1, "i": 2, "f": 3}[type_[0]]
    data = np.array(values, f"{order}{type_}").tobytes()
    return tiff(data, (1, 1), bits, len(values), order=order, kind=kind, **how)


@pytest.mark.parametrize(
    ("kind", "values", "of_16", "of_12"),
    [
        (0, [300], [1, 1, 1], [19, 19, 19]),
        (0, [4000], [16, 16, 16], [249, 249, 249]),
        (0, [65535], [255, 255, 255], [255, 255, 255]),
        (2, VALUES, [1, 15, 15], [19, 249, 255]),
        (2, [65535, 256, 128], [255, 1, 0], [255, 16, 8]),
        (6, [*VALUES, 65535], [1, 15, 15], [19, 249, 255]),
        (6, [*VALUES, 4095], [240, 241, 241], [19, 249, 255]),  # of 16 bits, nearly transparent
        (6, [*VALUES, 0], [255, 255, 255], [255, 255, 255]),
        (4, [4000, 4095], [241, 241, 241], [249, 249, 249]),
        (4, [4000, 65535], [15, 15, 15], [249, 249, 249]),
    ],
)
def test_png_of_16_bits(kind, values, of_16, of_12):
    assert colour(of_png(kind, values)) == of_16
    assert colour(of_png(kind, values), 16)[0] in range(of_16[0] - 1, of_16[0] + 2)
    assert colour(of_png(kind, values), 12) == of_12


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("values", "how", "of_16", "of_12"),
    [
        ([4000], {}, [16, 16, 16], [249, 249, 249]),
        (VALUES, {}, [1, 15, 15], [19, 249, 255]),
        (VALUES, {"zipped": True}, [1, 15, 15], [19, 249, 255]),
        ([*VALUES, 4095], {"opacity": 2}, [240, 241, 241], [19, 249, 255]),
        ([*VALUES, 65535], {"opacity": 2}, [1, 15, 15], [19, 249, 255]),
        ([*VALUES, 7], {"opacity": 0}, [1, 15, 15], [19, 249, 255]),
    ],
)
def test_tiff_of_16_bits(order, values, how, of_16, of_12):
    data = of_tiff(values, "u2", order, **how)
    assert colour(data) == of_16
    assert colour(data, 12) == of_12


def test_values_that_mean_darkness():
    assert colour(of_tiff([4000], "u2", white_is_zero=True)) == [239] * 3
    assert colour(of_tiff([4000], "u2", white_is_zero=True), 12) == [6] * 3


def test_12_bits_that_are_packed():
    data = tiff(bytes([0xFF, 0xF0, 0x00]), (2, 1), 12)
    settings = ImageSettings(size=32, interpolation="nearest", depth=12)
    pixels = load_pixels(data, settings)
    assert (pixels[:, :16] == 255).all()
    assert (pixels[:, 16:] == 0).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_floating_point_numbers_are_0_to_1_unless_a_depth_says_otherwise(order):
    assert colour(of_tiff([0.5], "f4", order)) == [128] * 3
    assert colour(of_tiff([1.0], "f4", order)) == [255] * 3
    assert colour(of_tiff([1.005], "f4", order)) == [255] * 3
    assert colour(of_tiff([-0.005], "f4", order)) == [0] * 3
    assert colour(of_tiff([2000.0], "f4", order), 12) == [125] * 3
    with pytest.raises(ImageError, match=r"scan\.tif is white, found floating-point .* up to 2000"):
        colour(of_tiff([2000.0], "f4", order))


def test_32_bits_take_a_depth():
    for type_ in ("u4", "i4", "i2"):
        with pytest.raises(ImageError, match="32-bit integers up to 4,000, and no depth"):
            colour(of_tiff([4000], type_))
        assert colour(of_tiff([4000], type_), 12) == [249] * 3
    assert colour(of_tiff([2**32 - 1], "u4"), 32) == [255] * 3
    assert colour(of_tiff([2**31], "u4"), 32) == [128] * 3


@pytest.mark.parametrize(
    ("values", "type_", "found"),
    [([float("nan")], "f4", "infinite"), ([float("inf")], "f4", "infinite"),
     ([-4000], "i2", "-4000"), ([-1.0], "f4", "-1")],
)  # fmt: skip
def test_values_of_no_brightness_are_refused(values, type_, found):
    with pytest.raises(ImageError, match=found):
        colour(of_tiff(values, type_), 12)
    with pytest.raises(ImageError, match=found):
        inspect_image(of_tiff(values, type_), "scan.tif", depth=12)


def test_channels_in_planes_are_refused_rather_than_read_wrongly():
    with pytest.raises(ImageError, match="planes of their own"):
        colour(of_tiff(VALUES, "u2", planes=True))


@pytest.mark.parametrize(
    ("depth", "row", "wanted"),
    [(1, 0b01000000, [0, 255]), (2, 0b01100000, [85, 170]), (4, 0x6C, [102, 204])],
)
def test_grey_of_fewer_bits(depth, row, wanted):
    data = png(2, 1, depth, 0, bytes([0, row]))
    pixels = load_pixels(data, ImageSettings(size=32, interpolation="nearest"))
    assert pixels[0, [0, 31], 0].tolist() == wanted
    assert colour(png(1, 1, 8, 0, b"\0\x64"), 12) == [100] * 3  # a depth is of more than 8 bits


def test_a_depth_does_not_depend_on_how_many_rows_are_scaled_at_once(monkeypatch):
    data = np.random.default_rng(0).integers(0, 4096, (50, 40, 3), np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in data)
    settings = ImageSettings(size=40, interpolation="nearest", depth=12)
    whole = load_pixels(png(40, 50, 16, 2, rows), settings)
    monkeypatch.setattr("manyheads.data.depth._AT_ONCE", 100)
    np.testing.assert_array_equal(load_pixels(png(40, 50, 16, 2, rows), settings), whole)
    expected = (data.astype(int) * 255 + 2047) // 4095
    chosen = (np.arange(40) + 0.5) * 50 // 40
    np.testing.assert_array_equal(whole, expected[chosen.astype(int)])


def test_what_uses_few_bits_is_told():
    for depth, bits, line in [
        (None, 12, "`depth` 12"), (12, 12, None), (8, 12, "beyond the white of depth 8"),
        (None, 16, None), (None, 15, None),
    ]:  # fmt: skip
        settings, remarks = ImageSettings(size=32, depth=depth), Remarks()
        for value in (3, 2**bits - 1):
            load_pixels(of_png(0, [value]), settings, remarks=remarks)
        load_pixels(png(1, 1, 8, 0, b"\0\x64"), settings, remarks=remarks)
        lines = remarks.lines(settings)
        assert [line] == [line for each in lines if line in each] if line else lines == ()
        assert all(each.startswith("2 images with more than 8 bits") for each in lines)
    assert inspect_image(of_png(2, VALUES)).bits == 12
    assert inspect_image(of_png(0, [200])).bits == 8
    assert inspect_image(png(1, 1, 8, 0, b"\0\x64")).bits == 0


def test_thumbnails_are_scaled_as_well():
    assert load_thumbnail(of_png(0, [4000]), 9, depth=12).getpixel((0, 0)) == (249, 249, 249)


@pytest.mark.parametrize("depth", [0, 33, "twelve", True, 12.5])
def test_a_depth_is_a_number_of_bits(depth):
    with pytest.raises(SettingError, match="`depth` to be a whole number from 1 to 32"):
        ImageSettings(depth=depth)


def test_the_remark_on_dark_images_names_no_option_of_the_command() -> None:
    settings = ImageSettings()
    assert depth_remark(1, 12, settings) == (
        "1 image with more than 8 bits a channel uses 12 of 16 bits at most, and is nearly black; "
        "train with `depth` 12 to scale it by what it uses",
    )
    (line,) = depth_remark(2, 12, settings)
    assert line.endswith("train with `depth` 12 to scale them by what they use")
