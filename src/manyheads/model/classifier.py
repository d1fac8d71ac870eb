"""A finished model, ready to classify images: `load(path).predict(images)`."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from manyheads.backbones import exported, registry
from manyheads.backbones.compiled import OpenVinoBackbone, batch_size
from manyheads.backbones.exported import Program, made
from manyheads.data.images import load_pixels, square_pixels
from manyheads.errors import ImageError, Interrupted, ModelError
from manyheads.heads.head import Parameters, forward, softmax
from manyheads.model.card import ModelCard, card_path, file_digest, read_card
from manyheads.model.checkpoints import MODEL_SUFFIXES
from manyheads.model.safety import check_parts
from manyheads.model.templates import read_head
from manyheads.study.folder import RunFolder

_TO_PROGRAM = "manyheads.model.keras_models:to_program"
Image = str | Path | UInt8[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image: its class, and a probability for every class.

    An image that cannot be read has no label; `error` says why.
    """

    image: str
    label: str | None
    confidence: float
    probabilities: dict[str, float]
    error: str | None = None


class Predictions(Sequence[Prediction]):
    """Predictions in the order of the images."""

    def __init__(self, classes: Sequence[str], entries: Sequence[Prediction]) -> None:
        self.classes = tuple(classes)
        self._entries = tuple(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index):
        return self._entries[index]

    @property
    def labels(self) -> list[str | None]:
        """The class of each image, None where it cannot be read."""
        return [entry.label for entry in self]

    @property
    def probabilities(self) -> Float32[np.ndarray, "images classes"]:
        """A row for each image; not-a-number where it cannot be read."""
        rows = [[entry.probabilities.get(name, np.nan) for name in self.classes] for entry in self]
        return np.array(rows, np.float32).reshape(len(self), len(self.classes))

    def __repr__(self) -> str:
        shown = [
            f"{e.image}: unreadable, {e.error}"
            if e.label is None
            else f"{e.image}: {e.label} ({e.confidence:.2f})"
            for e in self[:5]
        ]
        more = [f"… and {len(self) - 5} more"] if len(self) > 5 else []
        return "\n".join([f"<{len(self)} predictions>", *shown, *more])


