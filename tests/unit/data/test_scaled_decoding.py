"""JPEGs that are decoded smaller: by which scale, what stays the same, and what nearly does."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from manyheads.core.settings import digest, plain
from manyheads.data import decoding
from manyheads.data.data_settings import ImageSettings
from manyheads.data.decoding import decoded
from manyheads.data.image_inputs import natural_size, square_of
from manyheads.data.images import inspect_image, load_pixels, load_thumbnail
from manyheads.errors import ImageError, ImageLimitError, SettingError
from tests.image_files import FILES
from tests.strategies import distinct_image, encoded
from tests.unit.data.test_decoding import gradient
from tests.unit.data.test_image_inputs import KINDS, named

FULL = ImageSettings(size=32)
SCALED = ImageSettings(size=32, decode="scaled")
CLOSE = 6  # of 255: what a smooth picture differs by at most


def seen(data: bytes, how: ImageSettings) -> np.ndarray:
    return load_pixels(data, how).astype(int)


@given(
    width=st.integers(64, 1100), height=st.integers(64, 1100), size=st.integers(32, 96),
    resize=st.sampled_from([None, "crop", "crop:0.8", "pad"]),
)  # fmt: skip
@example(width=512, height=512, size=32, resize=None)  # exactly 8 times as large
@example(width=511, height=600, size=32, resize=None)
@example(width=127, height=900, size=32, resize="pad")
@settings(max_examples=25, deadline=None)
def test_the_smallest_scale_whose_shorter_side_is_twice_the_target(
    width: int, height: int, size: int, resize: str | None
) -> None:
    how = ImageSettings(size=size, resize=resize, decode="scaled")
    target = how.shorter_side or size
    assert how.least_side == 2 * target
    shorter = min(width, height)
    scale = next((s for s in (8, 4, 2) if shorter / s >= 2 * target), 1)
    data = encoded(Image.new("RGB", (width, height), "teal"), "JPEG")
    with decoded(data, "a.jpg", least_side=how.least_side) as found:
        assert found.image.size == (-(-width // scale), -(-height // scale))
        assert found.size == (width, height), "what is told of the file is as stored"
    # What the guides and the model cards write out.
    drafted = Image.open(io.BytesIO(data))
    drafted.draft(None, (2 * target, 2 * target))
    assert drafted.size == found.image.size


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_a_reduced_photograph_looks_as_the_whole_one_does(scale: int) -> None:
    data = encoded(gradient(72 * scale + 3, 64 * scale), "JPEG", quality=95)
    difference = np.abs(seen(data, SCALED) - seen(data, FULL))
    assert difference.max() <= CLOSE
    assert (scale == 1) == (not difference.any())


@pytest.mark.parametrize(
    "written",
    [
        {"mode": "L"}, {"mode": "CMYK"}, {"progressive": True}, {"subsampling": 0},
        {"restart_marker_rows": 2},
    ],
    ids=lambda each: "".join(map(str, each.values())),
)  # fmt: skip
def test_every_kind_of_jpeg_is_reduced(written: dict[str, Any]) -> None:
    options: dict[str, Any] = {"quality": 95} | written
    picture = gradient(300, 260).convert(options.pop("mode", "RGB"))
    data = encoded(picture, "JPEG", **options)
    with decoded(data, "a.jpg", least_side=SCALED.least_side) as found:
        assert found.image.size == (75, 65)
    assert np.abs(seen(data, SCALED) - seen(data, FULL)).max() <= CLOSE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_photograph_is_turned_as_its_camera_recorded(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(gradient(300, 200), "JPEG", exif=exif, quality=95)
    for exif_too in (True, False):
        whole = ImageSettings(size=32, exif=exif_too)
        reduced = ImageSettings(size=32, exif=exif_too, decode="scaled")
        assert np.abs(seen(data, reduced) - seen(data, whole)).max() <= CLOSE


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "AVIF", "BMP", "GIF"])
def test_other_formats_are_decoded_in_full(format: str) -> None:
    data = encoded(distinct_image("a", 300), format)
    np.testing.assert_array_equal(seen(data, SCALED), seen(data, FULL))


@pytest.mark.parametrize("name", FILES)
def test_small_files_of_every_kind_stay_as_they_are(name: str) -> None:
    np.testing.assert_array_equal(seen(FILES[name], SCALED), seen(FILES[name], FULL))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_is_reduced_as_the_file_is(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    distinct_image("a", 300).save(path)
    name, source = named(KINDS[kind](path), 0)
    pixels = square_of(source, SCALED, name)
    np.testing.assert_array_equal(pixels, load_pixels(path, SCALED))
    assert (pixels != load_pixels(path, FULL)).any()
    assert natural_size(source, SCALED, 40) == natural_size(source, FULL, 40)


def test_an_image_that_was_decoded_before_is_taken_as_it_is() -> None:
    data = encoded(distinct_image("a", 300), "JPEG")
    image = Image.open(io.BytesIO(data))
    image.load()
    pixels = square_of(named(image, 0).source, SCALED, "image 0")
    np.testing.assert_array_equal(pixels, load_pixels(data, FULL))
    assert image.size == (300, 300)


def test_what_shows_or_inspects_a_file_decodes_all_of_it() -> None:
    data = encoded(distinct_image("a", 300), "JPEG")
    facts = inspect_image(data)
    assert (facts.width, facts.height) == (300, 300)
    assert load_thumbnail(data, 300).size == (300, 300)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_truncated_photograph_is_refused_as_before(progressive: bool) -> None:
    data = encoded(distinct_image("a", 300), "JPEG", progressive=progressive)
    for how in (FULL, SCALED):
        with pytest.raises(ImageError, match="damaged or truncated"):
            load_pixels(data[: len(data) // 2], how)
        # Without its last two bytes it lacks its end, but no pixel.
        np.testing.assert_array_equal(load_pixels(data[:-2], how), load_pixels(data, how))


def test_a_reduced_photograph_takes_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(distinct_image("a", 600), "JPEG")
    monkeypatch.setenv("MANYHEADS_IMAGE_MEMORY", "1M")
    with pytest.raises(ImageLimitError, match="600 × 600 pixels"):
        load_pixels(data, FULL)
    assert load_pixels(data, SCALED).shape == (32, 32, 3)


def test_very_large_photographs_are_reduced_at_least_as_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoding, "PLAIN_PIXELS", 10_000)
    data = encoded(gradient(600, 520), "JPEG", quality=95)
    for resize in (None, "crop", "pad"):
        whole = ImageSettings(size=32, resize=resize)
        reduced = ImageSettings(size=32, resize=resize, decode="scaled")
        # Its first reduction is by rectangles of whole pixels, whose edges do not quite meet.
        assert np.abs(seen(data, reduced) - seen(data, whole)).max() <= 2 * CLOSE


def test_it_is_part_of_what_names_features_and_of_the_words() -> None:
    assert plain(SCALED) == plain(FULL) | {"decode": "scaled"}
    assert "decode" not in plain(FULL)
    assert digest(SCALED) != digest(FULL)
    assert ImageSettings(**plain(SCALED)) == SCALED
    assert SCALED.words == f"{FULL.words}, scaled decoding"
    assert FULL.least_side is None


def test_another_way_of_decoding_lists_the_known_ones() -> None:
    with pytest.raises(SettingError, match="`decode` to be one of full, scaled"):
        ImageSettings(decode="draft")
