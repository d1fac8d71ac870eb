"""Ranges of hyperparameters, from which a study draws values: `1e-4..1e-1`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from manyheads.core.settings import store
from manyheads.errors import SettingError
from manyheads.heads.hyperparameters import DECLARED, check

_MARK = ".."
_DIGITS = 3  # of a drawn value, so that tables read well


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high`, both included, from which a study draws its candidates.

    `Study(learning_rate=Range(1e-4, 1e-1), candidates=40)`; the text `1e-4..1e-1` is the same. The
    draw is uniform on the scale of the hyperparameter: logarithmic for `learning_rate`, `l2`,
    `weight_decay`, `max_norm`, `size_inner`, `epochs` and `batch_size`, linear for all others.
    Raises `SettingError` for ends that are no finite numbers, and unless `low` is below `high`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            given = getattr(self, name)
            try:
                end = math.nan if isinstance(given, bool) else float(given)
            except (TypeError, ValueError):
                end = math.nan
            if not math.isfinite(end):
                raise SettingError(
                    f"the {name} end of a range as a finite number", repr(given), "give a number"
                )
            store(self, **{name: int(end) if end.is_integer() else end})
        if self.low >= self.high:
            raise SettingError(
                f"a range {_MARK.join(('LOW', 'HIGH'))} with LOW below HIGH", str(self),
                "write the lower end first" if self.low > self.high else "give one value instead",
            )  # fmt: skip

    def __str__(self) -> str:
        return f"{_written(self.low)}{_MARK}{_written(self.high)}"


Item = float | str | Range
"""What a hyperparameter may be listed as: a value, or a range to draw from."""


def item_words(item: Item) -> str:
    """An item as it is written on the command line: `0.001`, `adam`, `0.0001..0.1`."""
    return str(item) if isinstance(item, str | Range) else f"{item:g}"


def item_of(name: str, given: Any) -> Item:
    """A listed value of the hyperparameter `name`, or a range, as it is kept.

    Raises `SettingError` for what is neither, for a range of words, for ends out of bounds, and for
    a range on a logarithmic scale that begins at 0.
    """
    known = DECLARED[name]
    text = given if isinstance(given, str) and _MARK in given else None
    if text is not None and name == "class_weight":  # a name of a class has dots as it likes
        text = None
    if text is None and not isinstance(given, Range):
        return check(name, given)
    if known.scale is None:
        raise SettingError(
            f"names for `{name}`, which has no range", str(given), "list them, separated by spaces"
        )
    found = given if isinstance(given, Range) else _parsed(name, given)
    if known.scale == "log" and found.low == 0:
        raise SettingError(
            f"a range of `{name}` that begins above 0, for a logarithmic scale", str(found),
            f"write {_example(found)}, and 0 beside it where 0 is wanted too",
        )  # fmt: skip
    return Range(check(name, found.low), check(name, found.high))


def value_at(name: str, item: Item, place: float) -> Any:
    """The value of `name` at a `place` in [0, 1) of an item: the item itself, if it is a value.

    Of a range it is rounded to three digits, of the value on a logarithmic scale and of the range's
    width on a linear one; whole numbers stay whole, and each is as likely as its share of the
    scale: from half below it to half above it.
    """
    if not isinstance(item, Range):
        return item
    known, low, high = DECLARED[name], float(item.low), float(item.high)
    half = 0.5 if known.kind.is_whole else 0.0
    first, last = low - half, high + half
    if known.scale == "log":
        exact = math.exp(math.log(first) + place * (math.log(last) - math.log(first)))
        rounded = float(f"{exact:.{_DIGITS}g}")
    else:
        exact = first + place * (last - first)
        rounded = round(exact, _DIGITS - 1 - math.floor(math.log10(high - low)))
    rounded = round(exact if exact < 10**_DIGITS else rounded) if known.kind.is_whole else rounded
    return check(name, min(max(rounded, item.low), item.high))


def place_of(name: str, item: Range, value: float) -> float:
    """Where in [0, 1] a value lies on the scale of a range: 0 at its low end."""
    scale = math.log if DECLARED[name].scale == "log" and item.low > 0 else float
    low, high = scale(item.low), scale(item.high)
    return min(max((scale(value) - low) / (high - low), 0.0), 1.0)


def _parsed(name: str, text: str) -> Range:
    low, _, high = text.partition(_MARK)
    try:
        return Range(float(low), float(high))
    except ValueError:
        raise SettingError(
            f"a range of `{name}` as LOW..HIGH", repr(text),
            "write both ends as numbers, with no spaces around the dots, such as 1e-4..1e-1",
        ) from None  # fmt: skip


def _example(found: Range) -> str:
    low = 1 if isinstance(found.high, int) else float(f"{found.high / 1000:.1g}")
    return f"{_written(low)}{_MARK}{_written(found.high)}"


def _written(end: float) -> str:
    """An end of a range in full and yet short: `0.0001`, `50`, `1e-05`."""
    return f"{end:.15g}" if float(f"{end:.15g}") == end else repr(end)
