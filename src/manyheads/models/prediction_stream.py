"""Images → predictions in their order: decoding, cache and inference overlap, in flat memory."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from operator import length_hint
from pathlib import Path

import numpy as np

from manyheads.core.job import SILENT, Job
from manyheads.core.machine import cores
from manyheads.data.data_settings import ImageSettings
from manyheads.data.image_inputs import Image, Source, named, square_of
from manyheads.data.images import read_image_file
from manyheads.data.remarks import Remarks
from manyheads.data.remote_files import READERS
from manyheads.data.remote_path import RemotePath
from manyheads.errors import ImageError, ImageLimitError
from manyheads.features.image_batches import Batch, Pixels, image_batches
from manyheads.models.known_features import KnownFeatures
from manyheads.models.network import Network, Row
from manyheads.models.prediction import Prediction

_MOST = 256  # answers that may wait for those of images before them


@dataclass
class _Asked:
    """An image on its way to its answer: `found` is a row of numbers, or why there is none.

    `data` are the bytes of a file, or the pixels as the model takes them of what was in memory;
    `content` is their SHA-256. Features of files are kept.
    """

    name: str
    content: str = ""
    data: bytes | Pixels | None = None
    found: Row | str | None = None

    @property
    def kept(self) -> bool:
        return isinstance(self.data, bytes)


class PredictionStream(Iterator[Prediction]):
    """Predictions as they come, in the order of the images; made by `Classifier.stream`.

    `passes` counts the images that went through the network until now, `from_cache` those whose
    features were known. However many images there are, some hundred are held at a time. `remarks`
    are lines on what was worth saying of the files that were read until now.
    """

    def __init__(
        self,
        network: Network,
        settings: ImageSettings,
        images: Iterable[Image],
        answer: Callable[[str, str, Row], Prediction],
        *,
        cache: bool = True,
        job: Job = SILENT,
    ) -> None:
        self.passes = self.from_cache = 0
        self._network, self._settings, self._answer = network, settings, answer
        self._images, self._count, self._job = images, length_hint(images), job
        self._recipe = network.recipe if cache else None
        self._line: deque[_Asked] = deque()
        self._ready, self._over = 0, False
        self._remarks = Remarks()
        self._predictions = self._predicted()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is worth saying of the files that were decoded until now, a line each."""
        return self._remarks.lines(self._settings)

    @property
    def counts(self) -> tuple[int, int, int]:
        """What the remarks were counted from, for `Remarks.include`."""
        return self._remarks.counts

    def __next__(self) -> Prediction:
        return next(self._predictions)

    def close(self) -> None:
        """End before the last image."""
        self._predictions.close()

    def _predicted(self) -> Generator[Prediction]:
        pool, known = ThreadPoolExecutor(cores(), "decode"), KnownFeatures(self._recipe)
        # Threads begin with their work: of files that are here, there is none of these.
        fetching = ThreadPoolExecutor(READERS, "fetch")
        try:
            incoming = self._looked_up(pool, fetching, known)
            while not self._over:
                batches = self._batches(pool, known, incoming)
                for places, rows in self._network.rows(batches, self._count, self._job):
                    self.passes += len(rows)
                    known.add(
                        {a.content: row for a, row in zip(places, rows, strict=True) if a.kept}
                    )
                    for asked, row in zip(places, rows, strict=True):
                        self._settle(asked, row)
                    yield from self._settled()
                self._job.check("predicting", "repeat the same command")
                yield from self._settled()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            fetching.shutdown(wait=True, cancel_futures=True)
            known.close()

    def _settled(self) -> Iterator[Prediction]:
        while self._line and (found := self._line[0].found) is not None:
            asked = self._line.popleft()
            self._ready -= 1
            if isinstance(found, str):
                yield Prediction(asked.name, None, float("nan"), {}, found)
            else:
                yield self._answer(asked.name, asked.content, found)

    def _settle(self, asked: _Asked, found: Row | str) -> None:
        asked.found, asked.data = found, None
        self._ready += 1

    def _batches(
        self, pool: ThreadPoolExecutor, known: KnownFeatures, incoming: Iterator[_Asked]
    ) -> Iterator[Batch[_Asked]]:
        """Batches of what needs a pass, for as long as not too many others wait for them."""

        def load(asked: _Asked) -> Pixels:
            if isinstance(asked.data, bytes):
                return square_of(asked.data, self._settings, asked.name, self._remarks)
            return np.asarray(asked.data)

        def refused(asked: _Asked, error: ImageError) -> None:
            # With another limit, or with an extra, it can be read.
            if asked.kept and not isinstance(error, ImageLimitError):
                known.add_failure(asked.content, error.found)
            self._settle(asked, error.found)

        return image_batches(
            self._unknown(incoming), load, self._network.batch,
            refused=refused, job=self._job, pool=pool,
        )  # fmt: skip

    def _unknown(self, incoming: Iterator[_Asked]) -> Iterator[_Asked]:
        """Put images in the line; those that need a pass are yielded."""
        while self._ready < _MOST:
            asked = next(incoming, None)
            if asked is None:
                self._over = True
                return
            self._line.append(asked)
            if asked.found is None:
                yield asked
            else:
                self._ready += 1

    def _looked_up(
        self, pool: ThreadPoolExecutor, fetching: ThreadPoolExecutor, known: KnownFeatures
    ) -> Iterator[_Asked]:
        """Each image with its content, and with its features if they are known."""
        for part in self._read(pool, fetching):
            contents = {asked.content: None for asked in part if asked.kept}
            found = known.find(list(contents))
            for asked in part:
                if asked.kept and asked.content in found:
                    asked.found, asked.data = found[asked.content], None
                    self.from_cache += not isinstance(asked.found, str)
                yield asked

    def _read(
        self, pool: ThreadPoolExecutor, fetching: ThreadPoolExecutor
    ) -> Iterator[list[_Asked]]:
        """The images a batch at a time, read on threads, another batch ahead."""
        size = self._network.batch
        waiting: deque[Future[_Asked]] = deque()
        for index, image in enumerate(self._images):
            # What is no image by its type raises: the program is wrong, and not one image.
            name, source = named(image, index)
            readers = fetching if isinstance(source, RemotePath) else pool
            waiting.append(readers.submit(self._asked, name, source))
            if len(waiting) == 2 * size:
                yield [waiting.popleft().result() for _ in range(size)]
        yield [work.result() for work in waiting]

    def _asked(self, name: str, source: Source) -> _Asked:
        """The image with its content; what is in memory becomes what the model takes of it."""
        try:
            if isinstance(source, Path | RemotePath):
                source = read_image_file(source, self._job)
            if isinstance(source, bytes):
                return _Asked(name, hashlib.sha256(source).hexdigest(), source)
            pixels = square_of(source, self._settings, name)
        except ImageError as error:
            return _Asked(name, found=error.found)
        return _Asked(name, hashlib.sha256(pixels.tobytes()).hexdigest(), pixels)
