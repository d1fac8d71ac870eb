"""One shard of work: images in, stored features out; decoding and inference overlap."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Float32

from manyheads.backbones.compiled import CompiledBackbone
from manyheads.core.job import SILENT, Job
from manyheads.data.alterations import Alteration
from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from manyheads.data.remarks import Remarks
from manyheads.data.remote_path import FilePath, RemotePath
from manyheads.errors import ImageError, ImageLimitError, WorldError
from manyheads.features.image_batches import Pixels, image_batches
from manyheads.features.stage_times import DECODE, READ, StageTimes


class FeatureSink(Protocol):
    """Where the features of a shard go: a `FeatureCache`, or the memory of a worker."""

    def known(self, contents: Sequence[str]) -> set[str]:
        """Those of these contents that need no pass."""
        ...

    def add(
        self, contents: Sequence[str], features: Float32[np.ndarray, "rows *grid features"]
    ) -> None:
        """Store one row for each of these different contents."""
        ...

    def add_failure(self, content: str, reason: str) -> None:
        """Remember why a content is no image."""
        ...


def fill(
    cache: FeatureSink,
    images: Mapping[str, FilePath],
    backbone: CompiledBackbone,
    settings: ImageSettings,
    alteration: Alteration | None = None,
    job: Job = SILENT,
    remarks: Remarks | None = None,
    times: StageTimes | None = None,
) -> tuple[int, dict[str, str]]:
    """Compute and store what `cache` lacks of `images` (content → file): one shard of work.

    The backbone sees each image after its `alteration`, if there is one. Returns the number of
    passes, and why some files could not be read this time, though their content may be sound.
    What is worth saying of those that were read is added to the `remarks`, and where the time went
    to the `times`. Raises `Interrupted` once `job` is stopped.
    """
    times = times or StageTimes()
    shard = _Shard(cache, images, backbone.batch, job, times)
    shard.tell()

    def load(content: str) -> Pixels:
        return _load(images[content], content, settings, alteration, remarks, times, job)

    batches = image_batches(shard.absent(), load, backbone.batch, refused=shard.refuse, job=job)
    passes = 0
    for contents, features in times.network(backbone.run(times.images(batches), job=job)):
        with times.writing():
            cache.add(contents, features)
        passes += len(features)
        shard.count(len(features))
    job.check("extracting the features", "the same command goes on from there")
    return passes, shard.unread


class _Shard:
    """What of a shard's images is absent, and how far the work on them is."""

    def __init__(
        self,
        cache: FeatureSink,
        images: Mapping[str, FilePath],
        batch: int,
        job: Job,
        times: StageTimes,
    ) -> None:
        self._cache, self._images, self._batch = cache, images, batch
        self._job, self._times = job, times
        self._done = 0
        self.unread: dict[str, str] = {}

    def absent(self) -> Iterator[str]:
        """The contents that the cache lacks, looked up as they are drawn."""
        # In random order, so that processes that fill one cache rarely meet at one image.
        contents = list(self._images)
        starts = list(range(0, len(contents), self._batch))
        random.Random(os.urandom(8)).shuffle(starts)
        for start in starts:
            if self._job.stopped:
                return
            chunk = contents[start : start + self._batch]
            known = self._cache.known(chunk)
            self.count(len(known))
            yield from (content for content in chunk if content not in known)

    def refuse(self, content: str, error: ImageError) -> None:
        """Keep why there is no image in the file of `content`."""
        # With another limit, with an extra or at another time, it can be read.
        if isinstance(error, ImageLimitError):
            self.unread[content] = error.found
        else:
            self._cache.add_failure(content, error.found)
        self.count(1)

    def count(self, images: int) -> None:
        """So many images more are done."""
        self._done += images
        if images:
            self.tell()

    def tell(self) -> None:
        """Tell the job how many images are done, and what limits the rate."""
        self._job.progress(
            "extracting", self._done, len(self._images), limit=self._times.bottleneck
        )


def _load(
    path: FilePath,
    content: str,
    settings: ImageSettings,
    alteration: Alteration | None,
    remarks: Remarks | None,
    times: StageTimes,
    job: Job,
) -> Pixels:
    with times.in_thread(READ):
        data = _read(path, content, job)
    with times.in_thread(DECODE):
        pixels = load_pixels(data, settings, str(path), remarks)
        return pixels if alteration is None else alteration(pixels, content)


def _read(path: FilePath, content: str, job: Job) -> bytes:
    """The bytes of the file, which are still those of its `content`."""
    try:
        data = path.read_bytes() if isinstance(path, Path) else path.read_bytes(job=job)
        if isinstance(path, RemotePath) and hashlib.sha256(data).hexdigest() != content:
            data = path.read_bytes(fresh=True, job=job)  # what was kept was another version's
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ImageLimitError(f"to read {path}", reason, "try again") from error
    except WorldError as error:
        raise ImageLimitError(error.expected, error.found, error.remedy) from error
    # Otherwise other pixels would be kept under this content's name.
    if hashlib.sha256(data).hexdigest() != content:
        found = "the file has changed since the data set was opened"
        raise ImageLimitError(f"{path} as it was", found, "repeat the command")
    return data
