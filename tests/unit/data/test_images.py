"""Decoding: what each kind of image becomes, and what is refused with which words."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads.data.data_settings import INTERPOLATIONS, ImageSettings
from manyheads.data.images import inspect_image, load_layer, load_pixels
from manyheads.errors import ImageError, SettingError
from tests.image_files import chunk, png
from tests.strategies import distinct_image, encoded

SMALL = ImageSettings(size=32, interpolation="nearest")


def flat(image: Image.Image, format: str = "PNG", **options: object) -> list[int]:
    """The one colour of an image of one colour."""
    pixels = load_pixels(encoded(image, format, **options), SMALL)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0].tolist()


@pytest.mark.parametrize("format", ["PNG", "BMP", "JPEG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_every_format_opens_whatever_the_name(format, tmp_path):
    path = tmp_path / "image.jpg"
    path.write_bytes(encoded(distinct_image("a", 40), format))
    pixels = load_pixels(path, SMALL)
    assert pixels.shape == (32, 32, 3)
    assert pixels.std() > 10
    assert inspect_image(path).format == format


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_interpolations_equal_pillows(interpolation):
    image = distinct_image("a", 57)
    settings = ImageSettings(size=32, interpolation=interpolation)
    expected = image.resize((32, 32), Image.Resampling[interpolation.upper()])
    np.testing.assert_array_equal(load_pixels(encoded(image), settings), np.asarray(expected))


def test_an_image_of_the_right_size_is_left_alone():
    image = distinct_image("a", 32)
    np.testing.assert_array_equal(load_pixels(encoded(image), ImageSettings(size=32)), image)


def test_other_shapes_are_squashed_not_cropped():
    image = Image.new("RGB", (64, 32), "red")
    image.paste("blue", (32, 0, 64, 32))
    pixels = load_pixels(encoded(image), SMALL)
    assert pixels[5, 15].tolist() == [255, 0, 0]
    assert pixels[5, 16].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("mode", "colour", "rgb"),
    [
        ("RGB", (10, 20, 30), [10, 20, 30]),
        ("L", 77, [77] * 3),
        ("1", 1, [255] * 3),
        ("LA", (0, 0), [255] * 3),
        ("LA", (100, 255), [100] * 3),
        ("RGBA", (10, 20, 30, 255), [10, 20, 30]),
        ("RGBA", (10, 20, 30, 0), [255] * 3),
        ("RGBA", (0, 0, 0, 128), [127] * 3),
        ("I;16", 0, [0] * 3),
        ("I;16", 65535, [255] * 3),
        ("I;16", 128 * 257, [128] * 3),
        ("I;16", 128, [0] * 3),
        ("I;16", 129, [1] * 3),
    ],
)
def test_modes_become_rgb_on_white(mode, colour, rgb):
    assert flat(Image.new(mode, (9, 9), colour)) == rgb


def test_palettes_with_and_without_transparency():
    image = Image.new("P", (9, 9), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    assert flat(image) == [200, 100, 50]
    assert flat(image, transparency=0) == [200, 100, 50]
    assert flat(image, transparency=1) == [255, 255, 255]
    assert flat(image, transparency=b"\x00\x00") == [255, 255, 255]
    assert flat(image, "GIF") == [200, 100, 50]


def test_a_transparent_colour_without_alpha_is_laid_on_white():
    assert flat(Image.new("RGB", (4, 4), (1, 2, 3)), transparency=(1, 2, 3)) == [255] * 3
    rows = (b"\0" + struct.pack(">4H", *[300] * 4)) * 4
    seen, hidden = (chunk(b"tRNS", struct.pack(">H", value)) for value in (7, 300))
    assert load_pixels(png(4, 4, 16, 0, rows, hidden), SMALL).min() == 255
    assert load_pixels(png(4, 4, 16, 0, rows, seen), SMALL).max() == 1


def test_cmyk_becomes_rgb():
    assert flat(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG") == [255] * 3
    red, green, blue = flat(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("format", ["GIF", "WEBP"])
def test_an_animation_gives_its_first_frame(format):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    options = {"save_all": True, "append_images": frames[1:], "lossless": True}
    assert flat(frames[0], format, **options) == [255, 0, 0]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_recorded_orientation_is_honoured_or_ignored(format, orientation):
    image = Image.new("RGB", (64, 32), "black")
    image.paste("white", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, format, exif=exif)
    corner = {
        1: (0, 0),
        2: (0, 1),
        3: (1, 1),
        4: (1, 0),
        5: (0, 0),
        6: (0, 1),
        7: (1, 1),
        8: (1, 0),
    }
    for settings, expected in [
        (ImageSettings(size=32, interpolation="nearest", exif=True), corner[orientation]),
        (ImageSettings(size=32, interpolation="nearest", exif=False), (0, 0)),
    ]:
        pixels = load_pixels(data, settings).astype(float).mean(axis=2)
        quarters = pixels.reshape(2, 16, 2, 16).mean(axis=(1, 3))
        assert np.unravel_index(quarters.argmax(), (2, 2)) == expected
    assert inspect_image(data).rotated == (orientation != 1)


def test_damaged_metadata_does_not_hide_a_sound_image():
    data = encoded(distinct_image("a", 32), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff junk")
    assert load_pixels(data, SMALL).shape == (32, 32, 3)
    assert not inspect_image(data).rotated


def keras_loader(data: bytes, size: int) -> np.ndarray:
    """What `keras.utils.load_img` does, spelled out; the test below asks Keras itself."""
    image = Image.open(io.BytesIO(data))
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.NEAREST))


@pytest.mark.parametrize("shape", [(150, 150), (400, 533), (149, 301), (33, 7), (1, 1)])
def test_nearest_is_keras_loader_bit_for_bit(shape):
    image = distinct_image("a", 600).crop((0, 0, *shape))
    data = encoded(image, "JPEG")
    settings = ImageSettings(size=150, interpolation="nearest")
    np.testing.assert_array_equal(load_pixels(data, settings), keras_loader(data, 150))


@pytest.mark.slow
def test_nearest_is_keras_itself_on_photographs(clothing):
    paths = sorted((clothing / "validation").rglob("*.jpg"))[::40]
    code = (
        "import sys, hashlib, numpy as np, keras\n"
        "for path in sys.argv[1:]:\n"
        "    image = keras.utils.load_img(path, target_size=(150, 150))\n"
        "    print(hashlib.sha256(np.asarray(image, np.uint8).tobytes()).hexdigest())\n"
    )
    environment = os.environ | {"KERAS_BACKEND": "openvino"}
    command = [sys.executable, "-c", code, *map(str, paths)]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    settings = ImageSettings(size=150, interpolation="nearest", exif=False)
    ours = [hashlib.sha256(load_pixels(path, settings).tobytes()).hexdigest() for path in paths]
    assert output.stdout.split() == ours


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"This is a text, not a photograph.", "no image"),
        (b"\xff\xd8\xff", "JPEG data that is damaged at its beginning, or too short"),
        (b"%PDF-1.7 ...", "no image"),
        (b"8BPS" + bytes(40), "no image that is read here (PSD)"),
        (b"II*\0" + bytes(40), "a TIFF of a kind that Pillow does not decode"),
        (encoded(distinct_image("a", 60), "TIFF")[:-400], "damaged or truncated"),
        (encoded(distinct_image("a", 60), "AVIF")[:-400], ""),
        (encoded(distinct_image("a", 60), "JPEG")[:-400], "damaged or truncated"),
        (encoded(distinct_image("a", 60), "PNG")[:-400], "damaged or truncated"),
        (encoded(distinct_image("a", 60), "BMP")[:-400], "damaged or truncated"),
        (encoded(distinct_image("a", 60), "GIF")[:-400], "damaged or truncated"),
        (encoded(distinct_image("a", 60), "WEBP")[:-400], ""),
    ],
)
def test_what_is_no_whole_image_is_refused_by_name(data, found, tmp_path):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(data)
    for look in (lambda: load_pixels(path, SMALL, "holiday.jpg"), lambda: inspect_image(path)):
        with pytest.raises(ImageError, match=r"holiday\.jpg to be a JPEG") as caught:
            look()
        assert found in caught.value.found
        assert "\n" not in str(caught.value)
        assert "0x" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.timeout(20)
def test_what_would_never_end_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for endless in (tmp_path / "pipe.jpg", Path("/dev/zero")):
        with pytest.raises(ImageError, match="found no ordinary file"):
            load_pixels(endless, SMALL)


@pytest.mark.parametrize("format", ["PPM", "TGA", "ICO", "PDF", "EPS"])
def test_other_formats_are_refused(format):
    with pytest.raises(ImageError, match="to be a JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF image"):
        load_pixels(encoded(distinct_image("a", 32), format), SMALL, "image.jpg")


def test_a_missing_file_is_an_image_error(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        load_pixels(tmp_path / "gone.png", SMALL)


def test_the_result_can_be_written_to():
    pixels = load_pixels(encoded(distinct_image("a")), SMALL)
    pixels[0] = 0
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_a_layer_keeps_what_is_transparent(mode: str) -> None:
    image = Image.new("RGBA", (40, 20), (0, 0, 0, 0 if mode in ("RGBA", "LA") else 255))
    layer = load_layer(encoded(image.convert(mode)), 10)
    assert (layer.mode, layer.size) == ("RGBA", (10, 5))
    assert layer.getpixel((5, 2)) == (0, 0, 0, 0 if mode in ("RGBA", "LA") else 255)


# --- Resizing


WIDE = (96, 48)


def ruler(width: int, height: int) -> Image.Image:
    """An image whose red and green tell column and row."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(np.stack([columns, rows, np.full_like(rows, 255)], -1).astype(np.uint8))


