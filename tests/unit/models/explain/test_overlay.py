"""Overlays: colours that mean the same everywhere, on the image as the model saw it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads.data.data_settings import ImageSettings
from manyheads.errors import ImageError, SettingError
from manyheads.models.explain.explanation import Explanation, Explanations
from manyheads.models.explain.overlay import COLOUR, overlay, shared_limit

MAP = np.array([[-1, 0], [0.5, 2]], np.float32)


def explained(source: Path | np.ndarray, map_: np.ndarray = MAP) -> Explanation:
    settings = ImageSettings(size=32)
    return Explanation(
        image="a", source=source, settings=settings, label="cat", target="cat",
        occlusion=map_, cam=map_ * 10,
    )  # fmt: skip


def test_the_last_colour_is_the_limit_and_more() -> None:
    black = Image.new("RGB", (40, 40))
    pixels = np.asarray(overlay(black, MAP, 1.0, alpha=1.0))
    assert tuple(pixels[0, 0]) == tuple(pixels[0, -1]) == (76, 76, 76)  # a third of white
    assert tuple(pixels[-1, -1]) == COLOUR
    half = np.asarray(overlay(black, np.full((2, 2), 0.5, np.float32), 1.0, alpha=1.0))
    doubled = np.asarray(overlay(black, np.full((2, 2), 1.0, np.float32), 2.0, alpha=1.0))
    np.testing.assert_array_equal(half, doubled)


def test_the_greatest_value_is_drawn_in_the_middle_of_its_cell() -> None:
    map_ = np.zeros((3, 3), np.float32)
    map_[0, 1] = 1
    tinted = np.asarray(overlay(Image.new("RGB", (90, 90)), map_, 1.0, alpha=1.0))[..., 0]
    strongest = np.argwhere(tinted == tinted.max())
    assert strongest[:, 0].max() < 30
    assert strongest[:, 1].mean() == pytest.approx(44.5, abs=0.5)


def test_the_photograph_stays_visible_under_the_strongest_colour() -> None:
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[::4] = 255
    everywhere = np.full((2, 2), 9, np.float32)
    pixels = np.asarray(overlay(Image.fromarray(stripes), everywhere, 1.0), np.float64).mean(axis=2)
    assert np.ptp(pixels, axis=0).min() > 30
    nowhere = np.asarray(overlay(Image.fromarray(stripes), -everywhere, 1.0), np.float64)
    assert (nowhere >= stripes).all()  # never darker than it was


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
    assert unread.strongest is None
    assert unread.words == unread._repr_html_()[3:-4] == "b.png cannot be read: no file."


def test_what_counts_most_in_words() -> None:
    without = np.array([[0.4, 0.9, 0.9], [0.9, 0.2, 0.9], [0.95, 0.9, 0.9]], np.float32)
    grey = np.full((8, 8, 3), 128, np.uint8)
    entry = replace(explained(grey), confidence=0.91, probability=0.91, without=without)
    assert entry.words == "Without the centre, the probability of 'cat' falls from 0.91 to 0.20."
    assert "falls from 0.91 to 0.20" in entry._repr_html_()
    assert entry._repr_html_().count("data:image/png;base64,") == 2
    flat = replace(entry, without=np.full((3, 3), 0.909, np.float32))
    assert flat.strongest is None
    assert flat.words.startswith("No single part counts")
    all_ = Explanations((2, 2), [entry] * 12)
    assert all_._repr_html_().count("<figure>") == 10
    assert "… and 2 more" in all_._repr_html_()
