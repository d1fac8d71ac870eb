"""Which workers have computed what lies in a folder: a file beside the results, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from manyheads.core.places import write_text
from manyheads.core.workers import WorkerResources, Workers
from manyheads.errors import ManyheadsError

NAME = "workers.json"


@contextmanager
def recorded(folder: Path, workers: Workers | None) -> Iterator[None]:
    """Add to `workers.json` in `folder` which of the `workers` were used until the context ends.

    An entry is a node with its processor and the versions of the libraries that compute, and when
    it was used so first. What cannot be written is left out: no result depends on it.
    """
    try:
        yield
    finally:
        if workers is not None and workers.used:
            _record(folder, workers.used)


def read_workers(folder: Path) -> list[dict[str, Any]]:
    """The entries of `workers.json` in `folder`; none without such a file, or of a damaged one."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        entries = json.loads((folder / NAME).read_text(encoding="utf-8"))["workers"]
        return [entry for entry in entries if isinstance(entry, dict) and "node" in entry]
    return []


def _record(folder: Path, used: Sequence[WorkerResources]) -> None:
    known = read_workers(folder)
    entries = {_kind(entry): entry for entry in known}
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    for each in used:
        entry = {
            "node": each.node, "processor": each.processor, "versions": each.versions, "first": now
        }  # fmt: skip
        entries.setdefault(_kind(entry), entry)
    if len(entries) > len(known):
        with suppress(OSError, ManyheadsError):
            text = json.dumps({"workers": list(entries.values())}, indent=2, ensure_ascii=False)
            write_text(folder / NAME, text + "\n")


def _kind(entry: dict[str, Any]) -> str:
    return json.dumps({**entry, "first": ""}, sort_keys=True)
