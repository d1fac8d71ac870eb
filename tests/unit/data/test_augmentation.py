"""Views of an image: pure, seeded by content, and altered as far as they say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.augmentation import View
from manyheads.data.augmentation_presets import (
    PRESETS,
    Augmentation,
    parse_augmentation,
    preset_words,
)
from manyheads.errors import SettingError
from tests.strategies import distinct_image

NONE = Augmentation.none()
CONTENTS = [f"{number:064x}" for number in range(12)]


def pixels(size: int = 48) -> np.ndarray:
    """A picture with large shapes: noise would not survive being moved."""
    return np.array(distinct_image("photo", 6).resize((size, size)), np.uint8)


def view(number: int = 1, hide_pixels: float = 0.0, **amounts: Any) -> View:
    return View(number=number, augmentation=replace(NONE, **amounts), hide_pixels=hide_pixels)


@given(
    st.integers(1, 9),
    st.sampled_from(CONTENTS),
    st.floats(0, 0.9),
    st.integers(32, 60),
    st.floats(0, 0.5),
)
def test_a_view_is_a_pure_function_of_pixels_content_and_settings(
    number: int, content: str, hidden: float, size: int, amount: float
) -> None:
    image = pixels(size)
    before = image.copy()
    made = View(
        number=number, hide_pixels=hidden,
        augmentation=Augmentation(shift=amount, zoom=amount, rotation=90 * amount),
    )  # fmt: skip
    first = made(image, content)
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(made(image, content), first)
    np.testing.assert_array_equal(image, before)


def test_threads_change_nothing() -> None:
    made = View(number=2, augmentation=Augmentation(), hide_pixels=0.2)
    alone = [made(pixels(), content) for content in CONTENTS]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda content: made(pixels(), content), CONTENTS))
    np.testing.assert_array_equal(alone, together)


def test_contents_and_numbers_give_different_views() -> None:
    made = [
        View(number=number, augmentation=Augmentation())(pixels(), content).tobytes()
        for number in (1, 2, 3)
        for content in CONTENTS
    ]
    assert len(set(made)) == len(made)


def test_what_changes_nothing_changes_nothing() -> None:
    np.testing.assert_array_equal(view()(pixels(), CONTENTS[0]), pixels())
    assert not NONE.changes
    assert Augmentation().changes


def test_a_flip_is_the_image_or_its_mirror_image() -> None:
    image = pixels()
    seen = [view(flip=True)(image, content) for content in CONTENTS]
    mirrored = [np.array_equal(each, image[:, ::-1]) for each in seen]
    kept = [np.array_equal(each, image) for each in seen]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert any(mirrored)
    assert any(kept)


def test_a_shift_moves_the_picture_and_no_corner_is_black() -> None:
    image = np.full((48, 48, 3), 200, np.uint8)
    image[20:28, 20:28] = 255
    for content in CONTENTS:
        moved = view(shift=0.3)(image, content)
        assert moved.min() >= 199
        where = np.argwhere(moved[..., 0] > 250).mean(axis=0) - 23.5
        assert 0 < np.abs(where).max() <= 0.3 * 48 + 1


@pytest.mark.when_changed("data")
@pytest.mark.parametrize(
    "amounts",
    [
        {"shift": 0.5, "zoom": 0.5, "rotation": 180},
        {"shift": 0.4, "zoom": 0.5},
        {"shift": 0.2, "zoom": 0.5, "rotation": 45},
    ],
)
def test_however_far_it_looks_it_sees_nothing_but_the_image(amounts: dict[str, float]) -> None:
    image = np.full((32, 32, 3), 200, np.uint8)
    for number in range(1, 60):
        for content in CONTENTS:
            made = view(number, **amounts)(image, content)
            assert (made.min(), made.max()) == (200, 200)


def test_a_zoom_makes_things_larger_or_smaller_by_as_much_as_it_says() -> None:
    image = np.zeros((96, 96, 3), np.uint8)
    image[32:64, 32:64] = 255
    sides = [np.sqrt((view(zoom=0.5)(image, c)[..., 0] > 127).sum()) for c in CONTENTS]
    assert min(sides) < 30 < 34 < max(sides)
    assert min(sides) >= 15
    assert max(sides) <= 49


def test_a_turn_is_about_the_middle() -> None:
    image = np.zeros((97, 97, 3), np.uint8)
    image[46:51] = 255  # a line from left to right
    for content in CONTENTS:
        turned = view(rotation=45.0)(image, content)
        assert turned[48, 48, 0] > 200
        points = np.argwhere(turned[..., 0] > 127) - 48
        points = points[(np.abs(points) < 24).all(axis=1)]
        slope = np.degrees(np.arctan(np.polyfit(points[:, 1], points[:, 0], 1)[0]))
        assert abs(slope) <= 46


def test_brightness_and_colour_scale_within_their_amounts() -> None:
    image = np.full((48, 48, 3), (120, 100, 80), np.uint8)
    lights = [view(brightness=0.5)(image, c)[0, 0, 0] / 120 for c in CONTENTS]
    assert 0.49 <= min(lights) < 0.9 < 1.1 < max(lights) <= 1.51
    spreads = [np.ptp(view(colour=0.5)(image, c)[0, 0].astype(int)) / 40 for c in CONTENTS]
    assert 0.45 <= min(spreads) < 0.9 < 1.1 < max(spreads) <= 1.55


@given(st.floats(0.02, 0.95), st.sampled_from(CONTENTS), st.integers(32, 90))
def test_the_hidden_part_is_a_rectangle_of_the_share_that_was_asked(
    share: float, content: str, size: int
) -> None:
    image = pixels(size)
    augmentation = Augmentation()
    whole = View(number=3, augmentation=augmentation)(image, content)
    part = View(number=3, augmentation=augmentation, hide_pixels=share)(image, content)
    changed = np.argwhere((whole != part).any(axis=2))
    rows, columns = np.ptp(changed, axis=0) + 1
    # A noise pixel may equal what it hides, but hardly a whole side of the rectangle.
    assert abs(rows * columns - share * size**2) <= (rows + columns) / 2 + 1
    assert len(changed) >= 0.95 * rows * columns
    assert rows / columns <= max(1 / 0.3, 1 / share) * 1.3


def test_an_augmentation_is_read_as_it_is_written() -> None:
    assert parse_augmentation(["none"]) == NONE
    assert parse_augmentation(["flip", "shift=0.2"]) == replace(NONE, flip=True, shift=0.2)
    assert parse_augmentation(["rotation"]).rotation == Augmentation().rotation
    for each in (NONE, Augmentation(), Augmentation(flip=False, zoom=0.3)):
        assert parse_augmentation(each.arguments) == each
    assert Augmentation(rotation=0, zoom=0, brightness=0, colour=0).words == "flip, shift 0.1"


@pytest.mark.parametrize("wrong", [{"number": 0}, {"hide_pixels": 1.0}, {"hide_pixels": -0.1}])
def test_what_is_no_view_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong)).replace("number", "view")):
        view(**wrong)


@pytest.mark.parametrize(
    "words",
    [
        ["blur"],
        ["flip=1"],
        ["flip", "flip"],
        ["none", "flip"],
        ["shift=0.9"],
        ["zoom=x"],
        ["zoom="],
    ],
)
def test_what_is_no_augmentation_is_refused(words: list[str]) -> None:
    with pytest.raises(SettingError):
        parse_augmentation(words)


def test_presets_are_augmentations_by_name_that_say_what_they_do() -> None:
    assert parse_augmentation(["medium"]) == Augmentation()
    assert parse_augmentation(["flip"]) == PRESETS["flip"]
    assert PRESETS["flip"].words == "flip"
    assert parse_augmentation(["light"]).words == (
        "flip, shift 0.05, zoom 0.05, rotation 5, brightness 0.05"
    )
    with pytest.raises(SettingError, match="light, medium, strong alone"):
        parse_augmentation(["light", "flip"])
    for name, each in PRESETS.items():
        if name not in ("none", "flip"):
            assert f"{name} ({each.words})" in preset_words()
    assert "text or hands" in preset_words()
