"""The names of classes, from wherever a user has them."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyheads.data.folders import scan_folder
from manyheads.errors import DataError

_LONGEST = 1 << 24  # bytes of a list of names
_NUMBERED = re.compile(r"(\d{1,9})(?:[ \t]*[,;:\t][ \t]*|[ \t]+)(\S.*)")
_BEHIND = re.compile(r"(.*?\S)(?:[ \t]*[,;:=\t][ \t]*|[ \t]+)(\d{1,9})")
_LISTS = ("classes", "labels", "class_names")
_HEADERS = ("name", "label", "class", "class_name", "classname", "classes", "labels")
_NOT_READ = (".yaml", ".yml", ".pbtxt", ".xml")
_BRACKETS = re.compile(r"\s*(?:\[.*\]|\{.*\})\s*", re.S)
_TABLES = {".csv": ",;\t", ".tsv": "\t"}


def read_names(where: str | Path) -> tuple[str, ...]:
    """The names of classes in their order.

    `where` is a folder of class folders (sorted, as loaders number them), or a file:

    - text with a name on each line. If all lines begin with a number, one of them with 0, these
      are the classes' numbers (`0 cat`, Teachable Machine's `labels.txt`); or else they belong to
      the names (`7 up`). Of different names with 0, 1, 2 … behind them it is the same (`cat 0`);
    - .csv or .tsv of names, or of numbers and names, with or without a header;
    - JSON, by whatever name: a list of names; an object from number to name, or to a list that
      ends with the name (ImageNet's `["n01440764", "tench"]`), or from name to number (Keras's
      `class_indices`); or an object that has one as `classes`, `labels`, `class_names` or
      `id2label`.

    Raises `DataError` for anything else, and for numbers that are not 0, 1, 2 … each once.
    """
    path = Path(where).expanduser()
    if path.is_dir():
        return tuple(sorted(set(scan_folder(path).labels.names)))
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise ValueError(f"a file of more than {_LONGEST:,} bytes")
        text = _decoded(content)
        kind = path.suffix.lower()
        if kind in _NOT_READ:
            raise ValueError(f"a file of another kind ({kind})")
        if kind == ".json" or (kind not in _TABLES and _BRACKETS.fullmatch(text)):
            names = _in_json(json.loads(text, object_pairs_hook=_unique))
        elif kind in _TABLES:
            names = _in_table(text, _TABLES[kind])
        else:
            names = _in_lines([line.strip() for line in text.splitlines() if line.strip()])
    except OSError as error:
        raise _refused(path, (error.strerror or str(error)).lower()) from error
    except (ValueError, RecursionError, csv.Error) as error:
        raise _refused(path, " ".join(str(error).split())[:160]) from error
    return tuple(name.strip() for name in names if name.strip())


def _decoded(content: bytes) -> str:
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")


def _in_lines(lines: Sequence[str]) -> list[str]:
    found = [match for match in map(_NUMBERED.fullmatch, lines) if match]
    if not lines or len(found) < len(lines):
        return _numbered_behind(lines) or list(lines)
    numbers = [int(match[1]) for match in found]
    if 0 not in numbers and numbers != list(range(1, len(numbers) + 1)):
        return list(lines)  # 7 up, 3 musketeers
    return _ordered(numbers, [match[2] for match in found])


def _numbered_behind(lines: Sequence[str]) -> list[str]:
    """The names of lines such as `cat 0`, if these are the classes' numbers; else none."""
    found = [match for match in map(_BEHIND.fullmatch, lines) if match]
    names, numbers = [match[1] for match in found], [int(match[2]) for match in found]
    # `photo 0`, `photo 1` are names.
    if sorted(numbers) != list(range(len(lines))) or len({*names}) < len(lines):
        return []
    return _ordered(numbers, names)


def _in_table(text: str, delimiters: str) -> list[str]:
    first = text.partition("\n")[0]
    delimiter = max(delimiters, key=first.count)
    read = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
    rows = [cells for row in read if any(cells := [cell.strip() for cell in row])]
    widths = {len(row) for row in rows}
    if widths == {1}:
        headed = rows[0][0].lower() in _HEADERS
        return [row[0] for row in rows[headed:]]
    if widths != {2}:
        raise ValueError("rows of other than one column (names) or two (numbers and names)")
    columns = list(zip(*rows, strict=True))
    for number, column in enumerate(columns):
        headed = not column[0].isdecimal()
        cells = column[headed:]
        if cells and all(cell.isdecimal() for cell in cells):
            return _ordered([int(cell) for cell in cells], list(columns[1 - number][headed:]))
    raise ValueError("no column of whole numbers beside the names")


def _in_json(document: Any) -> list[str]:
    if isinstance(document, dict):
        for key in _LISTS:
            if isinstance(document.get(key), list):
                return _in_json(document[key])
        if isinstance(document.get("id2label"), dict):
            return _in_json(document["id2label"])
        return _in_object(document)
    if not isinstance(document, list) or not all(isinstance(name, str) for name in document):
        raise ValueError("no list of names")
    return document


def _in_object(document: dict[str, Any]) -> list[str]:
    last = [each[-1] if isinstance(each, list) and each else each for each in document.values()]
    names = [name for name in last if isinstance(name, str)]
    counted = bool(document) and all(key.strip().isdecimal() for key in document)
    if counted and len(names) == len(document):
        return _ordered([int(key) for key in document], names)
    numbers = [_whole(value) for value in document.values()]
    if not numbers or None in numbers:
        raise ValueError("an object neither from numbers to names nor from names to numbers")
    return _ordered([number for number in numbers if number is not None], list(document))


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"{twice[:60]!r} twice in one object")
    return found


def _ordered(numbers: Sequence[int], names: Sequence[str]) -> list[str]:
    """The names in the order of their numbers; raises `ValueError` unless those are 0, 1, 2 …"""
    twice = [str(number) for number, count in Counter(numbers).items() if count > 1]
    if twice:
        raise ValueError(f"the number {twice[0]} of two classes")
    missing = sorted(set(range(len(numbers))) - set(numbers))
    if missing == [0] and sorted(numbers) == list(range(1, len(numbers) + 1)):
        raise ValueError(f"classes numbered from 1 to {len(numbers)}, where outputs count from 0")
    if missing:
        least = min(numbers)
        what = f"the number {least}" if least < 0 else f"no class with the number {missing[0]}"
        raise ValueError(f"{what} among {len(numbers)} classes")
    return [name for _, name in sorted(zip(numbers, names, strict=True), key=lambda pair: pair[0])]


def _refused(path: Path, found: str) -> DataError:
    return DataError(
        f"the names of classes in {path}",
        found,
        "give a folder of class folders, text of a name (or `0 name`) a line, .csv or JSON; or "
        "list them as `classes`",
    )
