"""By how much augmented copies differ from their images: amounts, and presets by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

from manyheads.core.settings import number, store
from manyheads.errors import SettingError

_MOST = {"shift": 0.5, "zoom": 0.5, "rotation": 180.0, "brightness": 1.0, "colour": 1.0}
_FLIP_HURTS = "flip mirrors left and right: leave it out where that matters, as for text or hands"


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """By how much a copy may differ from its image; each amount is drawn uniformly within ±.

    `flip` mirrors every other copy; `shift` and `zoom` are shares of the side, up to 0.5,
    `rotation` is in degrees, up to 180, `brightness` and `colour` (saturation) are shares, up to
    1. What comes into sight at the edges is the image's own mirror image. Raises `SettingError`.
    """

    flip: bool = True
    shift: float = 0.1
    zoom: float = 0.1
    rotation: float = 10.0
    brightness: float = 0.1
    colour: float = 0.1

    def __post_init__(self) -> None:
        store(self, **{name: number(name, getattr(self, name), 0, _MOST[name]) for name in _MOST})

    @classmethod
    def none(cls) -> Augmentation:
        """The augmentation that changes nothing."""
        return cls(flip=False, **dict.fromkeys(_MOST, 0.0))

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self != Augmentation.none()

    @property
    def arguments(self) -> list[str]:
        """The augmentation as `parse_augmentation` reads it: `["flip", "shift=0.1"]`."""
        amounts = [f"{name}={getattr(self, name):g}" for name in _MOST if getattr(self, name)]
        return [*(["flip"] if self.flip else []), *amounts] or ["none"]

    @property
    def words(self) -> str:
        """The augmentation for people: `flip, shift 0.1`."""
        return ", ".join(self.arguments).replace("=", " ")


_STILL = Augmentation.none()
PRESETS = {
    "none": _STILL,
    "flip": replace(_STILL, flip=True),
    "light": replace(_STILL, flip=True, shift=0.05, zoom=0.05, rotation=5, brightness=0.05),
    "medium": Augmentation(),
    "strong": Augmentation(shift=0.2, zoom=0.2, rotation=20, brightness=0.3, colour=0.3),
}
"""Augmentations by name; "medium" is the usual one."""


def preset_words() -> str:
    """What each preset does, in numbers, and when not to mirror."""
    plain = ("none", "flip")
    told = [f"{name} ({each.words})" for name, each in PRESETS.items() if name not in plain]
    return (
        f"{', '.join([*plain, *told])}, all drawn within ±, rotation in degrees and the others as "
        f"shares; {_FLIP_HURTS}"
    )


def parse_augmentation(words: Sequence[str]) -> Augmentation:
    """The augmentation that `words` name: one of `PRESETS` alone, or such as `flip`, `shift=0.1`.

    What is not named is off, and what has no amount has its usual one. Raises `SettingError`.
    """
    if len(words) == 1 and words[0] in PRESETS:
        return PRESETS[words[0]]
    usual, given = asdict(Augmentation()), {}
    for word in words:
        name, equals, amount = word.partition("=")
        if name not in usual or name in given or (name == "flip" and equals):
            raise SettingError(
                f"each of {', '.join(field.name for field in fields(Augmentation))} once at most, "
                f"with an amount for all but flip, or one of {', '.join(PRESETS)} alone",
                repr(word), "write such as flip shift=0.1",
            )  # fmt: skip
        given[name] = amount if equals else usual[name]
    return replace(Augmentation.none(), **given)
