"""Images with more than 8 bits a channel, scaled to 8: what white is decides what is seen.

16-bit integers are scaled from 0 … 65535, floating-point numbers from 0 … 1, unless a `depth` says
that white is 2^depth - 1. Sensors of 10, 12 or 14 bits are often stored in 16, and are nearly black
without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image

from manyheads.data.decoding import DecodedImage
from manyheads.errors import ImageError

FULL = 16  # bits
_AT_ONCE = 1 << 22  # pixels
_BEYOND = 0.01  # of floating-point numbers beside 0 … 1, as resampling leaves them


def is_deep(image: Image.Image) -> bool:
    """Whether it is one channel of more than 8 bits."""
    return image.mode[0] in "IF"


def bits_used(found: DecodedImage, depth: int | None = None) -> int:
    """The bits that the greatest value takes; 0 for 8 bits a channel.

    Of floating-point numbers too where a `depth` says what white is; otherwise they are 0 to 1.
    """
    if found.image.mode.startswith("I") or (found.image.mode == "F" and depth is not None):
        return max(1, math.ceil(_greatest(found)).bit_length())
    if not found.packed:
        return 0
    colours = [band for band in found.image.getbands() if band != "A"]
    most = max(len(np.trim_zeros(found.image.getchannel(b).histogram(), "b")) for b in colours) - 1
    return max(most, 0).bit_length() + 8  # at most: the lower half of the 16 is not looked at


def to_eight_bits(found: DecodedImage, depth: int | None, name: str) -> Image.Image:
    """The image with 8 bits a channel; raises `ImageError` if its white cannot be told."""
    if found.packed and found.lower is not None and depth is not None:
        return _joined(found.image, found.lower, depth)
    if not is_deep(found.image):
        return found.image
    floats = found.image.mode == "F"
    if found.image.mode == "I" and depth is None:
        raise _untold(name, f"32-bit integers up to {_greatest(found):,}")
    _check(found, 1.0 if floats and depth is None else None, name)
    white = 1 if floats and depth is None else 2 ** (depth or FULL) - 1
    grey = np.empty((found.image.height, found.image.width), np.uint8)
    transparent = found.image.info.get("transparency")
    for rows, values in _parts(found):
        part = _of_floats(values, white) if floats else _of_integers(values, white)
        if found.white_is_zero:
            part = 255 - part
        if isinstance(transparent, int):
            part[values == transparent] = 255
        grey[rows] = part
    return Image.fromarray(grey)


def _of_integers(values: np.ndarray, white: int) -> np.ndarray:
    return ((np.minimum(values, white) * 255 + white // 2) // white).astype(np.uint8)


def _of_floats(values: np.ndarray, white: int) -> np.ndarray:
    return np.floor(np.clip(values / white, 0, 1) * 255 + 0.5).astype(np.uint8)


def _joined(upper: Image.Image, lower: Image.Image, depth: int) -> Image.Image:
    whole = np.empty((upper.height, upper.width, len(upper.getbands())), np.uint8)
    for rows in _rows(upper):
        box = (0, rows.start, upper.width, rows.stop)
        high, low = (np.asarray(half.crop(box)).astype(np.int64) for half in (upper, lower))
        whole[rows] = _of_integers(high << 8 | low, 2**depth - 1)
    return Image.frombytes(upper.mode, upper.size, whole.tobytes())


def _check(found: DecodedImage, white: float | None, name: str) -> None:
    """Raise `ImageError` for values that are none of brightness."""
    for _, values in _parts(found):
        if not np.isfinite(values).all():
            raise ImageError(
                f"numbers in {name}",
                "infinite numbers, or pixels without one (NaN)",
                "mend the file",
            )
        least, most = values.min(), values.max()
        if white is not None and most > white + _BEYOND:
            raise _untold(name, f"floating-point numbers up to {_greatest(found):g}")
        if least < -_BEYOND:
            raise ImageError(f"brightness from 0 up in {name}", f"{least:g}", "convert the file")


def _untold(name: str, found: str) -> ImageError:
    return ImageError(
        f"to know which value in {name} is white", f"{found}, and no depth",
        "give a `depth` N where heads are trained: white is 2^N - 1",
    )  # fmt: skip


def _greatest(found: DecodedImage) -> float:
    return max(values.max().item() for _, values in _parts(found))


def _parts(found: DecodedImage) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows at a time with their values, so that these take little memory."""
    image = found.image
    for rows in _rows(image):
        values = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
        if found.unsigned:
            values = values.view(np.uint32)
        yield rows, values.astype(np.float64 if image.mode == "F" else np.int64)


def _rows(image: Image.Image) -> Iterator[slice]:
    step = max(1, _AT_ONCE // image.width)
    for start in range(0, image.height, step):
        yield slice(start, min(start + step, image.height))
