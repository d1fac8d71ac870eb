"""Frozen, validated settings with a digest that is the same on every machine."""

from __future__ import annotations

import codecs
import dataclasses
import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from manyheads.errors import SettingError

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box")
SPLIT_RULES = ("stratified", "place")
FORMER_SPLIT_RULE = "place"


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """How a file becomes `[size, size, 3]` pixels.

    `size` is in pixels, 32 to 2048; the image is squashed to a square, as the lesson's loader
    does. `nearest` reproduces that loader; every other interpolation is antialiased. `exif`
    honours the orientation that the camera recorded, which the lesson's loader ignores.
    `depth` is of images with more than 8 bits a channel: white is 2^depth - 1, 1 to 32 bits; None:
    white is 65535, and 1.0 of floating-point numbers.
    """

    size: int = 150
    interpolation: str = "bicubic"
    exif: bool = True
    # Not told where it is not set, so that digests and files of earlier versions stay valid.
    depth: int | None = field(default=None, metadata={"told": "if set"})

    def __post_init__(self) -> None:
        store(self, size=whole("image_size", self.size, 32, 2048))
        choice("interpolation", self.interpolation, INTERPOLATIONS)
        if self.depth is not None:
            store(self, depth=whole("depth", self.depth, 1, 32))


@dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """How images without given splits are divided: the shares of validation and test, and a seed.

    `seed` picks another division of the same images; each share is in [0, 0.5]. `rule` is one of
    `SPLIT_RULES`: "stratified" divides by class and group, "place" is how studies were divided
    before there was a choice.
    """

    validation: float = 0.2
    test: float = 0.2
    seed: int = 0
    rule: str = "stratified"

    def __post_init__(self) -> None:
        store(
            self,
            validation=number("validation share", self.validation, 0.0, 0.5),
            test=number("test share", self.test, 0.0, 0.5),
            seed=whole("split seed", self.seed, 0, 2**31 - 1),
            rule=choice("split rule", self.rule, SPLIT_RULES),
        )

    @classmethod
    def read(cls, document: dict[str, Any]) -> SplitSettings:
        """What `plain` made `document` of; of one without a rule, the rule is the former one."""
        return cls(**{"rule": FORMER_SPLIT_RULE, **document})


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """How a table of images is read, where it does not have the usual columns.

    `path_column`, `label_column`, `split_column` and `group_column` name its columns (None: path,
    label, split, group). Paths are relative to the folder `images_in`, itself relative to the
    table's folder (None: that folder), and get the `suffix`, such as ".jpg", if they lack it.
    `missing_labels` are the texts that mean no label, beside an empty cell (None: those of
    `tables.MISSING`). `encoding` is that of a CSV (None: UTF-8, or what its first bytes say).
    Raises `SettingError` for an encoding that Python does not know, or an empty name.
    """

    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    images_in: str | None = None
    suffix: str | None = None
    missing_labels: tuple[str, ...] | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        for name in ("path_column", "label_column", "split_column", "group_column", "images_in"):
            value = getattr(self, name)
            if value is not None and not str(value).strip():
                raise SettingError(f"a name as {name}", repr(value), "give one, or leave it out")
        if self.images_in is not None:
            store(self, images_in=str(self.images_in))
        if self.missing_labels is not None:
            given = self.missing_labels
            texts = (given,) if isinstance(given, str) else given
            store(self, missing_labels=tuple(str(text).strip() for text in texts))
        if self.encoding is not None:
            store(self, encoding=_encoding(self.encoding))

    @property
    def given(self) -> dict[str, Any]:
        """What is not left to its default, by name."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def arguments(self) -> list[str]:
        """The words that give these settings to a command."""
        words: list[str] = []
        for name, value in self.given.items():
            words += [f"--{name.replace('_', '-')}"]
            words += value if isinstance(value, tuple) else (value,)
        return words


def _encoding(name: object) -> str:
    try:
        "".encode(str(name))  # refuses what encodes no text, such as hex
        return codecs.lookup(str(name)).name
    except (LookupError, ValueError, TypeError):
        raise SettingError(
            "the name of a text encoding", repr(name), "give for example utf-8, cp1252 or utf-16"
        ) from None


def store(settings: object, **values: object) -> None:
    """Store checked and converted `values` in a frozen dataclass, from its `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(settings, name, value)


def digest(settings: object) -> str:
    """SHA-256, in hexadecimal, of a dataclass or a plain structure in canonical JSON."""
    text = json.dumps(plain(settings), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(settings: object) -> Any:
    """Dataclasses and tuples as the dictionaries and lists that JSON and TOML know.

    A field that is told "if set", by its metadata, is left out where it is None.
    """
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        values = {each.name: getattr(settings, each.name) for each in dataclasses.fields(settings)}
        return {
            each.name: plain(values[each.name])
            for each in dataclasses.fields(settings)
            if values[each.name] is not None or each.metadata.get("told") != "if set"
        }
    if isinstance(settings, dict):
        return {key: plain(value) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [plain(value) for value in settings]
    return settings


def number(
    name: str,
    value: Any,
    low: float,
    high: float,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """`value` as a finite float between `low` and `high`; raises `SettingError` otherwise."""
    expected = (
        f"{name} to be a number {'above' if open_low else 'from'} {low:g} "
        f"{'and below' if open_high else 'to'} {high:g}"
    )
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise SettingError(expected, repr(value), _as_number(name, value)) from None
    too_low = result <= low if open_low else result < low
    too_high = result >= high if open_high else result > high
    if isinstance(value, bool) or math.isnan(result) or too_low or too_high:
        raise SettingError(expected, str(value), f"give a {name} inside that range")
    return result


def whole(name: str, value: object, low: int, high: int) -> int:
    """`value` as an integer from `low` to `high`; raises `SettingError` otherwise."""
    expected = f"{name} to be a whole number from {low} to {high}"
    try:
        result = int(str(value))
    except ValueError:
        raise SettingError(expected, repr(value), _as_number(name, value)) from None
    if isinstance(value, bool) or not low <= result <= high:
        raise SettingError(expected, str(value), f"give a {name} inside that range")
    return result


def _as_number(name: str, value: object) -> str:
    """How to write what was meant by a text that is no number, such as `0,2` or `1,000`."""
    text = str(value).strip()
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+(\.\d*)?", text):
        return f"write {text.replace(',', '')}"
    if re.fullmatch(r"[+-]?\d*,\d+", text):
        return f"write {text.replace(',', '.')}, with a decimal point"
    return f"give {name} as a plain number"


def choice(name: str, value: object, options: tuple[str, ...]) -> str:
    """`value` if it is one of `options`; raises `SettingError` with the options otherwise."""
    if value not in options:
        raise SettingError(
            f"{name} to be one of {', '.join(options)}", repr(value), f"choose one {name} of these"
        )
    return str(value)
