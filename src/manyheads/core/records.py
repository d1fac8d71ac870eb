"""Records of what was found, as JSON files: written whole, and read back by the fields' types."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from manyheads.core.places import write_text
from manyheads.core.settings import plain, restored
from manyheads.errors import RunError

Record = TypeVar("Record")


def write_record(path: Path, record: object, form: int | None = None) -> None:
    """Write a dataclass or a dictionary to `path`, whole or not at all; `form` is its format."""
    document = ({} if form is None else {"format": form}) | plain(record)
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_record(
    file: Path,
    kind: type[Record],
    form: int | None = None,
    /,
    *,
    what: str,
    remedy: str,
    prepare: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    renamed: Mapping[str, str] = MappingProxyType({}),
    **given: Any,
) -> Record | None:
    """The record of a `kind` in `file`, None if there is none.

    `given` are fields that the file does not hold. `renamed` has the present names of keys that
    earlier versions wrote, at any depth, so no key may be a name of the user's. `prepare` changes
    the document before it is read. Raises `RunError`, which says `what` was expected, for a file
    that holds something else.
    """
    if not file.is_file():
        return None
    try:
        document = json.loads(
            file.read_text(encoding="utf-8"),
            object_hook=lambda each: {renamed.get(key, key): value for key, value in each.items()},
        )
        if form is not None and (found := document.pop("format")) != form:
            raise ValueError(f"format {found}")
        return restored(kind, prepare(document) | given)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"one without {error}" if isinstance(error, KeyError) else str(error)
        written = "" if form is None else f", format {form},"
        raise RunError(f"{what}{written} in {file}", reason, remedy) from error