def resized(image: Image.Image, resize: str | None, size: int = 32) -> np.ndarray:
    settings = ImageSettings(size=size, interpolation="bilinear", resize=resize)
    return load_pixels(encoded(image), settings)


@pytest.mark.parametrize("turned", [False, True])
def test_a_crop_keeps_the_middle_in_its_proportions(turned: bool) -> None:
    image = ruler(*WIDE)
    image = image.transpose(Image.Transpose.TRANSPOSE) if turned else image
    pixels = resized(image, "crop")
    pixels = pixels.transpose(1, 0, 2) if turned else pixels
    middle = image.crop((24, 0, 72, 48) if not turned else (0, 24, 48, 72))
    wanted = np.asarray(middle.resize((32, 32), Image.Resampling.BILINEAR))
    wanted = wanted.transpose(1, 0, 2) if turned else wanted
    assert np.abs(pixels[1:-1, 1:-1].astype(int) - wanted[1:-1, 1:-1]).max() <= 1


def test_a_crop_of_a_share_is_a_part_of_the_larger_one() -> None:
    image = distinct_image("a", 80)
    whole = resized(image, "crop", size=64)
    np.testing.assert_array_equal(resized(image, "crop:0.5"), whole[16:48, 16:48])


def test_padding_keeps_all_between_black_bars() -> None:
    pixels = resized(Image.new("RGB", WIDE, "red"), "pad")
    assert (pixels[8:24] == (255, 0, 0)).all()
    assert not pixels[:8].any()
    assert not pixels[24:].any()


