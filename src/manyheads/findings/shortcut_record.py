"""What a check for shortcuts came to, as it is kept: in `claims/shortcut.json` of a run folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from manyheads.core.settings import plain
from manyheads.errors import RunError
from manyheads.stats.paired import Decided
from manyheads.stats.shortcut_effects import Measurement
from manyheads.study.folder import RunFolder


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
    """Images: those that train, those of them that the marked arm marks, those kept clean; those
    asked about as they are, those of the class among them, and those asked about with the mark."""

    train: int
    marked: int
    clean: int
    validation: int
    of_class: int
    asked: int


@dataclass(frozen=True, kw_only=True)
class ShortcutRecord:
    """A check for shortcuts and what it found.

    `target` is the class, `mark` the mark in words and `noun` in one; `into` are the classes whose
    images were asked about with it. `arms` has every arm in words, the control and the marked one
    first; `candidates` the settings in words, and `hyperparameters` in full. `about` is what else
    the numbers depend on: settings, digests, versions.
    """

    target: str
    mark: str
    noun: str
    share: float
    into: tuple[str, ...]
    images: Counts
    arms: dict[str, str]
    candidates: tuple[str, ...]
    hyperparameters: tuple[dict[str, Any], ...]
    margin: float
    entries: tuple[Measurement, ...]
    about: dict[str, Any]

    def of(self, arm: str, measure: str) -> list[Measurement]:
        """The entries of an arm in a measure, by candidate."""
        return [each for each in self.entries if (each.arm, each.measure) == (arm, measure)]

    def to_json(self, verdict: Iterable[str]) -> str:
        """The record with its verdict in words; an infinite end of an interval is null."""
        document = {"verdict": list(verdict), **plain(self)}
        return json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(path: Path) -> ShortcutRecord:
    """The record in a file; raises `RunError` if it holds none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        document.pop("verdict")
        return ShortcutRecord(
            **{
                **document,
                "into": tuple(document["into"]),
                "images": Counts(**document["images"]),
                "candidates": tuple(document["candidates"]),
                "hyperparameters": tuple(document["hyperparameters"]),
                "entries": tuple(map(_entry, document["entries"])),
            }
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "repeat `manyheads shortcut` with the same --out"
        raise RunError(f"a check for shortcuts in {path}", str(error), remedy) from error


def _entry(document: dict[str, Any]) -> Measurement:
    entry = Measurement(**document)
    gap, change = (
        None if each is None else _difference(each) for each in (entry.gap, entry.change)
    )
    return replace(entry, gap=gap, change=change)


def _difference(document: Any) -> Decided:
    infinite = dict.fromkeys(("low", "adjusted_low"), -math.inf)
    infinite |= dict.fromkeys(("high", "adjusted_high"), math.inf)
    ends = {
        name: end if document[name] is None else document[name] for name, end in infinite.items()
    }
    return Decided(**{**document, **ends})


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
