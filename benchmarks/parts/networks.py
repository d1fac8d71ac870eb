"""Xception from pixels to features on every runtime: the bare network, and from files.

All read the same files by the same threads into batches of pixels; only manyheads takes its own
way, from files into its cache. Each answers with images a second and keeps its features, so that
whoever compares can see that all computed the same.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import answer
from benchmarks.parts.shapes import BATCH, SIZE, seconds
from manyheads.backbones import registry
from manyheads.backbones.keras_builds import network, stored
from manyheads.backbones.weights import resolve
from manyheads.core import openvino_runtime
from manyheads.core.machine import cores
from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels

SPEC = registry.get("xception")
LONGEST = 20  # seconds, about, from files: the slowest need not take all
IMAGE = ImageSettings(size=SIZE, interpolation="nearest", exif=False)


def manyheads(data: str, images: int, passes: int, files: str, features: str) -> dict[str, float]:
    """The compiled backbone, and `extract` into a cache that lacks these images.

    `whole` is all of `extract` with its program in the cache; `files` leaves out its beginning
    (reading and loading the program) and its end. Writes the list of `files` that it took:
    `images` of the training split, evenly spread.
    """
    from manyheads.backbones.compiled import compile_backbone
    from manyheads.core.job import Event, Job, Progress
    from manyheads.data.dataset import open_dataset
    from manyheads.features.extraction import extract

    whole = open_dataset(data)
    train = whole.rows("train")
    chosen = {int(row) for row in train[np.linspace(0, len(train) - 1, images).astype(int)]}
    dataset = whole.without(set(range(len(whole))) - chosen)
    Path(files).write_text("\n".join(map(str, dataset.paths)), encoding="utf-8")
    with compile_backbone(SPEC, resolve(SPEC), SIZE) as backbone:
        pixels = next(_batches(dataset.paths[: backbone.batch], backbone.batch))

        def bare(count: int) -> None:
            for _ in backbone.run((n, pixels) for n in range(count)):
                pass

        bare(4)
        count = passes * BATCH // backbone.batch
        rate = count * len(pixels) / seconds(lambda: bare(count))
    marks: list[tuple[int, float]] = []

    def mark(event: Event) -> None:
        if isinstance(event, Progress) and event.unit:
            marks.append((event.done, time.perf_counter()))

    found = extract(dataset, SPEC, resolve(SPEC), IMAGE, job=Job(mark))
    assert found.passes == len(set(dataset.digests))
    np.save(features, found.matrix[found.rows])
    # Between two moments at which as many batches were under way.
    (first, began), (last, ended) = (
        (marks[2], marks[-5]) if len(marks) > 8 else marks[:: len(marks) - 1]
    )
    return {
        "bare": rate,
        "files": (last - first) / (ended - began),
        "whole": found.passes / found.seconds,
    }


def tensorflow(files: str, passes: int, features: str, jit: bool) -> dict[str, float]:
    """Keras on TensorFlow, with or without XLA (`jit`)."""
    model = _model("channels_last")
    model.compile(jit_compile=jit)
    return _rates(lambda pixels: model.predict_on_batch(_scaled(pixels)), files, passes, features)


def torch(files: str, passes: int, features: str, memory: str) -> dict[str, float]:
    """Keras on PyTorch, built channels first; `memory` is the format that it computes in."""
    import torch

    model = _model("channels_first")
    layout = getattr(torch, memory)
    model.to(memory_format=layout)

    def run(pixels: Any) -> Any:
        with torch.inference_mode():
            images = torch.from_numpy(_scaled(pixels)).permute(0, 3, 1, 2)
            return model(images.contiguous(memory_format=layout)).numpy()

    return _rates(run, files, passes, features)


def export_onnx(layout: str, target: str) -> dict[str, str]:
    """Write Keras's own ONNX export of the network in a memory layout, for batches of `BATCH`."""
    import keras

    model = _model(layout)
    signature = [keras.InputSpec(dtype="float32", shape=(BATCH, *model.input_shape[1:]))]
    model.export(target, format="onnx", verbose=False, input_signature=signature)
    return {"file": target}


def onnxruntime(
    files: str, passes: int, features: str, layout: str, model: str
) -> dict[str, float]:
    """ONNX Runtime on the export in `model`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(pixels: Any) -> Any:
        images = _scaled(_whole(pixels))
        if layout == "channels_first":
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        return np.asarray(session.run(None, {name: images})[0])[: len(pixels)]

    return _rates(run, files, passes, features)


def openvino(files: str, passes: int, features: str) -> dict[str, float]:
    """OpenVINO as it comes: Keras's export as Keras lays it out, one request after the other."""
    import keras

    model = _model("channels_last")
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder, "plain.xml"))
        signature = [keras.InputSpec(dtype="float32", shape=(BATCH, SIZE, SIZE, 3), name="pixels")]
        model.export(target, format="openvino", verbose=False, input_signature=signature)
        # float32 as for everyone; else some processors would take bfloat16 on their own.
        compiled = openvino_runtime.core().compile_model(
            target, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )

    def run(pixels: Any) -> Any:
        return compiled(_scaled(_whole(pixels)))[0][: len(pixels)]

    return _rates(run, files, passes, features)


def flops() -> dict[str, int]:
    """Floating-point operations of the network on one image."""
    from manyheads.backbones.exported import program
    from manyheads.backbones.program_flops import gflop_per_image

    counted = gflop_per_image(program(SPEC, resolve(SPEC), SIZE).path)
    assert counted is not None
    return {"flops": round(1e9 * counted)}


def _model(layout: str) -> Any:
    kept = resolve(SPEC)
    model = network(SPEC, SIZE, layout)
    model.set_weights(stored(kept.path, kept.digest))
    return model


def _rates(run: Callable[[Any], Any], files: str, passes: int, features: str) -> dict[str, float]:
    paths = [Path(line) for line in Path(files).read_text(encoding="utf-8").splitlines()]
    some = next(_batches(paths, BATCH))
    for _ in range(2):
        run(some)
    bare = passes * len(some) / seconds(lambda: [run(some) for _ in range(passes)])
    paths = paths[: max(2 * BATCH, round(LONGEST * bare))]
    found: list[Any] = []
    took = seconds(lambda: found.extend(run(batch) for batch in _batches(paths, BATCH)))
    np.save(features, np.concatenate(found))
    return {"bare": bare, "files": len(paths) / took}


def _batches(paths: Sequence[Path], size: int) -> Iterator[np.ndarray]:
    """Pixels `uint8 [size, SIZE, SIZE, 3]`, decoded ahead by threads; the last may be short."""
    with ThreadPoolExecutor(cores()) as pool:
        ahead = deque(pool.submit(load_pixels, path, IMAGE) for path in paths[: 3 * size])
        waiting = iter(paths[3 * size :])
        batch: list[np.ndarray] = []
        while ahead:
            batch.append(ahead.popleft().result())
            ahead.extend(pool.submit(load_pixels, path, IMAGE) for path in islice(waiting, 1))
            if len(batch) == size or not ahead:
                yield np.stack(batch)
                batch = []


def _scaled(pixels: np.ndarray) -> np.ndarray:
    """Xception's preprocessing: 0–255 to −1–1."""
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)


def _whole(pixels: np.ndarray) -> np.ndarray:
    """A short batch filled up to `BATCH`, for programs of one fixed shape."""
    return np.concatenate([pixels, np.zeros((BATCH - len(pixels), *pixels.shape[1:]), np.uint8)])


if __name__ == "__main__":
    answer(globals())
