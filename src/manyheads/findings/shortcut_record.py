"""The result of a check for shortcuts, kept as `claims/shortcut.json` in a run folder."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from manyheads.core.records import read_record, write_record
from manyheads.core.settings import plain
from manyheads.findings.finding import Finding
from manyheads.heads.hyperparameters import as_named
from manyheads.stats.shortcut_effects import Measurement
from manyheads.study.folder import RunFolder

# Keys that earlier versions wrote.
_RENAMED = {"arms": "conditions", "arm": "condition", "asked": "with_mark"}
_INFINITE = {
    "low": -math.inf, "adjusted_low": -math.inf, "high": math.inf, "adjusted_high": math.inf,
}  # fmt: skip


class ShortcutFiles(NamedTuple):
    """The files of a check: its record, its table, and the picture of marked images."""

    record: Path
    table: Path
    picture: Path

    @classmethod
    def of(cls, run: Path) -> ShortcutFiles:
        """Those in the run folder `run`."""
        record = RunFolder(run).claims / "shortcut.json"
        return cls(record, record.with_suffix(".csv"), record.with_suffix(".png"))


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers of images: for training, of these with the mark in the marked condition, kept clean;
    for validation without the mark, of these in the class, and for validation with the mark."""

    train: int
    marked: int
    clean: int
    validation: int
    of_class: int
    with_mark: int


@dataclass(frozen=True, kw_only=True)
class ShortcutRecord(Finding):
    """A check for shortcuts and what it found.

    `target` is the class, `mark` the mark in words and `noun` in one; `into` are the classes whose
    validation images were marked. `conditions` describes every condition by its name, the control
    and the marked one first; `candidates` has the settings in words, `hyperparameters` in full.
    `about` is what else the numbers depend on: settings, digests, versions.
    """

    target: str
    mark: str
    noun: str
    share: float
    into: tuple[str, ...]
    images: Counts
    conditions: dict[str, str]
    candidates: tuple[str, ...]
    hyperparameters: tuple[dict[str, Any], ...]
    margin: float
    entries: tuple[Measurement, ...]  # pyright: ignore[reportIncompatibleMethodOverride]
    about: dict[str, Any]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict in words, the headline first."""
        from manyheads.findings.shortcut_words import sentences

        return sentences(self)

    def of(self, condition: str, measure: str) -> list[Measurement]:
        """The entries of a condition in a measure, by candidate."""
        wanted = condition, measure
        return [each for each in self.entries if (each.condition, each.measure) == wanted]

    def write(self, path: Path, verdict: Iterable[str]) -> None:
        """Write the record with its verdict in words; an infinite end of an interval is null."""
        write_record(path, self.document(verdict))

    def document(self, verdict: Iterable[str]) -> dict[str, Any]:
        """The same as plain data."""
        return {"verdict": list(verdict), **_finite(plain(self))}


def read_shortcut(path: Path) -> ShortcutRecord | None:
    """The record in a file, None if there is none; raises `RunError` for a file of another kind."""
    return read_record(
        path, ShortcutRecord, what="a check for shortcuts", prepare=_prepared,
        renamed=_RENAMED, remedy="repeat the check for shortcuts in this folder",
    )  # fmt: skip


def _prepared(document: dict[str, Any]) -> dict[str, Any]:
    """The document without its verdict, with the ends that JSON has no number for, and with the
    present names of hyperparameters."""
    del document["verdict"]
    document["hyperparameters"] = [as_named(each) for each in document["hyperparameters"]]
    for entry in document["entries"]:
        for found in filter(None, (entry["gap"], entry["change"])):
            for name, end in _INFINITE.items():
                found[name] = end if found[name] is None else found[name]
    return document


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
