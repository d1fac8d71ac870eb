"""Whole commands that train on an accelerator, or on what JAX finds; part of `accelerator`."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.machine import manyheads
from benchmarks.parts.accelerator_rows import ABSENT, Row
from benchmarks.parts.shapes import samples

PART = "commands"
_WHAT = "a sweep of 2 heads"


def rows(*, quick: bool = False) -> Iterator[Row]:
    """A small sweep that compiles its programs, and one that finds them in the cache.

    One before fills the rest of the cache, and is not told.
    """
    if importlib.util.find_spec("jax") is None:
        yield Row(PART, _WHAT, ABSENT, "jax")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x, y, val_x, val_y = samples()
        np.save(folder / "features.npy", np.concatenate([x, val_x]))
        lines = [f"{label},train" for label in y] + [f"{label},validation" for label in val_y]
        text = "\n".join(["label,split", *lines, ""])
        (folder / "labels.csv").write_text(text, encoding="utf-8")
        cache = folder / "cache"
        _swept(folder, "before", cache)
        for turn in range(1 if quick else 3):
            shutil.rmtree(cache / "jax", ignore_errors=True)
            for note in ("programs compiled", "programs from the cache"):
                seconds = _swept(folder, f"{note} {turn}", cache)
                yield Row(PART, _WHAT, f"{seconds:.1f} s", note)


def _swept(folder: Path, run: str, cache: Path) -> float:
    """The seconds of a sweep as a whole command."""
    return manyheads(
        "sweep", folder / "labels.csv", "--features", "features.npy", "--droprate", "0", "0.5",
        "--epochs", "3", "--seeds", "1", "--engine", "stacked", "--no-baselines",
        "--out", folder / run, MANYHEADS_CACHE=str(cache),
    ).seconds  # fmt: skip
