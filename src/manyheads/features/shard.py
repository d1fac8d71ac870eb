"""One shard of work: images in, stored features out; decoding and inference overlap."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from manyheads.backbones.compiled import CompiledBackbone
from manyheads.core.machine import cores
from manyheads.data.alterations import Alteration
from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from manyheads.data.remarks import Remarks
from manyheads.errors import ImageError, ImageLimitError, Interrupted
from manyheads.features.cache import FeatureCache

Progress = Callable[[int, int], None]
Pixels = UInt8[np.ndarray, "size size 3"]


def fill(
    cache: FeatureCache,
    images: Mapping[str, Path],
    backbone: CompiledBackbone,
    settings: ImageSettings,
    alteration: Alteration | None = None,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    remarks: Remarks | None = None,
) -> tuple[int, dict[str, str]]:
    """Compute and store what `cache` lacks of `images` (content → file): one shard of work.

    The backbone sees each image after its `alteration`, if there is one. Returns the number of
    passes, and why some files could not be read this time, though their content may be sound.
    What is worth saying of those that were read is added to the `remarks`. Raises `Interrupted`
    once `stop` is set.
    """
    shard = _Shard(cache, images, backbone.batch, settings, alteration, progress, stop, remarks)
    passes = 0
    for contents, features in backbone.run(shard.batches(), stop=stop):
        cache.add(contents, features)
        passes += len(features)
        shard.count(len(features))
    shard.check_stop()
    return passes, shard.unread


class _Shard:
    """The decoding side of `fill`: images in, batches out, with a bounded number in between."""

    def __init__(
        self,
        cache: FeatureCache,
        images: Mapping[str, Path],
        batch: int,
        settings: ImageSettings,
        alteration: Alteration | None,
        progress: Progress | None,
        stop: threading.Event | None,
        remarks: Remarks | None,
    ) -> None:
        self._remarks = remarks
        self._cache, self._images, self._batch = cache, images, batch
        self._settings, self._alteration = settings, alteration
        self._progress, self._stop = progress, stop
        self._done = 0
        self.unread: dict[str, str] = {}

    def batches(self) -> Iterator[tuple[list[str], UInt8[np.ndarray, "n size size 3"]]]:
        batch: list[tuple[str, Pixels]] = []
        for content, pixels in self._decoded():
            batch.append((content, pixels))
            if len(batch) == self._batch:
                yield [content for content, _ in batch], np.stack([image for _, image in batch])
                batch = []
        if batch and not self._stopped():
            yield [content for content, _ in batch], np.stack([image for _, image in batch])

    def count(self, images: int) -> None:
        self._done += images
        if self._progress is not None and images:
            self._progress(self._done, len(self._images))

    def check_stop(self) -> None:
        if self._stopped():
            raise Interrupted("extracting the features", "the same command goes on from there")

    def _stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def _decoded(self) -> Iterator[tuple[str, Pixels]]:
        waiting: deque[tuple[str, Future[Pixels]]] = deque()
        threads = cores()
        pool = ThreadPoolExecutor(threads, "decode")
        try:
            for content in self._absent():
                path = self._images[content]
                work = pool.submit(
                    _load, path, content, self._settings, self._alteration, self._remarks
                )
                waiting.append((content, work))
                if len(waiting) >= self._batch + threads:
                    yield from self._settled(*waiting.popleft())
            while waiting and not self._stopped():
                yield from self._settled(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _absent(self) -> Iterator[str]:
        # In random order, so that processes that fill one cache rarely meet at one image.
        contents = list(self._images)
        starts = list(range(0, len(contents), self._batch))
        random.Random(os.urandom(8)).shuffle(starts)
        for start in starts:
            if self._stopped():
                return
            chunk = contents[start : start + self._batch]
            known = self._cache.known(chunk)
            self.count(len(known))
            yield from (content for content in chunk if content not in known)

    def _settled(self, content: str, work: Future[Pixels]) -> Iterator[tuple[str, Pixels]]:
        if self._stopped():
            return
        try:
            yield content, work.result()
        except ImageLimitError as error:  # another limit, or an extra, lets it be read
            self.unread[content] = error.found
            self.count(1)
        except ImageError as error:
            self._cache.add_failure(content, error.found)
            self.count(1)
        except _NotRead as error:
            self.unread[content] = str(error)
            self.count(1)


class _NotRead(Exception):
    """A file could not be read this time; its content may be sound."""


def _load(
    path: Path,
    content: str,
    settings: ImageSettings,
    alteration: Alteration | None,
    remarks: Remarks | None,
) -> Pixels:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _NotRead((error.strerror or str(error)).lower()) from error
    # Otherwise other pixels would be kept under this content's name.
    if hashlib.sha256(data).hexdigest() != content:
        raise _NotRead("the file has changed since the data set was opened")
    pixels = load_pixels(data, settings, str(path), remarks)
    return pixels if alteration is None else alteration(pixels, content)
