"""Opening by content: formats and their extras, large images, large text, what memory allows."""

from __future__ import annotations

import io
import os
import struct
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads.data import decoding, image_kinds
from manyheads.data.data_settings import ImageSettings
from manyheads.data.decoding import decoded
from manyheads.data.images import inspect_image, load_layer, load_pixels, load_thumbnail
from manyheads.errors import ImageError, ImageLimitError
from tests.image_files import chunk, png
from tests.strategies import distinct_image, encoded

SMALL = ImageSettings(size=32, interpolation="nearest")


def gradient(width: int, height: int) -> Image.Image:
    """Red grows to the right, green to the bottom; blue is 60."""
    pixels = np.full((height, width, 3), 60, np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    pixels[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, np.newaxis]
    return Image.fromarray(pixels)


@pytest.fixture
def few_pixels_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of more than 10,000 pixels are large ones."""
    monkeypatch.setattr(decoding, "PLAIN_PIXELS", 10_000)


@pytest.mark.when_changed("data")
def test_a_photograph_of_108_million_pixels_is_read(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    gradient(12_000, 9_000).save(path)
    pixels = load_pixels(path, ImageSettings(size=150)).astype(int)
    wanted = np.asarray(gradient(150, 150)).astype(int)
    assert np.abs(pixels - wanted).max() <= 4
    facts = inspect_image(path)
    assert (facts.width, facts.height) == (12_000, 9_000)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "BMP"])
@pytest.mark.usefixtures("few_pixels_are_large")
def test_large_images_look_as_small_ones_do(format: str) -> None:
    data = encoded(gradient(600, 450), format, quality=95)
    wanted = np.asarray(gradient(48, 48)).astype(int)
    seen = load_pixels(data, ImageSettings(size=48)).astype(int)
    assert np.abs(seen - wanted).max() <= 12
    assert load_thumbnail(data, 40).size == (40, 30)
    assert load_layer(data, 40).size == (40, 30)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P", "1", "I;16", "CMYK"])
@pytest.mark.usefixtures("few_pixels_are_large")
def test_large_images_of_every_mode_have_the_right_colour(mode: str) -> None:
    image = Image.new("RGBA", (301, 203), (255, 255, 255, 0)).convert(
        "L" if mode == "I;16" else "RGB" if mode == "CMYK" else mode
    )
    if mode == "I;16":
        image = Image.fromarray(np.full((203, 301), 65535, np.uint16))
    data = encoded(image.convert("CMYK") if mode == "CMYK" else image, "TIFF")
    assert load_pixels(data, SMALL).min() == 255


@pytest.mark.usefixtures("few_pixels_are_large")
def test_large_images_are_turned_upright() -> None:
    image = Image.new("RGB", (600, 300), "black")
    image.paste("white", (0, 0, 100, 100))
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = load_pixels(encoded(image, "JPEG", exif=exif), SMALL)
    assert pixels[:4, -4:].min() > 200
    assert pixels[-8:].max() < 50


def test_up_to_the_former_limit_a_photograph_is_decoded_whole() -> None:
    data = encoded(distinct_image("a", 500), "JPEG")
    with decoded(data, "a.jpg") as found:
        plain = Image.open(io.BytesIO(data))
        np.testing.assert_array_equal(np.asarray(found.image), np.asarray(plain))
    assert decoding.PLAIN_PIXELS == 89_478_485


def test_what_takes_more_memory_than_allowed_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bomb = png(50_000, 50_000, 8, 0, b"\0")
    with pytest.raises(ImageLimitError, match=r"bomb\.png to take at most 2\.0 GiB") as caught:
        load_pixels(bomb, SMALL, "bomb.png")
    assert caught.value.found == (
        "50,000 × 50,000 pixels, 2.3 GiB where MANYHEADS_IMAGE_MEMORY allows 2.0 GiB"
    )
    assert "set MANYHEADS_IMAGE_MEMORY=3G" in caught.value.remedy
    data = encoded(distinct_image("a", 300))
    monkeypatch.setenv("MANYHEADS_IMAGE_MEMORY", "1M")
    with pytest.raises(ImageLimitError, match=r"at most 1\.0 MiB"):
        load_pixels(data, SMALL)
    monkeypatch.setenv("MANYHEADS_IMAGE_MEMORY", "2M")
    assert load_pixels(data, SMALL).shape == (32, 32, 3)


def test_a_progressive_photograph_counts_what_its_decoder_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = distinct_image("a", 300)
    monkeypatch.setenv("MANYHEADS_IMAGE_MEMORY", str(300 * 300 * 13))
    assert load_pixels(encoded(image, "JPEG"), SMALL).std() > 10
    with pytest.raises(ImageLimitError):
        load_pixels(encoded(image, "JPEG", progressive=True), SMALL)


def test_a_giant_of_a_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "giant.bmp").open("wb") as file:
        file.truncate((1 << 31) + 1)  # of no bytes on the disk
    with pytest.raises(ImageLimitError, match="found 2,147,483,649 bytes"):
        load_pixels(tmp_path / "giant.bmp", SMALL)


@pytest.mark.when_changed("data")
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"tEXt", b"iCCP"])
@pytest.mark.parametrize("behind", [False, True])
def test_large_text_and_profiles_hide_no_pixel(kind: bytes, behind: bool) -> None:
    text = b"words " * 2_000_000  # 12 MB, or 12 kB of them compressed
    packed = zlib.compress(text)
    body = {
        b"zTXt": b"Comment\0\0" + packed,
        b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0" + packed,
        b"tEXt": b"Comment\0" + text * 7,
        b"iCCP": b"profile\0\0" + packed,
    }[kind]
    plain = encoded(distinct_image("a", 40))
    at = plain.index(b"IEND" if behind else b"IDAT") - 4
    data = plain[:at] + chunk(kind, body) + plain[at:]
    np.testing.assert_array_equal(load_pixels(data, SMALL), load_pixels(plain, SMALL))


def test_the_orientation_stays_beside_large_text() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    plain = encoded(distinct_image("a", 40), exif=exif)
    at = plain.index(b"IDAT") - 4
    large = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000)))
    data = plain[:at] + large + plain[at:]
    np.testing.assert_array_equal(load_pixels(data, SMALL), load_pixels(plain, SMALL))
    assert inspect_image(data).rotated


def heic(image: Image.Image, **options: object) -> bytes:
    """The image as a phone would store it, without loss; skips where the extra is missing."""
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(image).save(file, quality=-1, **options)
    return file.getvalue()


def test_heic_is_read_with_its_extra() -> None:
    for mode, colour, wanted in [
        ("RGB", (200, 100, 50), [200, 100, 50]),
        ("RGBA", (200, 100, 50, 0), [255, 255, 255]),
    ]:
        data = heic(Image.new(mode, (64, 48), colour))
        assert load_pixels(data, SMALL)[5, 5].tolist() == wanted
        assert inspect_image(data).format == "HEIF"


def test_heic_is_turned_once() -> None:
    image = Image.new("RGB", (64, 32), "black")
    image.paste("white", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = load_pixels(heic(image, exif=exif.tobytes()), SMALL)
    assert pixels[:4, -8:].min() > 200
    assert pixels[-8:].max() < 50


def test_without_its_extra_heic_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    data = struct.pack(">I", 24) + b"ftypheic" + bytes(200)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(image_kinds, "_reads_heic", lambda: False)
    with pytest.raises(ImageLimitError, match=r"a HEIC image.*pip install 'manyheads\[heif\]'"):
        load_pixels(data, SMALL, "IMG_1.HEIC")


def test_damaged_heic_is_one_line() -> None:
    pytest.importorskip("pillow_heif")
    with pytest.raises(ImageError, match=r"IMG_1\.HEIC to be a JPEG"):
        load_pixels(struct.pack(">I", 24) + b"ftypheic" + bytes(200), SMALL, "IMG_1.HEIC")


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_tiff_is_turned_once(orientation: int) -> None:
    image = Image.new("RGB", (64, 32), "black")
    image.paste("white", (0, 0, 16, 16))
    data = encoded(image, "TIFF", tiffinfo={0x0112: orientation})
    row, column = {3: (-1, -1), 6: (0, -1), 8: (-1, 0)}[orientation]
    pixels = load_pixels(data, SMALL)
    assert pixels[row, column].tolist() == [255, 255, 255]
    assert (pixels == 255).mean() < 0.2
    assert inspect_image(data).rotated


def test_of_a_tiff_with_pages_the_first_is_read() -> None:
    pages = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert load_pixels(data, SMALL)[3, 3].tolist() == [255, 0, 0]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate", "packbits"])
def test_compressed_tiff(compression: str) -> None:
    image = distinct_image("a", 32)
    data = encoded(image, "TIFF", compression=compression)
    np.testing.assert_array_equal(load_pixels(data, SMALL), np.asarray(image))


def test_of_several_pictures_in_a_jpeg_the_first_is_read() -> None:
    pictures = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    data = encoded(pictures[0], "MPO", save_all=True, append_images=pictures[1:], quality=100)
    assert load_pixels(data, SMALL)[3, 3].tolist() in ([255, 0, 0], [254, 0, 0])
    assert inspect_image(data).format == "MPO"


def test_threads_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(distinct_image("a", 200))
    with decoded(data, "a.png") as found:
        needed = found.image.width * found.image.height * 12
    monkeypatch.setenv("MANYHEADS_IMAGE_MEMORY", str(int(2.5 * needed)))
    at_once, most, lock = [0], [0], threading.Lock()
    begun = threading.Barrier(8, timeout=30)

    def decode() -> None:
        begun.wait()
        for _ in range(10):
            with decoded(data, "a.png"):
                with lock:
                    at_once[0] += 1
                    most[0] = max(most[0], at_once[0])
                threading.Event().wait(0.002)
                with lock:
                    at_once[0] -= 1

    threads = [threading.Thread(target=decode) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 2


def test_pillows_own_limit_stays_as_it_is() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    load_pixels(encoded(distinct_image("a", 40), "TIFF"), SMALL)
    assert limit == Image.MAX_IMAGE_PIXELS
    assert "MANYHEADS_IMAGE_MEMORY" not in os.environ
