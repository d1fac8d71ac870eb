"""A backbone that costs nothing, and data sets of a few images."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np

from manyheads.backbones.compiled import Key
from manyheads.core.job import SILENT, Job
from manyheads.data.data_settings import ImageSettings
from manyheads.features.cache import FeatureRecipe
from tests.strategies import distinct_image

WIDTH = 24
SIZE = 32
IMAGE = ImageSettings(size=SIZE, interpolation="nearest")


class FakeBackbone:
    """Features are a fixed projection of the pixels; it counts the images that pass."""

    def __init__(self, batch: int = 4) -> None:
        self.features, self.batch, self.passes = WIDTH, batch, 0
        self._projection = np.random.default_rng(7).normal(size=(SIZE * 3, WIDTH))

    def run(
        self, batches: Iterable[tuple[Key, Any]], *, job: Job = SILENT
    ) -> Generator[tuple[Key, Any]]:
        for key, pixels in batches:
            if job.stopped:
                return
            self.passes += len(pixels)
            yield key, self.expected(pixels)

    def expected(self, pixels: Any) -> Any:
        # One image at a time, so that a sum's order cannot depend on the batch.
        rows = [image.mean(0).ravel() @ self._projection for image in pixels]
        return np.array(rows, np.float32)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def recipe(**changes: Any) -> FeatureRecipe:
    known = {"backbone": "fake", "weights": "0" * 64, "image": IMAGE, "preprocessing": "none"}
    return FeatureRecipe(**{**known, **changes})


def content(name: object) -> str:
    """The content key of something."""
    return hashlib.sha256(str(name).encode()).hexdigest()


def rows(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)


def image_files(folder: Path, count: int, start: int = 0) -> dict[str, Path]:
    """Write different images; content → file."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for number in range(start, start + count):
        path = folder / f"{number:04d}.png"
        distinct_image(str(number), SIZE).save(path)
        files[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    return files
