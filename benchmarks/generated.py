"""Images for whoever has no photographs at hand: of a photograph's size and cost, of no meaning."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.parts.shapes import CLASSES, TRAIN, VALIDATION
from manyheads.core.machine import cores
from manyheads.core.places import cache_dir

WIDTH, HEIGHT = 400, 533


def generated_photographs(train: int = TRAIN, validation: int = VALIDATION) -> Path:
    """A folder of JPEG images in `train/` and `validation/`, written into the cache once."""
    folder = cache_dir() / "benchmarks" / f"images-{train}-{validation}"
    files = [
        folder / split / f"class-{number % CLASSES}" / f"{number:05d}.jpg"
        for split, count in (("train", train), ("validation", validation))
        for number in range(count)
    ]
    missing = [(seed, file) for seed, file in enumerate(files) if not file.exists()]
    for parent in {file.parent for _, file in missing}:
        parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(lambda each: _write(*each), missing))
    return folder


def encoded_photograph(seed: int) -> bytes:
    """A JPEG file of a photograph's size, of no meaning."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3), np.uint8)
    image = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    grain = random.integers(-6, 7, (HEIGHT, WIDTH, 3))
    pixels = np.clip(np.asarray(image, np.int64) + grain, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def _write(seed: int, file: Path) -> None:
    unfinished = file.with_suffix(".part")
    unfinished.write_bytes(encoded_photograph(seed))
    unfinished.replace(file)
