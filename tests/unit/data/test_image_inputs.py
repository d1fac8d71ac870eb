"""One rule for every kind of input: whatever an image is given as, its pixels are the file's."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads.core.job import Job, Note
from manyheads.data.data_settings import ImageSettings
from manyheads.data.image_inputs import each_of, named, natural_size, square_of
from manyheads.data.images import load_pixels
from manyheads.errors import DataError, ImageError
from tests.image_files import FILES, turned
from tests.strategies import distinct_image

SETTINGS = [
    ImageSettings(size=32),
    ImageSettings(size=40, interpolation="nearest", exif=False),
    ImageSettings(size=32, depth=12),
]


KINDS: dict[str, Callable[[Path], Any]] = {
    "str": str,
    "bytes": Path.read_bytes,
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "open file": lambda path: io.BytesIO(path.read_bytes()),
    "Pillow": lambda path: Image.open(io.BytesIO(path.read_bytes())),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", FILES)
def test_every_kind_of_input_is_prepared_as_the_file_is(file, kind, tmp_path):
    path = tmp_path / "image"
    path.write_bytes(FILES[file])
    for settings in SETTINGS:
        name, source = named(KINDS[kind](path), 7)
        seen = square_of(source, settings, name)
        np.testing.assert_array_equal(seen, load_pixels(path, settings))


@pytest.mark.parametrize("file", [name for name in FILES if name != "16-bit grey and opacity"])
def test_an_image_that_was_decoded_before_is_prepared_as_its_file(file):
    image = Image.open(io.BytesIO(FILES[file]))
    image.load()
    before = image.tobytes()
    for settings in SETTINGS[:2]:
        seen = square_of(named(image, 0).source, settings, "image 0")
        np.testing.assert_array_equal(seen, load_pixels(FILES[file], settings))
    assert image.tobytes() == before


def test_arrays_of_every_depth_and_number_of_channels():
    rgb = np.asarray(distinct_image("a", 32))
    plain = ImageSettings(size=32)
    opaque = np.full((32, 32, 1), 255, np.uint8)
    hidden = np.zeros((32, 32, 1), np.uint8)
    twelve = ImageSettings(size=32, depth=12)
    grey = rgb[..., 0]
    for array, settings, wanted in [
        (rgb, plain, rgb),
        (np.concatenate([rgb, opaque], 2), plain, rgb),
        (np.concatenate([rgb, hidden], 2), plain, np.full_like(rgb, 255)),
        (grey, plain, np.stack([grey] * 3, 2)),
        (grey[..., np.newaxis], plain, np.stack([grey] * 3, 2)),
        (np.concatenate([grey[..., np.newaxis], hidden], 2), plain, np.full_like(rgb, 255)),
        (grey.astype(np.uint16) * 257, plain, np.stack([grey] * 3, 2)),
        (rgb.astype(">u2") * 257, plain, rgb),
        (np.full((9, 9, 3), 4095, np.uint16), plain, np.full_like(rgb, 15)),
        (np.full((9, 9, 3), 4095, np.uint16), twelve, np.full_like(rgb, 255)),
        (np.full((9, 9), 2048, np.uint16), twelve, np.full_like(rgb, 128)),
        (rgb[::-1, :, ::-1], plain, rgb[::-1, :, ::-1]),
    ]:
        np.testing.assert_array_equal(square_of(array, settings, "array 0"), wanted)


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((8, 8, 3)), "float64"),
        (np.zeros((8, 8, 5), np.uint8), r"uint8 \[8, 8, 5\]"),
        (np.zeros((0, 8, 3), np.uint8), r"uint8 \[0, 8, 3\]"),
        (np.zeros(8, np.uint8), r"uint8 \[8\]"),
        (np.zeros((8, 8, 3), np.int64), "int64"),
    ],
)
def test_arrays_that_are_no_pixels(array, found):
    with pytest.raises(ImageError, match=f"in array 3, found {found}"):
        square_of(array, ImageSettings(size=32), "array 3")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, "NoneType in place 2"),
        (7, "a path, the bytes of a file, .* uint16, found int in place 2"),
        (
            np.zeros((8, 8, 3), np.float32),
            r"uint8 or uint16 .* in array 2, found float32 \[8, 8, 3",
        ),
        (np.zeros((3, 8, 8), np.uint8), r"\[3, 8, 8\]; convert it to RGB .* the channels last"),
        (io.StringIO("text"), "found text; open it in binary mode"),
    ],
)
def test_what_is_no_image(given, found):
    with pytest.raises(ImageError, match=found):
        named(given, 2)


def test_a_closed_file_is_an_image_error():
    file = io.BytesIO(b"")
    file.close()
    with pytest.raises(ImageError, match="closed file"):
        named(file, 0)


def test_names(tmp_path):
    path = tmp_path / "photo.png"
    distinct_image("a").save(path)
    with path.open("rb") as file, Image.open(path) as image:
        given = [path, str(path), file, image]
        assert [named(each, 4).name for each in given] == [str(path)] * 4
    others = [b"", io.BytesIO(b""), Image.new("RGB", (1, 1)), np.zeros((1, 1, 3), np.uint8)]
    assert [named(each, 4).name for each in others] == ["bytes 4", "file 4", "image 4", "array 4"]


def test_one_image_or_many():
    one = [
        b"", bytearray(), io.BytesIO(b""), Image.new("L", (1, 1)),
        np.zeros((4, 4)), np.zeros((4, 4, 3)),
    ]  # fmt: skip
    for given in one:
        (each,) = each_of(given)
        assert each is given
    array, iterator = np.zeros((2, 4, 4, 3)), iter(["a.png"])
    assert each_of(array) is array
    assert each_of(iterator) is iterator
    for given in (["a.png"], np.array(["a.png"]), {"path": ["a.png"]}):
        assert list(each_of(given)) == ["a.png"]
    assert list(each_of(())) == []


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three images in two folders, and a text."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.png", "below/c.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        distinct_image(name).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("none")
    return tmp_path / "photos"


def test_a_text_is_what_the_command_line_takes_it_for(photos: Path):
    everything = ["photos/a.png", "photos/b.png", "photos/below/c.png"]
    notes: list[str] = []
    job = Job(lambda event: notes.append(event.text) if isinstance(event, Note) else None)
    assert each_of("photos", job) == everything
    assert notes == ["photos: left out 1 of 4 files (25.0 %): 1 file that is no image (notes.txt)"]
    assert each_of(Path("photos")) == everything
    assert each_of("photos/*.png") == everything[:2]
    assert each_of("photos/b.png") == ["photos/b.png"]
    (photos.parent / "list.csv").write_text("path\nphotos/b.png\nphotos/absent.png\n")
    named_there = ["photos/b.png", "photos/absent.png"]
    assert each_of("list.csv") == named_there
    both = ["photos/b.png", "photos/below", Path("absent.png"), "list.csv", b""]
    assert each_of(both) == [
        "photos/b.png", "photos/below/c.png", Path("absent.png"), *named_there, b""
    ]  # fmt: skip
    (photos / "x[1].png").write_bytes((photos / "a.png").read_bytes())
    assert each_of(["photos/x[1].png"]) == ["photos/x[1].png"]


@pytest.mark.parametrize("given", ["absent.png", "photos/*.webp", "", "a\0b", "nothing/"])
def test_a_text_that_names_nothing(given: str, photos: Path):
    del photos
    with pytest.raises(DataError, match="an image, a folder of images or a glob, found nothing at"):
        each_of(given)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (7, "found int; give one of these"),
        (None, "found NoneType"),
        ({"image": []}, "the column path, found image; rename the column"),
    ],
)
def test_what_is_no_images_is_told_with_what_is_taken(given: Any, found: str):
    with pytest.raises(DataError, match=found):
        each_of(given)


def test_the_size_of_what_is_seen():
    for exif, size in [(True, (30, 50)), (False, (50, 30))]:
        settings = ImageSettings(size=32, exif=exif)
        data = turned(6)
        assert natural_size(data, settings, 50) == size
        assert natural_size(Image.open(io.BytesIO(data)), settings, 50) == size
    assert natural_size(np.zeros((30, 50, 3), np.uint8), SETTINGS[0], 50) == (50, 30)
