"""What a network of the user's expects of pixels: the named preprocessings, and means of one's own.

Every one is `(x − mean) / std` for each channel of an image x of 0 to 255, in the order RGB or BGR.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from manyheads.errors import SettingError

Channels = tuple[float, float, float]

_NUMBERS = r"([^,=]+),([^,=]+),([^,=]+)"
_GIVEN = re.compile(rf"mean={_NUMBERS},std={_NUMBERS}")
MODES = "tf, torch, caffe, unit, none or mean=R,G,B,std=R,G,B"
"""All preprocessings, in words."""

MODES_HELP = (
    "tf (x/127.5 - 1), torch (x/255, then ImageNet's mean and standard deviation), caffe (BGR less "
    "ImageNet's mean), unit (x/255), none (0 to 255 as they are), or mean=R,G,B,std=R,G,B of x/255"
)


@dataclass(frozen=True)
class Normalisation:
    """A preprocessing: `mean` and `std` on the scale of 0 to 255, in the network's own order.

    `words` say it as a user would.
    """

    words: str
    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)
    bgr: bool = False


NAMED = {
    mode.words: mode
    for mode in (
        Normalisation("tf", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
        Normalisation("torch", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        Normalisation("caffe", (103.939, 116.779, 123.68), bgr=True),
        Normalisation("unit", std=(255.0, 255.0, 255.0)),
        Normalisation("none"),
    )
}


def parse(words: str) -> Normalisation:
    """The preprocessing that `words` name; raises `SettingError`, with all of them, for others."""
    words = str(words).strip()
    if words in NAMED:
        return NAMED[words]
    given = _GIVEN.fullmatch(re.sub(r"\s", "", words))
    try:
        numbers = [float(text) for text in given.groups()] if given else []
    except ValueError:
        numbers = []
    mean, std = numbers[:3], numbers[3:]
    if not numbers or not all(map(math.isfinite, numbers)) or min(std) <= 0:
        raise SettingError(
            f"the preprocessing to be {MODES}", repr(words),
            "take the one that the network was trained with; means and deviations are those of "
            "x/255, deviations above 0",
        )  # fmt: skip
    told = f"mean={_listed(mean)},std={_listed(std)}"
    return Normalisation(told, _scaled(mean), _scaled(std))


def stated(words: str | None, file: str) -> str:
    """The `words` of a preprocessing for the network in `file`; raises `SettingError` for none."""
    if words is None:
        raise SettingError(
            f"a stated preprocessing for the backbone in {file}", "none",
            f"give `preprocessing` {MODES}: the one that the network was trained with",
        )  # fmt: skip
    return parse(words).words


def is_named(words: str) -> bool:
    """Whether `words` are a preprocessing of this module, and no function's name."""
    return words in NAMED or words.startswith("mean=")


def _listed(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:.9g}" for number in numbers)


def _scaled(numbers: Sequence[float]) -> Channels:
    first, second, third = (255.0 * number for number in numbers)
    return first, second, third
