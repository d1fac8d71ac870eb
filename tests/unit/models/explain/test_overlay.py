"""Overlays: colours that mean the same everywhere, on the image as the model saw it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads.data.data_settings import ImageSettings
from manyheads.errors import ImageError, SettingError
from manyheads.models.explain.explanation import Explanation
from manyheads.models.explain.overlay import overlay, shared_limit

MAP = np.array([[-1, 0], [0.5, 2]], np.float32)
FIRST, LAST = (68, 1, 84), (253, 231, 36)  # of viridis


def explained(source: Path | np.ndarray, map_: np.ndarray = MAP) -> Explanation:
    settings = ImageSettings(size=32)
    return Explanation(
        image="a", source=source, settings=settings, label="cat", target="cat",
        occlusion=map_, cam=map_ * 10,
    )  # fmt: skip


def test_the_last_colour_is_the_limit_and_more() -> None:
    black = Image.new("RGB", (40, 40))
    pixels = np.asarray(overlay(black, MAP, 1.0, alpha=1.0))
    assert tuple(pixels[0, 0]) == tuple(pixels[0, -1]) == FIRST
    assert tuple(pixels[-1, -1]) == LAST
    half = np.asarray(overlay(black, np.full((2, 2), 0.5, np.float32), 1.0, alpha=1.0))
    doubled = np.asarray(overlay(black, np.full((2, 2), 1.0, np.float32), 2.0, alpha=1.0))
    np.testing.assert_array_equal(half, doubled)


def test_the_greatest_value_is_drawn_in_the_middle_of_its_cell() -> None:
    map_ = np.zeros((3, 3), np.float32)
    map_[0, 1] = 1
    pixels = np.asarray(overlay(Image.new("RGB", (90, 90)), map_, 1.0, alpha=1.0)).sum(axis=2)
    bright = np.argwhere(pixels == pixels.max())
    assert bright[:, 0].max() < 30
    assert bright[:, 1].mean() == pytest.approx(44.5, abs=0.5)


def test_without_opacity_there_is_the_picture_in_grey() -> None:
    red = Image.new("RGB", (4, 4), (200, 0, 0))
    pixels = np.asarray(overlay(red, MAP, 1.0, alpha=0.0))
    assert len(np.unique(pixels)) == 1


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_an_opacity_out_of_range(alpha: float) -> None:
    with pytest.raises(SettingError, match="alpha"):
        overlay(Image.new("RGB", (4, 4)), MAP, 1.0, alpha)


@pytest.mark.parametrize(
    ("greatest", "limit"),
    [
        ([0.3], 0.3),
        ([0.31], 0.4),
        ([60.0], 60.0),
        ([9.1], 10.0),
        ([1e-7], 1e-7),
        ([1, 1, 1, 100], 1),  # one of four may be beyond
        ([1, 1, 7, 100], 8),
        ([-1, -1, -1, 0.5], 0.5),
        ([-1.0], 1.0),
        ([], 1.0),
    ],
)
def test_limits_are_round_and_no_slave_of_extremes(greatest: list[float], limit: float) -> None:
    assert shared_limit(np.array([[each, -9]], np.float32) for each in greatest) == limit


@pytest.mark.parametrize(("size", "drawn"), [((60, 20), (300, 100)), ((10, 50), (60, 300))])
def test_pictures_keep_their_proportions_and_the_models_pixels(
    tmp_path: Path, size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    image = Image.effect_noise(size, 60).convert("RGB")
    image.save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", np.asarray(image)):
        entry = explained(source)
        assert entry.picture(300).size == entry.overlay("cam", 300).size == drawn
    saw = image.resize((32, 32), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(
        explained(tmp_path / "a.png").picture(300),
        saw.resize(drawn, Image.Resampling.BICUBIC),
    )


def test_a_map_that_is_not_there(tmp_path: Path) -> None:
    entry = explained(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(SettingError, match="method"):
        entry.overlay("gradient")
    unread = Explanation(
        image="b.png", source=tmp_path / "b.png", settings=ImageSettings(size=32), error="no file"
    )
    with pytest.raises(ImageError, match=r"to read b\.png, found no file"):
        unread.overlay()
    with pytest.raises(ImageError, match=r"b\.png"):
        unread.picture()
