"""What was measured of programs on this machine, remembered in the cache."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from manyheads.core.places import cache_dir, write_text
from manyheads.errors import DiskError


def remembered(file: str) -> dict[str, Any]:
    """What is remembered in `file` of the cache, by program; nothing if it cannot be read."""
    try:
        found = json.loads(_path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remembered_rate(file: str, program: str) -> float | None:
    """The number above 0 that is remembered of a program, or None."""
    rate = remembered(file).get(program)
    return float(rate) if isinstance(rate, int | float) and rate > 0 else None


def remember(file: str, program: str, value: Any) -> None:
    """Remember the `value` of a program; where the cache cannot be written, nothing is."""
    with suppress(DiskError):  # then it is measured again next time
        known = remembered(file) | {program: value}
        write_text(_path(file), json.dumps(known, indent=2) + "\n")


def _path(file: str) -> Path:
    return cache_dir() / file
