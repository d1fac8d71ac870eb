"""Marks to plant on images: what a network may learn instead of what it is meant to."""

from __future__ import annotations

import hashlib
from dataclasses import InitVar, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageColor, ImageDraw, ImageFont

from manyheads.core.settings import choice, number, store
from manyheads.data.images import load_layer, read_image_file
from manyheads.data.splits import place
from manyheads.errors import SettingError

PLAIN_FORMS = ("logo", "patch", "text", "border", "tint")
FORMS = (*PLAIN_FORMS, "file")
POSITIONS = ("top-left", "top-right", "bottom-left", "bottom-right", "centre", "random")

_USUAL: dict[str, dict[str, Any]] = {
    "logo": {},
    "file": {},
    "patch": {"position": "bottom-right", "size": 0.15},
    "text": {"size": 0.4},
    "border": {"size": 0.05},
    "tint": {"opacity": 0.3},
}
_MARGIN = 0.04  # of the image's side, between its edge and a mark in a corner
_LONGEST = 40  # letters
_LARGEST = 512  # pixels of a picture from a file
_FINE = 4  # a logo is drawn so many times as large, then reduced: smooth edges
_LETTERS = 64  # pixels high, before they are made to fit

Pixels = UInt8[np.ndarray, "size size 3"]
Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark on an image's square of pixels; an `Alteration`.

    `form` is `logo` (drawn here), `patch` (a plain square), `text`, `file` (a `picture` of the
    user's: the bytes of an image file, transparency kept), `border` or `tint`. `size` is its width
    (of a border, its breadth; of a tint, nothing) as a share in (0, 1] of the image's side;
    `opacity` in (0, 1] is how much it hides; `position` is one of `POSITIONS`, and `random` depends
    on the image's content alone. `digest` is the SHA-256 of `picture`. Raises `SettingError`, and
    `ImageError` for a picture that is none.
    """

    form: str = "logo"
    position: str = "centre"
    size: float = 0.25
    opacity: float = 1.0
    colour: str = "#d81b60"
    text: str = "SALE"
    digest: str = ""
    picture: InitVar[bytes | None] = None

    def __post_init__(self, picture: bytes | None) -> None:
        choice("the mark", self.form, FORMS)
        choice("the position of the mark", self.position, POSITIONS)
        size = number("the size of the mark", self.size, 0, 1, open_low=True)
        opacity = number("the opacity of the mark", self.opacity, 0, 1, open_low=True)
        store(self, size=size, opacity=opacity)
        _colour(self.colour)
        if not 0 < len(self.text.strip()) <= _LONGEST or not self.text.isprintable():
            raise SettingError(
                f"1 to {_LONGEST} letters of text for the mark", repr(self.text), "give it such"
            )
        if (picture is not None) != (self.form == "file"):
            found = f"a mark {self.form} {'without' if picture is None else 'with'} one"
            raise SettingError(
                "a picture for a mark of the form file, and for no other", found,
                "name the file of a picture, or another mark",
            )  # fmt: skip
        if picture is not None:
            store(self, digest=hashlib.sha256(picture).hexdigest())
            store(self, _layer=np.asarray(load_layer(picture, _LARGEST)))

    @classmethod
    def usual(cls, form: str, **given: Any) -> Mark:
        """A mark with the size, opacity and position that suit its form, but for what is given."""
        return cls(form=form, **(_USUAL.get(form, {}) | given))

    @classmethod
    def of_file(cls, path: Path, **given: Any) -> Mark:
        """The picture in a file as a mark; raises `ImageError` if it is none."""
        data = read_image_file(path)
        load_layer(data, 1, str(path))  # so that an error names the file
        return cls.usual("file", picture=data, **given)

    def __call__(self, pixels: Pixels, content: str) -> Pixels:
        """The image with the mark; `content` is the SHA-256 of its file, in hexadecimal."""
        stamp, top, left = self._placed(len(pixels), content)
        marked = pixels.copy()
        part = marked[top : top + stamp.shape[0], left : left + stamp.shape[1]]
        # In whole numbers, so that every machine rounds alike.
        cover, hide = stamp[..., :3].astype(np.int64), _alpha(stamp, self.opacity)[..., None]
        part[:] = (part * (255 - hide) + cover * hide + 127) // 255
        return marked

    def covered(self, size: int, content: str) -> Bool[np.ndarray, "size size"]:
        """Which pixels of an image of that `size` the mark changes, if they differ from it."""
        stamp, top, left = self._placed(size, content)
        whole = np.zeros((size, size), bool)
        whole[top : top + stamp.shape[0], left : left + stamp.shape[1]] = (
            _alpha(stamp, self.opacity) > 0
        )
        return whole

    def words(self) -> str:
        """Such as `logo, centre, 25 % of the side`."""
        name = f'text "{self.text}"' if self.form == "text" else self.form
        name = f"picture {self.digest[:12]}" if self.form == "file" else name
        if self.form == "tint":
            return f"tint {self.colour}, {100 * self.opacity:g} % opaque"
        opaque = "" if self.opacity == 1 else f", {100 * self.opacity:g} % opaque"
        where = "" if self.form == "border" else f", {self.position}"
        return f"{name}{where}, {100 * self.size:g} % of the side{opaque}"

    def _placed(self, size: int, content: str) -> tuple[UInt8[np.ndarray, "h w 4"], int, int]:
        """The mark's own pixels, and where their first row and column lie in the image."""
        stamp = _stamp(self, size)
        free = size - stamp.shape[0], size - stamp.shape[1]
        if self.position == "random":
            row, column = (place(0, f"mark {axis}\0{content}") for axis in ("row", "column"))
            return stamp, int(row * (free[0] + 1)), int(column * (free[1] + 1))
        gap = round(_MARGIN * size)
        vertical, _, horizontal = self.position.partition("-")
        return stamp, _start(vertical, free[0], gap), _start(horizontal or vertical, free[1], gap)


def _start(where: str, free: int, gap: int) -> int:
    if where == "centre":
        return free // 2
    near = min(gap, free)
    return near if where in ("top", "left") else free - near


def _alpha(stamp: UInt8[np.ndarray, "h w 4"], opacity: float) -> Any:
    return np.rint(stamp[..., 3] * opacity).astype(np.int64)


@lru_cache(maxsize=16)
def _stamp(mark: Mark, size: int) -> UInt8[np.ndarray, "h w 4"]:
    """The pixels of a mark for images of a size, at most as large: RGB, and how much each hides."""
    side = max(1, round(mark.size * size))
    red, green, blue = _colour(mark.colour)
    if mark.form == "file":
        return _fitted(vars(mark)["_layer"], side)
    if mark.form in ("logo", "text"):
        return _drawn(mark.form, side, (red, green, blue), mark.text)
    whole = np.full((size, size, 4), (red, green, blue, 255), np.uint8)
    if mark.form == "patch":
        return whole[:side, :side]
    if mark.form == "border":
        whole[side : size - side, side : size - side, 3] = 0
    return whole


def _fitted(layer: UInt8[np.ndarray, "h w 4"], side: int) -> UInt8[np.ndarray, "h w 4"]:
    rows, columns = layer.shape[:2]
    scale = side / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    return np.asarray(Image.fromarray(layer).resize(size, Image.Resampling.LANCZOS))


def _colour(text: str) -> tuple[int, int, int]:
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except (ValueError, AttributeError):
        raise SettingError(
            "a colour for the mark such as #d81b60 or red", repr(text), "give it as one of these"
        ) from None
    return red, green, blue


def _drawn(form: str, side: int, colour: Colour, text: str) -> UInt8[np.ndarray, "h w 4"]:
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
    """Letters with a white edge, so that they show on any background."""
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
