"""Files of class weights: a table with a line `class,weight` for each class, or a JSON object."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from manyheads.errors import SettingError
from manyheads.heads.class_weights import BALANCED, NO_WEIGHTS, check_class_weight

_HEADER = ("class", "weight")
_SEPARATORS = ",;\t"
_LONGEST = 10_000_000  # bytes


def with_read_weights(listed: Sequence[Any]) -> list[Any]:
    """The values of `class_weight`, with the weights of each file in the place of its name.

    The weights are what a study is known by, and not where they were read from. Raises
    `SettingError` for a file that is not there or holds no weights.
    """
    return [read_class_weight(each) if _is_file_name(each) else each for each in listed]


def _is_file_name(value: Any) -> bool:
    if isinstance(value, Path):
        return True
    return isinstance(value, str) and value not in (NO_WEIGHTS, BALANCED) and value[:1] != "{"


def read_class_weight(file: str | Path) -> str:
    """The weights in a file, as `Hyperparameters.class_weight` has them.

    A JSON object begins with a brace; everything else is a table in UTF-8 with two cells a line,
    class and weight, between which are commas, semicolons or tabs, with or without a first line
    `class,weight`. Raises `SettingError`.
    """
    path = Path(file).expanduser()
    text = _text_of(path)
    if text.lstrip().startswith("{"):
        try:
            weights: Any = json.loads(text, object_pairs_hook=lambda pairs: _once(path, pairs))
        except ValueError as error:
            raise _refused(path, str(error)) from None
    else:
        weights = _once(path, _pairs(path, text))
    if not isinstance(weights, Mapping) or not weights:
        raise _refused(path, "none")
    return check_class_weight(f"class_weight {path.name}", weights)


def _text_of(path: Path) -> str:
    try:
        if not path.is_file():
            near = get_close_matches(str(path), (NO_WEIGHTS, BALANCED), 1)
            raise SettingError(
                "`class_weight` to be none, balanced, or a file of weights",
                f"{str(path)!r}, and no file of that name",
                f"did you mean {near[0]}?" if near else "choose one of these",
            )  # fmt: skip
        if path.stat().st_size > _LONGEST:
            raise _refused(path, f"more than {_LONGEST:,} bytes")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(path, "bytes that are no UTF-8 text") from None
    except (OSError, ValueError) as error:
        if isinstance(error, SettingError):
            raise
        raise _refused(path, getattr(error, "strerror", None) or str(error)) from error


def _pairs(path: Path, text: str) -> list[tuple[str, Any]]:
    lines = [line for line in text.splitlines() if line.strip()]
    counts = {each: lines[0].count(each) for each in _SEPARATORS} if lines else {",": 0}
    separator = max(counts, key=counts.__getitem__)
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(lines, delimiter=separator, strict=True)
        ]
    except csv.Error as error:
        raise _refused(path, str(error)) from None
    if rows and tuple(cell.casefold() for cell in rows[0]) == _HEADER:
        del rows[0]
    for row in rows:
        if len(row) != 2:
            raise _refused(path, f"{len(row)} cells in the line {separator.join(row)!r}")
    return [(name, weight) for name, weight in rows]


def _once(path: Path, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise SettingError(f"each class once in {path}", f"{twice!r} twice", "leave one line out")
    return found


def _refused(path: Path, found: str) -> SettingError:
    return SettingError(
        f"class weights in {path}", found,
        "write a line class,weight for each class, or a JSON object of weights by class",
    )  # fmt: skip
