"""How images, divisions and tables are read: the settings of a data set."""

from __future__ import annotations

import codecs
import dataclasses
from dataclasses import dataclass, field
from typing import Any

from manyheads.core.settings import choice, number, store, whole
from manyheads.core.text import option
from manyheads.data.group_rules import group_rule
from manyheads.errors import SettingError

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box")
DECODES = ("full", "scaled")
FINER = 2  # how much finer than wanted a reduced image stays, at least, until it is resized
RESIZES = ("squash", "crop", "crop:SHARE", "pad")
SPLIT_RULES = ("balanced", "stratified", "place")
FORMER_SPLIT_RULE = "place"
_CROP = "crop"


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """How a file becomes `[size, size, 3]` pixels.

    `size` is in pixels, 32 to 2048. `resize` says how the image becomes a square: None squashes it,
    as the lesson's loader does; `crop` keeps the middle of it, in its own proportions, and
    `crop:SHARE` of that the share of its side, in (0, 1]: the shorter side is resized to
    `size / SHARE` pixels first; `pad` keeps all of it, in its own proportions, between black bars.
    The interpolation `nearest` reproduces the lesson's loader; every other one is antialiased.
    `exif` honours the orientation that the camera recorded, which the lesson's loader ignores.
    `depth` is of images with more than 8 bits a channel: white is 2^depth - 1, 1 to 32 bits; None:
    white is 65535, and 1.0 of floating-point numbers. `decode` is one of `DECODES`: "scaled" lets
    the JPEG decoder make an image smaller, as `least_side` says, which saves most of the time for
    large photographs and changes pixels a little; other formats are decoded in full.
    """

    size: int = 150
    interpolation: str = "bicubic"
    exif: bool = True
    # Not told where it is not set, so that digests and files of earlier versions stay valid.
    depth: int | None = field(default=None, metadata={"told": "if set"})
    resize: str | None = field(default=None, metadata={"told": "if set"})
    decode: str = field(default=DECODES[0], metadata={"told": "if changed"})

    def __post_init__(self) -> None:
        store(self, size=whole("image_size", self.size, 32, 2048), resize=_resize(self.resize))
        choice("interpolation", self.interpolation, INTERPOLATIONS)
        choice("decode", self.decode, DECODES)
        if self.depth is not None:
            store(self, depth=whole("depth", self.depth, 1, 32))

    @property
    def words(self) -> str:
        """The preparation as one reads it, such as `150×150, bicubic`."""
        how = [f"{self.size}×{self.size}", self.interpolation]
        how += [self.resize] if self.resize else []
        return ", ".join([*how, *self.unusual])

    @property
    def unusual(self) -> list[str]:
        """What is unusual about how images are read, such as `scaled decoding`."""
        how = [] if self.exif else ["camera orientation ignored"]
        how += [] if self.depth is None else [f"depth {self.depth}"]
        how += [] if self.decode == DECODES[0] else [f"{self.decode} decoding"]
        return how

    @property
    def keeps_proportions(self) -> bool:
        """Whether what is round in the image is round for the model too."""
        return self.resize is not None

    @property
    def shorter_side(self) -> int | None:
        """The pixels of the shorter side before the middle is cropped; None without a crop."""
        if self.resize is None or not self.resize.startswith(_CROP):
            return None
        share = self.resize.removeprefix(_CROP).removeprefix(":") or "1"
        return round(self.size / float(share))

    @property
    def least_side(self) -> int | None:
        """The pixels that the shorter side of a JPEG keeps at least when it is decoded smaller.

        Twice those that it is resized to, so that the resampling decides what is seen; None where
        images are decoded in full.
        """
        return None if self.decode == DECODES[0] else FINER * (self.shorter_side or self.size)


def _resize(given: str | None) -> str | None:
    """`given` as it is kept; raises `SettingError` for none of `RESIZES`."""
    if given is None or given == RESIZES[0]:
        return None
    kind, _, share = str(given).partition(":")
    if kind == _CROP and share:
        kept = number("the share of crop:SHARE", share, 0.05, 1)
        return _CROP if kept == 1 else f"{_CROP}:{kept:.9g}"
    return choice("resize", given, RESIZES)


@dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """How images without given splits are divided: the shares of validation and test, and a seed.

    `seed` picks another division of the same images; each share is in [0, 0.5]. `rule` is one of
    `SPLIT_RULES`: "stratified" divides by class and group, "balanced" the same with large groups
    first, and "place" is how studies were divided before there was a choice. `group_by` derives
    the group of each image by one of `group_rules.GROUP_RULES`: "parent", a regular expression
    with parentheses, "EXIF:TAG" or a column (None: by the groups that a table gives); with it,
    "stratified" becomes "balanced". Raises `SettingError` for a value out of range.
    """

    validation: float = 0.2
    test: float = 0.2
    seed: int = 0
    rule: str = "stratified"
    # Not told where it is not set: a study without it is what it was before there was one.
    group_by: str | None = field(default=None, metadata={"told": "if set"})

    def __post_init__(self) -> None:
        if self.group_by is not None:
            # Studies by the table's own groups stay what they were; those by others are new.
            rule = "balanced" if self.rule == "stratified" else self.rule
            store(self, group_by=group_rule(self.group_by).setting, rule=rule)
        store(
            self,
            validation=number("validation share", self.validation, 0.0, 0.5),
            test=number("test share", self.test, 0.0, 0.5),
            seed=whole("split seed", self.seed, 0, 2**31 - 1),
            rule=choice("split rule", self.rule, SPLIT_RULES),
        )

    @property
    def group_arguments(self) -> list[str]:
        """The words that give `group_by` to a command."""
        return [] if self.group_by is None else option("group_by", self.group_by)

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
    With `label_separator`, such as ";", a cell holds all labels of an image; with `label_columns`
    each label has a column of 0 and 1. Raises `SettingError` for an encoding that Python does not
    know, an empty name, both ways to give several labels, or a column named twice.
    """

    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    images_in: str | None = None
    suffix: str | None = None
    missing_labels: tuple[str, ...] | None = None
    encoding: str | None = None
    # Not told where they are not set: a study without them is what it was before there were any.
    label_separator: str | None = field(default=None, metadata={"told": "if set"})
    label_columns: tuple[str, ...] | None = field(default=None, metadata={"told": "if set"})

    def __post_init__(self) -> None:
        self._check_several_labels()
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

    def _check_several_labels(self) -> None:
        if self.label_separator is not None and not str(self.label_separator).strip():
            raise SettingError(
                "a separator that is no space", repr(self.label_separator),
                "give a sign that no label holds, such as ;",
            )  # fmt: skip
        if self.label_columns is None:
            return
        given = self.label_columns
        # A command line may give them with commas between, as in `a,b,c`.
        parts = (given,) if isinstance(given, str) else tuple(map(str, given))
        parts = parts[0].split(",") if len(parts) == 1 else parts
        columns = tuple(name.strip() for name in parts)
        store(self, label_columns=columns)
        if len(set(columns)) < max(2, len(columns)) or not all(columns):
            raise SettingError(
                "two or more columns, each once, as label_columns", ", ".join(columns) or "none",
                "name the columns of 0 and 1",
            )  # fmt: skip
        if self.label_column is not None or self.label_separator is not None:
            raise SettingError(
                "one way to give labels", "label_columns beside another",
                "leave out label_column and label_separator",
            )  # fmt: skip

    @property
    def several_labels(self) -> bool:
        """Whether an image may have several labels."""
        return self.label_separator is not None or self.label_columns is not None

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
            words += option(name, *(value if isinstance(value, tuple) else (value,)))
        return words


def _encoding(name: object) -> str:
    try:
        "".encode(str(name))  # refuses what encodes no text, such as hex
        return codecs.lookup(str(name)).name
    except (LookupError, ValueError, TypeError):
        raise SettingError(
            "the name of a text encoding", repr(name), "give for example utf-8, cp1252 or utf-16"
        ) from None
