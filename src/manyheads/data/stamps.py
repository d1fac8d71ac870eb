"""Drawing the marks that are drawn: a logo, and letters."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

_FINE = 4  # times as large, then made small: smooth edges
_LETTERS = 64  # pixels high, before they are made to fit

Colour = tuple[int, int, int]
Stamp = UInt8[np.ndarray, "h w 4"]


def drawn(form: str, side: int, colour: Colour, text: str) -> Stamp:
    """A `logo` of `side` by `side` pixels, or a `text` so wide; RGB, and how much each hides."""
    image = _logo(side, colour) if form == "logo" else _letters(text, side, colour)
    return np.asarray(image)


def _logo(side: int, colour: Colour) -> Image.Image:
    """A round badge: two white rings, and a white crown of three points."""
    whole = side * _FINE
    image = Image.new("RGBA", (whole, whole), (*colour, 0))
    draw = ImageDraw.Draw(image)

    def disc(radius: float, fill: tuple[int, int, int, int]) -> None:
        low, high = whole * (0.5 - radius), whole * (0.5 + radius) - 1
        draw.ellipse((low, low, high, high), fill)

    full, white = (*colour, 255), (255, 255, 255, 255)
    for radius, fill in ((0.5, full), (0.46, white), (0.41, full)):
        disc(radius, fill)
    crown = [(0.24, 0.36), (0.37, 0.50), (0.50, 0.27), (0.63, 0.50), (0.76, 0.36)]
    points = [(x * whole, y * whole) for x, y in [*crown, (0.70, 0.68), (0.30, 0.68)]]
    draw.polygon(points, white)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _letters(text: str, width: int, colour: Colour) -> Image.Image:
    """Letters with a white edge, so that they are seen on any ground."""
    font, edge = ImageFont.load_default(_LETTERS), _LETTERS // 12
    left, top, right, bottom = font.getbbox(text, stroke_width=edge)
    size = max(1, int(right - left)), max(1, int(bottom - top))
    image = Image.new("RGBA", size, (255, 255, 255, 0))
    ImageDraw.Draw(image).text(
        (-left, -top), text, (*colour, 255), font,
        stroke_width=edge, stroke_fill=(255, 255, 255, 255),
    )  # fmt: skip
    # No higher than wide: a single letter must fit into the image too.
    scale = width / max(size)
    return image.resize(
        (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), Image.Resampling.LANCZOS
    )
