"""The same photographs extracted and predicted, each time without any known feature."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import answer
from benchmarks.parts.networks import IMAGE, SPEC
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.single_images import SingleImageBackbone
from manyheads.backbones.weights import resolve
from manyheads.core.places import cache_dir
from manyheads.data.dataset import open_dataset


def model(out: str) -> str:
    """A study's best model with the lesson's head, trained a little; its run folder.

    What it has learned does not matter to its rate, so a few generated images do.
    """
    from benchmarks.generated import generated_photographs
    from manyheads import Study

    data = generated_photographs(80, 20)
    Study(
        data, droprate=0.2, image_size=IMAGE.size, interpolation=IMAGE.interpolation,
        exif=IMAGE.exif, epochs=1, seeds=1, out=out,
    ).run()  # fmt: skip
    return out


def extraction(data: str) -> dict[str, float]:
    """Images a second of `extract`, with the loading of its program but not of the data set."""
    from manyheads.features.extraction import extract

    dataset = open_dataset(data)
    _forget()
    found = extract(dataset, SPEC, resolve(SPEC), IMAGE)
    return {"images": len(dataset) - len(found.unreadable), "seconds": found.seconds}


def prediction(data: str, run: str) -> dict[str, float]:
    """Images a second of `Classifier.stream`, from the opening of the model on; then once more.

    `known` is what the second time takes, when no image needs a pass.
    """
    from manyheads.models.classifier import load

    paths = list(open_dataset(data).paths)
    _forget()
    started = time.perf_counter()
    found = load(run).stream(paths)
    images = sum(entry.error is None for entry in found)
    ended = time.perf_counter()
    again = load(run).stream(paths)
    assert images == sum(entry.error is None for entry in again)
    assert found.passes + found.from_cache == again.from_cache == images
    known = time.perf_counter() - ended
    return {"images": images, "seconds": ended - started, "known": known}


def small_model(out: str, backbone: str, size: int) -> str:
    """The best model of a study with random weights; its run folder."""
    from benchmarks.generated import generated_photographs
    from manyheads import Study

    Study(
        generated_photographs(80, 20), backbone=backbone, weights="random:0", image_size=size,
        droprate=0.2, epochs=1, seeds=1, out=out,
    ).run()  # fmt: skip
    return out


def one_image(run: str) -> dict[str, float]:
    """Seconds until the first image is predicted, and milliseconds for later ones.

    `padded` is what a batch takes, in which a single image would have been; `same` is 1 where an
    image alone has the same features as in it.
    """
    import numpy as np

    from manyheads.backbones.compiled import loaded
    from manyheads.models.classifier import ImageClassifier, load

    started = time.perf_counter()
    model = load(run)
    size = model.card.image.size
    pixels = np.random.default_rng(0).integers(0, 256, (10, size, size, 3), np.uint8)
    model.predict(pixels[0])
    first = time.perf_counter() - started
    later = _median([lambda image=image: model.predict(image) for image in pixels[1:]])
    assert isinstance(model, ImageClassifier)
    network = model._network
    assert network is not None
    assert isinstance(network._backbone, SingleImageBackbone)
    whole = loaded(network._program, size)
    padded = _median([lambda: list(whole.run([(0, pixels[:1])]))] * 4)
    same = float(network._backbone.same_alone)
    return {"first": first, "later": later, "padded": padded, "same": same}


def _median(calls: list[Callable[[], object]]) -> float:
    taken = []
    for call in calls:
        started = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - started))
    return sorted(taken)[len(taken) // 2]


def _forget() -> None:
    """Drop all features; the program stays."""
    with compile_backbone(SPEC, resolve(SPEC), IMAGE.size):
        shutil.rmtree(Path(cache_dir(), "features"), ignore_errors=True)


if __name__ == "__main__":
    answer(globals())
