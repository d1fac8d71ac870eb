"""Augmented copies of an image, drawn by its content, each computed once and kept.

A copy is augmented (mirrored, moved, turned, coloured), and then a part of it is erased. The two
draw from streams of their own: a copy with an erased part is the copy without it, but for that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from manyheads.core.settings import number, store, whole
from manyheads.data.alterations import Pixels, random_of
from manyheads.data.augmentation_presets import Augmentation

_LEAST_ASPECT = 0.3


@dataclass(frozen=True, kw_only=True)
class View:
    """Copy `number`, from 1, of an image: augmented, then a share `hide_pixels` of it erased.

    The names of the class and its fields are part of the recipes under which features are kept.

    What is hidden is a rectangle of noise whose aspect ratio is drawn log-uniformly between 0.3
    and its inverse, and which lies wholly inside (random erasing: Zhong et al. 2020, algorithm 1,
    with one share instead of a range, and always applied). Raises `SettingError` for a number
    below 1 and a share outside [0, 1).
    """

    number: int
    augmentation: Augmentation
    hide_pixels: float = 0.0

    def __post_init__(self) -> None:
        store(
            self,
            number=whole("view", self.number, 1, 2**31 - 1),
            hide_pixels=number("hide_pixels", self.hide_pixels, 0, 1, open_high=True),
        )

    def __call__(self, pixels: Pixels, content: str, /) -> Pixels:
        if self.augmentation.changes:
            draws = random_of(content, "view", self.number)
            pixels = _augmented(pixels, self.augmentation, draws)
        if self.hide_pixels:
            draws = random_of(content, "hidden", self.number)
            pixels = _hidden(pixels, self.hide_pixels, draws)
        return pixels


def _augmented(pixels: Pixels, most: Augmentation, random: np.random.Generator) -> Pixels:
    # All are drawn, whatever is used: so what one amount gives does not depend on the others.
    mirrored = random.random() < 0.5
    right, down, larger, turn, light, colour = random.uniform(-1, 1, 6)
    if most.flip and mirrored:
        pixels = pixels[:, ::-1]
    if most.shift or most.zoom or most.rotation:
        pixels = _moved(
            pixels,
            shift=(most.shift * right, most.shift * down),
            zoom=1 + most.zoom * larger,
            turn=math.radians(most.rotation * turn),
        )
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if most.brightness:
        image = ImageEnhance.Brightness(image).enhance(1 + most.brightness * light)
    if most.colour:
        image = ImageEnhance.Color(image).enhance(1 + most.colour * colour)
    return np.array(image, np.uint8)


def _moved(pixels: Pixels, *, shift: tuple[float, float], zoom: float, turn: float) -> Pixels:
    """Zoomed and turned about the middle, then shifted by shares of the side, in one resampling."""
    size, middle = len(pixels), len(pixels) / 2
    cosine, sine = math.cos(turn) / zoom, math.sin(turn) / zoom
    x, y = (middle + each * size for each in shift)  # where the middle comes to lie
    # No corner of the result looks farther from the middle than this; beyond is nothing to see.
    reach = (math.sqrt(0.5) + math.hypot(*shift)) * size / zoom
    edge = max(size, math.ceil(reach - middle) + 1)
    wide = np.pad(pixels, ((edge, edge), (edge, edge), (0, 0)), "symmetric")
    # Pillow asks where in the source each pixel of the result comes from.
    matrix = (
        cosine, sine, middle + edge - cosine * x - sine * y,
        -sine, cosine, middle + edge + sine * x - cosine * y,
    )  # fmt: skip
    moved = Image.fromarray(wide).transform(
        (size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    return np.array(moved, np.uint8)


def _hidden(pixels: Pixels, share: float, random: np.random.Generator) -> Pixels:
    size = len(pixels)
    area = share * size**2
    # As wide or as high as fits: a large share leaves little choice of aspect ratio.
    least = max(_LEAST_ASPECT, share)
    ratio = math.exp(random.uniform(math.log(least), -math.log(least)))
    rows = min(size, max(1, round(math.sqrt(area * ratio))))
    columns = min(size, max(1, round(area / rows)))
    top, left = (int(random.integers(0, size - side + 1)) for side in (rows, columns))
    noise = random.integers(0, 256, (rows, columns, 3), np.uint8)
    hidden = pixels.copy()
    hidden[top : top + rows, left : left + columns] = noise
    return hidden
