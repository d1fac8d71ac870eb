"""Predictions by workers: shards of images, whose answers come in the order of the images."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from operator import length_hint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.backbones import exported, registry
from manyheads.backbones.exported import ProgramFiles
from manyheads.core.job import SILENT, Job
from manyheads.core.workers import Workers
from manyheads.data.image_inputs import Image, NamedImage, named
from manyheads.data.remarks import Remarks
from manyheads.data.remote_path import RemotePath
from manyheads.models.card import ModelCard, file_digest
from manyheads.models.prediction import Prediction
from manyheads.models.prediction_stream import PredictionStream
from manyheads.workers.opening import opened_workers

if TYPE_CHECKING:
    from manyheads.models.classifier import ImageClassifier

_SHARD = 256  # images, at most
_UNKNOWN = 64  # images of a shard where nobody knows how many come
_EACH = 4  # shards for each worker, at least, so that they end at about the same time

_ready: dict[tuple[str, str], ImageClassifier] = {}


@dataclass(frozen=True, kw_only=True)
class PredictionContext:
    """What all shards of a prediction share: the model at `path`, its card, and `options`.

    These are those of `Classifier.stream`. For other machines there are the backbone's `program`,
    if predictions run on it, and the `probe`, the digest of what the model says of generated
    pixels where the driver computes it; `file` is one of the images, "" for none.
    """

    path: str
    digest: str
    card: ModelCard
    options: dict[str, Any]
    program: ProgramFiles | None = None
    probe: str = ""
    file: str = ""


@dataclass(frozen=True)
class PredictedShard:
    """The answers to a shard's images in their order, and what they cost; see `PredictionStream`.

    `remarks` are what `Remarks` has counted.
    """

    entries: list[Prediction]
    passes: int
    from_cache: int
    remarks: tuple[int, int, int]


class SpreadPredictions(Iterator[Prediction]):
    """Predictions by workers, in the order of the images; made by `Classifier.stream`.

    They are those of a `PredictionStream`, bit for bit. The first comes once its shard is done, of
    256 images at most; answers of later shards wait for those before them. Processes of this
    machine share its feature cache; images of one content that are predicted at the same moment
    may each take a pass. `passes`, `from_cache` and `remarks` are as there.
    """

    def __init__(
        self,
        classifier: ImageClassifier,
        images: Iterable[Image],
        options: dict[str, Any],
        workers: int | str | Workers,
        job: Job = SILENT,
    ) -> None:
        self.passes = self.from_cache = 0
        self._classifier, self._options = classifier, options
        self._images, self._count = enumerate(images), length_hint(images)
        self._asked, self._job = workers, job
        self._remarks = Remarks()
        self._names: dict[int, list[str]] = {}
        self._predictions = self._predicted()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is worth saying of the files that were decoded until now, a line each."""
        return self._remarks.lines(self._classifier.card.image)

    def __next__(self) -> Prediction:
        return next(self._predictions)

    def close(self) -> None:
        """End before the last image."""
        self._predictions.close()

    def _predicted(self) -> Generator[Prediction]:
        first = self._shard(1)
        if not first:
            return
        with opened_workers(self._asked) as workers:
            assert workers is not None
            size = _UNKNOWN
            if self._count:
                size = -(-self._count // (_EACH * len(workers.resources())))
            context = self._context(first[0], workers)
            units = self._units(first, max(1, min(_SHARD, size)))
            check = None if workers.here else unlike_here
            waiting: dict[int, PredictedShard] = {}
            following = 0
            with closing(
                workers.map(predict_shard, context, units, check=check, job=self._job)
            ) as predicted:
                for number, shard in predicted:
                    waiting[number] = shard
                    while following in waiting:
                        yield from self._named(waiting.pop(following), self._names.pop(following))
                        following += 1
        self._job.check("predicting", "repeat the same command")

    def _shard(self, size: int) -> list[NamedImage]:
        # What is no image by its type raises: the program is wrong, and not one image.
        return [named(image, place) for place, image in islice(self._images, size)]

    def _units(self, first: list[NamedImage], size: int) -> Iterator[list[Any]]:
        shard, number = first + self._shard(size - 1), 0
        while shard:
            self._names[number] = [image.name for image in shard]
            yield [_sent(image) for image in shard]
            shard, number = self._shard(size), number + 1

    def _named(self, shard: PredictedShard, names: list[str]) -> Iterator[Prediction]:
        self.passes += shard.passes
        self.from_cache += shard.from_cache
        self._remarks.include(shard.remarks)
        for entry, name in zip(shard.entries, names, strict=True):
            yield replace(entry, image=name)

    def _context(self, first: NamedImage, workers: Workers) -> PredictionContext:
        classifier, path = self._classifier, self._classifier.path.absolute()
        card = classifier.card
        context = PredictionContext(
            path=str(path), digest=file_digest(path), card=card, options=self._options
        )
        if workers.here:
            return context
        spec = registry.from_card(card.backbone, card.preprocessing)
        known = exported.existing(spec, card.weights, card.image.size)
        return replace(
            context,
            probe=_probe(classifier),
            program=None if known is None else exported.program_files(known),
            file=_file_here(first),
        )


def predict_shard(context: PredictionContext, images: list[Any]) -> PredictedShard:
    """What the model says of `images`; called in a worker. Raises what `Classifier.stream` does."""
    # An iterator, whose paths are those of files as they stand.
    found = _opened(context).stream(iter(images), **context.options)
    assert isinstance(found, PredictionStream)  # without workers
    with closing(found):
        entries = list(found)
    return PredictedShard(entries, found.passes, found.from_cache, found.counts)


def unlike_here(context: PredictionContext) -> str:
    """Why this worker's predictions would not be the driver's, or ""; called in a worker."""
    path = Path(context.path)
    if not path.exists() or file_digest(path) != context.digest:
        return f"it does not find the model at {path}"
    if context.file and not Path(context.file).is_file():
        return f"it finds no file at {context.file}"
    if context.program is not None:
        exported.receive(context.program)
    if _probe(_opened(context)) != context.probe:
        return "its predictions for generated pixels are others"
    return ""


def _opened(context: PredictionContext) -> ImageClassifier:
    """The model of the context, which stays open for the next shard."""
    from manyheads.models.classifier import ImageClassifier

    key = context.path, context.digest
    if key not in _ready:
        _ready.clear()
        _ready[key] = ImageClassifier(Path(context.path), context.card)
    return _ready[key]


def _probe(classifier: ImageClassifier) -> str:
    size = classifier.card.image.size
    pixels = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    said = classifier.predict_prepared(pixels).probabilities
    return hashlib.sha256(np.ascontiguousarray(said).tobytes()).hexdigest()


def _file_here(image: NamedImage) -> str:
    there = isinstance(image.source, Path) and image.source.is_file()
    return str(_sent(image)) if there else ""


def _sent(image: NamedImage) -> Any:
    """The image as a worker takes it, which may have another working folder."""
    source = image.source
    if isinstance(source, RemotePath):
        return str(source)
    return str(source.absolute()) if isinstance(source, Path) else source