class Classifier:
    """A whole model with its preparation of images and its class names.

    Made by `load`. It runs on its backbone's cached program where there is one, or else on a
    program of its own, made at the first prediction and cached.
    """

    def __init__(self, path: Path, card: ModelCard) -> None:
        self.path, self.card = path, card
        self.classes = card.classes
        self._network: tuple[OpenVinoBackbone, Parameters | None] | None = None

    def __repr__(self) -> str:
        return f"<Classifier {self.path}: {self.card.backbone}, {len(self.classes)} classes>"

    def predict(
        self,
        images: Image | Iterable[Image],
        *,
        stop: threading.Event | None = None,
    ) -> Predictions:
        """The class and the probabilities of each image.

        An image is a path, or RGB pixels `uint8 [rows, columns, 3]`. A file that cannot be read
        is reported in its place.
        """
        if isinstance(images, str | Path) or (isinstance(images, np.ndarray) and images.ndim != 4):
            images = [images]
        listed: list[Image] = list(images)
        entries: dict[int, Prediction] = {}
        batches = self._batches(listed, entries)
        if listed:
            program, head = self._compiled(stop)
            for keys, found in program.run(batches, stop=stop):
                logits = found if head is None else _logits(head, found)
                for (index, name), row in zip(keys, softmax(logits), strict=True):
                    entries[index] = self._entry(name, row)
        if stop is not None and stop.is_set():
            raise Interrupted("the predictions", "repeat the same command")
        return Predictions(self.classes, [entries[index] for index in range(len(listed))])

    def _entry(self, name: str, row: Float32[np.ndarray, "classes"]) -> Prediction:
        best = int(row.argmax())
        probabilities = dict(zip(self.classes, map(float, row), strict=True))
        return Prediction(name, self.classes[best], float(row[best]), probabilities)

    def _batches(
        self, images: Sequence[Image], entries: dict[int, Prediction]
    ) -> Iterator[tuple[list[tuple[int, str]], UInt8[np.ndarray, "n size size 3"]]]:
        size = batch_size(self.card.image.size)
        keys, batch = [], []
        for index, name, pixels in self._decoded(images):
            if isinstance(pixels, ImageError):
                entries[index] = Prediction(name, None, float("nan"), {}, pixels.found)
                continue
            keys.append((index, name))
            batch.append(pixels)
            if len(batch) == size:
                yield keys, np.stack(batch)
                keys, batch = [], []
        if batch:
            yield keys, np.stack(batch)

    def _decoded(
        self, images: Sequence[Image]
    ) -> Iterator[tuple[int, str, UInt8[np.ndarray, "size size 3"] | ImageError]]:
        """Decode on threads, a bounded number ahead, in the order of the images."""
        waiting: deque[tuple[int, str, Future]] = deque()
        with ThreadPoolExecutor(2, "decode") as pool:
            for index, image in enumerate(images):
                name = f"array {index}" if isinstance(image, np.ndarray) else str(image)
                waiting.append((index, name, pool.submit(self._pixels, image, name)))
                if len(waiting) >= 64:
                    index, name, work = waiting.popleft()
                    yield index, name, work.result()
            for index, name, work in waiting:
                yield index, name, work.result()

    def _pixels(self, image: Image, name: str) -> UInt8[np.ndarray, "size size 3"] | ImageError:
        try:
            if isinstance(image, np.ndarray):
                return square_pixels(image, self.card.image, name)
            return load_pixels(Path(image), self.card.image, name)
        except ImageError as error:
            return error

    def _compiled(self, stop: threading.Event | None) -> tuple[OpenVinoBackbone, Parameters | None]:
        """A program, and the head to put on its output unless that is the logits already."""
        if self._network is None:
            card, size, head = self.card, self.card.image.size, None
            program = exported.existing(registry.get(card.backbone), card.weights, size)
            # The side file holds the model's digest, so this is its backbone, bit for bit.
            if program is not None and self.path.suffix == ".keras" and card.is_plain:
                head = read_head(self.path)
                logits = len(head.bias)
            else:
                program = self._own_program(stop)
                logits = program.features
            if logits != len(self.classes):
                raise ModelError(
                    f"{len(self.classes)} logits from {self.path.name}",
                    str(logits),
                    "keep the model and its side file together",
                )
            self._network = OpenVinoBackbone(program, size, batch_size(size)), head
        return self._network

    def _own_program(self, stop: threading.Event | None) -> Program:
        known: dict[str, Any] = {"backbone": self.card.backbone, "size": self.card.image.size}
        if not self.card.is_plain:
            known["plain"] = False
        recipe = {"model": file_digest(self.path), **known}
        return made(recipe, _TO_PROGRAM, {"file": str(self.path), **known}, stop)


def _logits(
    head: Parameters, features: Float32[np.ndarray, "images features"]
) -> Float32[np.ndarray, "images classes"]:
    # One at a time: the sums of a product depend on its shape, and an image must not on others.
    return np.concatenate([forward(head, row[np.newaxis]) for row in features])


def load(path: str | Path) -> Classifier:
    """Open a run folder, or a `.keras` or `.h5` file with its side file, for predictions.

    Raises `ModelError` if the model is missing or has parts that could run code of its own, or
    if its side file is missing or another model's.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        folder = RunFolder(path)
        folder.document()
        path = folder.best
    if not path.is_file():
        raise ModelError(
            "a run folder or a model file", f"nothing at {path}",
            "give the folder of a finished study, or a file from `manyheads export`",
        )  # fmt: skip
    if path.suffix not in MODEL_SUFFIXES:
        raise ModelError(
            f"a model file that ends with {' or '.join(MODEL_SUFFIXES)}", path.name,
            "give the run folder, or export it as keras",
        )  # fmt: skip
    card = read_card(path)
    preprocessing = registry.get(card.backbone).preprocessing
    if card.preprocessing != preprocessing:
        raise ModelError(
            f"{preprocessing} as the preprocessing of {card.backbone} in {card_path(path)}",
            card.preprocessing,
            "export the model again from its run folder",
        )
    check_parts(path)
    return Classifier(path, card)
