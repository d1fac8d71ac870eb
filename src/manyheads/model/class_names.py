"""The names of classes, from wherever a user has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from manyheads.data.folders import scan_folder
from manyheads.errors import DataError

_LONGEST = 1 << 24  # bytes of a list of names


def read_names(where: str | Path) -> tuple[str, ...]:
    """The names of classes in their order.

    `where` is a folder of class folders (sorted, as loaders number them), a text file with a name
    on each line, or JSON: a list, an object from name to number (Keras's `class_indices`) or an
    object with `classes` (a model's side file). Raises `DataError` for anything else.
    """
    path = Path(where).expanduser()
    if path.is_dir():
        return tuple(sorted(set(scan_folder(path).labels.names)))
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise ValueError(f"a file of more than {_LONGEST:,} bytes")
        text = content.decode("utf-8-sig")
        names = _listed(json.loads(text)) if path.suffix.lower() == ".json" else text.splitlines()
    except OSError as error:
        raise _refused(path, (error.strerror or str(error)).lower()) from error
    except (ValueError, RecursionError) as error:
        raise _refused(path, " ".join(str(error).split())[:120]) from error
    return tuple(name.strip() for name in names if name.strip())


def _listed(document: Any) -> list[str]:
    if isinstance(document, dict) and isinstance(document.get("classes"), list):
        document = document["classes"]
    if isinstance(document, dict):
        numbers = sorted(document.values(), key=str)
        if sorted(map(str, range(len(document)))) != list(map(str, numbers)):
            raise ValueError("an object that does not number the classes from 0")
        document = sorted(document, key=lambda name: int(document[name]))
    if not isinstance(document, list) or not all(isinstance(name, str) for name in document):
        raise ValueError("no list of names")
    return document


def _refused(path: Path, found: str) -> DataError:
    return DataError(
        f"the names of classes in {path}",
        found,
        "give a folder of class folders, a text file of a name a line, or JSON",
    )
