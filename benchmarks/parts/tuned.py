"""A trainable export, trained further in plain Keras; called in a process of its own."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import answer
from manyheads import load


def tuned(
    model: str, data: str, block: str, rate: float, epochs: int, seed: int, target: str
) -> dict[str, float]:
    """Train the layers whose names begin with `block`, and the head, for so many `epochs`.

    Writes the probabilities of the validation images as `target` (.csv).
    """
    import keras

    keras.utils.set_random_seed(seed)
    file = Path(model)
    classes = json.loads(Path(f"{file}.json").read_text(encoding="utf-8"))["classes"]
    _, images, labels = _images(file, Path(data, "train"), classes)
    network: Any = keras.saving.load_model(file)
    (backbone,) = (layer for layer in network.layers if hasattr(layer, "layers"))
    for layer in backbone.layers:
        last = layer.name.startswith(block)
        layer.trainable = last and not isinstance(layer, keras.layers.BatchNormalization)
    network.compile(
        keras.optimizers.Adam(rate), loss=keras.losses.CategoricalCrossentropy(),
        metrics=["accuracy"],
    )  # fmt: skip
    began = time.perf_counter()
    network.fit(images, labels, epochs=epochs, batch_size=32, verbose=0)
    seconds = time.perf_counter() - began
    files, images, _ = _images(file, Path(data, "validation"), classes)
    with Path(target).open("w", newline="", encoding="utf-8") as lines:
        rows = csv.writer(lines)
        rows.writerow(["image", *classes])
        found = network.predict(images, verbose=0).tolist()
        rows.writerows([path, *row] for path, row in zip(files, found, strict=True))
    trained = sum(int(np.prod(each.shape)) for each in network.trainable_variables)
    return {"seconds": seconds, "trained": trained}


def _images(
    model: Path, folder: Path, classes: list[str]
) -> tuple[list[Path], np.ndarray, np.ndarray]:
    prepared = load(model).pixels  # pyright: ignore[reportAttributeAccessIssue]
    files = [file for name in classes for file in sorted((folder / name).iterdir())]
    labels = np.eye(len(classes))[[classes.index(file.parent.name) for file in files]]
    return files, np.stack([prepared(file) for file in files]), labels


if __name__ == "__main__":
    answer(globals())