@pytest.mark.parametrize("resize", ["crop", "pad", "crop:1", "squash"])
def test_of_a_square_all_ways_make_the_same(resize: str) -> None:
    image = distinct_image("a", 57)
    np.testing.assert_array_equal(resized(image, resize), resized(image, None))


@pytest.mark.parametrize("resize", ["crop", "crop:0.5", "pad"])
@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (3, 2)])
def test_the_thinnest_images_become_squares(resize: str, shape: tuple[int, int]) -> None:
    assert resized(ruler(*shape) if min(shape) > 1 else Image.new("RGB", shape), resize).shape == (
        32, 32, 3,
    )  # fmt: skip


@pytest.mark.parametrize("resize", ["crop", "crop:0.8", "pad"])
def test_large_images_are_resized_alike(resize: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a few of 255; any other way of resizing is several times as far off."""
    image = ruler(240, 112).resize((900, 420), Image.Resampling.BILINEAR)
    plain = resized(image, resize).astype(int)
    others = [resized(image, each) for each in {None, "crop", "crop:0.8", "pad"} - {resize}]
    monkeypatch.setattr("manyheads.data.decoding.PLAIN_PIXELS", 1000)
    apart = np.abs(resized(image, resize) - plain).mean()
    assert 0 < apart < 1.5
    assert all(np.abs(other - plain).mean() > 3 * apart for other in others)


@pytest.mark.parametrize("given", ["fit", "crop:", "crop:0", "crop:2", "crop:x"])
def test_another_way_of_resizing_is_refused(given: str) -> None:
    with pytest.raises(SettingError, match="crop"):
        ImageSettings(resize=given)
