"""How much does a sample cost one head, however many there are? Part of the benchmark `heads`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.alternatives import measured
from benchmarks.machine import gib, show, table
from benchmarks.parts.shapes import FEATURES, VALIDATION
from manyheads.core.places import cache_dir

# How many epochs are timed for how many samples, after one that is not.
MAPPED = {1_000: 30, 10_000: 5, 100_000: 2, 1_000_000: 1}
IN_MEMORY = {1_000: 10, 10_000: 3, 100_000: 2}
KERAS = {"tensorflow": "Keras on TensorFlow", "jax": "Keras on JAX"}
_ROW = 4 * FEATURES
_BLOCK = 10_000


class SampleCost(NamedTuple):
    """Microseconds a sample of an epoch on so many `images`, or (as text) why there is none."""

    what: str
    images: int
    sample: float | str


def costs(quick: bool, settings: dict[str, dict[str, Any]]) -> list[SampleCost]:
    """manyheads on a mapped file, and Keras with its best `settings` on features in memory."""
    asked = dict(list(MAPPED.items())[: 2 if quick else None])
    found = []
    for count, epochs in asked.items():
        needed = (count + VALIDATION) * _ROW
        if shutil.disk_usage(cache_dir()).free < 1.2 * needed:
            found.append(SampleCost("manyheads", count, f"needs {gib(needed)} of disk"))
            continue
        with _features(count + VALIDATION) as file:
            answer = measured(
                f"manyheads, {count:,} images", "parts.fused.images",
                file=str(file), train=count, epochs=epochs,
            )  # fmt: skip
        found.append(_cost("manyheads", count, answer))
    for backend, what in KERAS.items():
        for count, epochs in list(IN_MEMORY.items())[: 1 if quick else None]:
            answer = measured(
                f"{what}, {count:,} images", "parts.keras_heads.images", (backend,), backend,
                train=count, epochs=epochs, settings=settings.get(backend, {}),
            )  # fmt: skip
            found.append(_cost(what, count, answer))
    return found


def report(found: list[SampleCost]) -> list[str]:
    """The table."""
    rows = [("what", "images", "µs per image and epoch")]
    for what, count, sample in found:
        rows.append((what, f"{count:,}", sample if isinstance(sample, str) else f"{sample:.1f}"))
    return [
        "## Images: an epoch of one head",
        "",
        *table(rows),
        "",
        "One head, so one core of manyheads; its features are mapped from a file of generated "
        "numbers (8 GB for a million), which the system may keep in memory. Keras reads them from "
        "memory. Validation of 341 images is counted in, which weighs at a thousand.",
        "",
    ]


@contextmanager
def _features(count: int) -> Iterator[Path]:
    """A file of `count` rows of generated features, float32, that is deleted at the end."""
    parent = cache_dir() / "benchmarks"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        file = Path(folder, "features")
        show(f"writing {gib(count * _ROW)} of features")
        block = np.abs(np.random.default_rng(0).standard_normal((_BLOCK, FEATURES), np.float32))
        with file.open("wb") as out:
            for start in range(0, count, _BLOCK):
                block += np.float32(1e-4)  # so that no two rows are the same
                block[: count - start].tofile(out)
        yield file


def _cost(what: str, images: int, answer: dict[str, Any] | str) -> SampleCost:
    return SampleCost(what, images, answer if isinstance(answer, str) else answer["sample"])
