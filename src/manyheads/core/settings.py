"""Frozen, validated settings with a digest that is the same on every machine."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import types
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

from manyheads.errors import SettingError


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

    A field that is told "if set", by its metadata, is left out where it is None; one that is told
    "if changed", where it has its default.
    """
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        return {
            each.name: plain(getattr(settings, each.name))
            for each in dataclasses.fields(settings)
            if _is_told(each, getattr(settings, each.name))
        }
    if isinstance(settings, dict):
        return {key: plain(value) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [plain(value) for value in settings]
    return settings


def _is_told(field: dataclasses.Field[Any], value: Any) -> bool:
    told = field.metadata.get("told")
    unset = told == "if set" and value is None
    return not unset and not (told == "if changed" and value == field.default)


def restored(kind: Any, document: Any) -> Any:
    """The value of a type that `plain` made `document` of: its inverse, by a dataclass's fields.

    `kind` is a dataclass, `tuple[X, ...]`, `X | None` or what JSON knows; fields that the document
    lacks have their defaults. A class that also knows former documents reads them by a class
    method `read`. Raises `KeyError` for a field that is missing, `TypeError` for a document of
    another form, or what the class raises.
    """
    if get_origin(kind) is tuple:
        if not isinstance(document, list):
            raise TypeError(f"{type(document).__name__} in place of a list")
        return tuple(restored(get_args(kind)[0], each) for each in document)
    if get_origin(kind) is types.UnionType:  # something, or None
        return None if document is None else restored(get_args(kind)[0], document)
    if not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
        return document
    if not isinstance(document, dict):
        found = type(document).__name__
        raise TypeError(f"{found} in place of the fields of {kind.__name__}")
    if hasattr(kind, "read"):
        return kind.read(document)  # pyright: ignore[reportAttributeAccessIssue]
    for each in dataclasses.fields(kind):
        optional = each.default, each.default_factory
        if each.name not in document and optional == (dataclasses.MISSING,) * 2:
            raise KeyError(each.name)
    hints = _field_types(kind)
    return kind(**{name: restored(hints.get(name), value) for name, value in document.items()})


@lru_cache
def _field_types(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields, which are text in the class itself."""
    return get_type_hints(kind)


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
    name = _quoted(name)
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
        raise SettingError(expected, str(value), "give a value inside that range")
    return result


def whole(name: str, value: object, low: int, high: int) -> int:
    """`value` as an integer from `low` to `high`; raises `SettingError` otherwise."""
    name = _quoted(name)
    expected = f"{name} to be a whole number from {low} to {high}"
    try:
        result = int(str(value))
    except ValueError:
        raise SettingError(expected, repr(value), _as_number(name, value)) from None
    if isinstance(value, bool) or not low <= result <= high:
        raise SettingError(expected, str(value), "give a value inside that range")
    return result


def _quoted(name: str) -> str:
    """A setting's name in backquotes, in whose place the command line puts its flag."""
    return f"`{name}`" if name.isidentifier() else name


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
        name = _quoted(name)
        raise SettingError(
            f"{name} to be one of {', '.join(options)}", repr(value), "choose one of these"
        )
    return str(value)
