"""A map laid over its image, in colours that mean the same on every image of one limit."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float32
from PIL import Image

from manyheads.core.settings import number

COLOUR = (213, 94, 0)  # vermilion, which colour-blind readers tell from grey as well
ALPHA = 0.8

_LIGHTER = 0.3  # of the way from the picture's greys to white

_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
_CROWD = 75  # per cent of the maps that do not go beyond the colours


def overlay(
    picture: Image.Image,
    map_: Float32[np.ndarray, "rows columns"],
    limit: float,
    alpha: float = ALPHA,
) -> Image.Image:
    """`picture` (RGB) in light grey, tinted where the map is above 0.

    The tint is nothing at 0 and below, and as opaque as `alpha` in [0, 1] says at `limit` and
    above, so that the picture stays visible everywhere; the picture has no colour of its own, so
    that all colour is the map's. Between the middles of cells values are interpolated: a cell has
    no sharp border, because it sees more than its patch. Raises `SettingError` for another alpha.
    """
    alpha = number("alpha", alpha, 0, 1)
    shares = np.clip(map_ / limit, 0, 1).astype(np.float32)
    smooth = Image.fromarray(shares).resize(picture.size, Image.Resampling.BILINEAR)
    grey = picture.convert("L").convert("RGB")
    light = Image.blend(grey, Image.new("RGB", picture.size, "white"), _LIGHTER)
    return _tinted(light, np.asarray(smooth), alpha)


def coloured(shares: Float32[np.ndarray, "rows columns"], alpha: float = ALPHA) -> Image.Image:
    """Shares of the limit, in [0, 1], as they tint white."""
    height, width = shares.shape
    return _tinted(Image.new("RGB", (width, height), "white"), shares, alpha)


def _tinted(
    picture: Image.Image, shares: Float32[np.ndarray, "rows columns"], alpha: float
) -> Image.Image:
    mask = Image.fromarray(np.rint(255 * alpha * shares).astype(np.uint8))
    return Image.composite(Image.new("RGB", picture.size, COLOUR), picture, mask)


def shared_limit(maps: Iterable[Float32[np.ndarray, "rows columns"]]) -> float:
    """A number of two digits at most for the last colour of all `maps`.

    It is at least the greatest value of three maps in four, so that a few extremes do not leave
    all others dark; 1 if no map has a value above 0.
    """
    greatest = [float(map_.max()) for map_ in maps]
    usual = float(np.percentile(greatest, _CROWD, method="inverted_cdf")) if greatest else 0.0
    usual = usual if usual > 0 else max(greatest, default=0.0)
    if usual <= 0:
        return 1.0
    # In digits, because neither 0.3 of a float32 nor 6 times 0.1 is the number that it is called.
    digits, power = f"{usual:.5e}".split("e")
    step = next(step for step in _STEPS if step >= float(digits))
    return float(f"{step}e{power}")
