"""What is measured of manyheads, in a process of its own (see `machine.part`).

Every part warms up first (compiled loops, imports) and then times work alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.machine import answer

SIZE, BATCH, CLASSES, FEATURES = 150, 32, 10, 2048


def extraction(data: str, images: int) -> dict[str, Any]:
    """Images a second of `extract` with its program in the cache, and of the bare program.

    `sustained` leaves out the beginning (reading and loading the program) and the end.

    Also the `files` that were extracted: `images` of the training split, evenly spread.
    """
    from manyheads.backbones import registry
    from manyheads.backbones.compiled import compile_backbone
    from manyheads.backbones.weights import resolve
    from manyheads.data.dataset import open_dataset
    from manyheads.features.extract import extract
    from manyheads.settings import ImageSettings

    spec = registry.get("xception")
    kept = resolve(spec)
    image = ImageSettings(size=SIZE, interpolation="nearest", exif=False)
    whole = open_dataset(data)
    train = whole.rows("train")
    chosen = {int(row) for row in train[np.linspace(0, len(train) - 1, images).astype(int)]}
    dataset = whole.without(set(range(len(whole))) - chosen)
    pixels = np.random.default_rng(0).integers(0, 256, (16, SIZE, SIZE, 3), np.uint8)
    with compile_backbone(spec, kept, SIZE) as backbone:
        batch = pixels[: backbone.batch]

        def bare(count: int) -> list[Any]:
            return list(backbone.run((n, batch) for n in range(count)))

        bare(4)
        rate = 30 * len(batch) / seconds(lambda: bare(30))
    marks: list[tuple[int, float]] = []
    features = extract(
        dataset, spec, kept, image,
        progress=lambda done, _: marks.append((done, time.perf_counter())),
    )  # fmt: skip
    # Between two moments at which as many batches were under way.
    (first, began), (last, ended) = (
        (marks[2], marks[-5]) if len(marks) > 8 else marks[:: len(marks) - 1]
    )
    assert features.passes == len(set(dataset.digests))
    files = [str(path) for path in dataset.paths]
    return {
        "whole": features.passes / features.seconds,
        "sustained": (last - first) / (ended - began),
        "bare": rate,
        "files": files,
    }


def heads(heads: int, epochs: int) -> dict[str, float]:
    """Milliseconds of a head's epoch in a bank of `heads`, on the fused engine."""
    from manyheads.heads.bank import Fold, HeadSettings, engine_named
    from manyheads.heads.head import Hyperparameters

    x, y, val_x, val_y = samples()
    rows = np.arange(len(x) + len(val_x))
    fold = Fold(np.concatenate([x, val_x]), rows[: len(x)], y, rows[len(x) :], val_y, CLASSES)
    engine = engine_named("fused")

    def train(count: int, each: int) -> None:
        bank = [
            HeadSettings(
                hyperparameters=Hyperparameters(learning_rate=0.001, size_inner=100, droprate=0.5),
                seed=seed, fold=0, epochs=each, batch_size=BATCH,
            )
            for seed in range(count)
        ]  # fmt: skip
        for _ in engine.train(bank, [fold]):
            pass

    train(1, 1)
    return {"epoch": seconds(lambda: train(heads, epochs)) * 1000 / heads / epochs}


def samples() -> tuple[np.ndarray, ...]:
    """Numbers of the lesson's shapes: 3,068 training and 341 validation images."""
    random = np.random.default_rng(0)
    x = np.abs(random.normal(size=(3409, FEATURES))).astype(np.float32)
    y = random.integers(0, CLASSES, 3409)
    return x[:3068], y[:3068], x[3068:], y[3068:]


def seconds(work: Callable[[], Any]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    answer(globals())
