"""A few images do not cost a whole batch: single ones, where they get the same bits.

A program runs batches of one size, so that every pass is the same computation; a single image in it
costs as much as sixteen. Compiled for one image it may compute otherwise, and then features would
depend on what is beside an image. So both are asked about the same images, once for each program on
a machine, and only one that gives the same bits takes the place of a padded batch.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Any, Self

import numpy as np

from manyheads.backbones.compiled import Batch, Computed, Key, OpenVinoBackbone, loaded
from manyheads.backbones.exported import Program
from manyheads.core import openvino_runtime
from manyheads.core.job import SILENT, Job
from manyheads.core.machine import cores
from manyheads.core.measurements import remember, remembered
from manyheads.core.settings import digest

_FILE = "single.json"
_PROBED = 16  # images, at least one batch


class SingleImageBackbone:
    """A program that runs whole batches, and what is left over one by one where that is the same.

    About so many `images` are to pass. It compiles what it needs when it needs it, and is a
    `CompiledBackbone`, with its laws.
    """

    def __init__(self, program: Program, size: int, images: int = 0) -> None:
        self.features, self.batch = program.features, program.batch_for(size)
        self._program, self._size, self._images = program, size, images
        self._whole: OpenVinoBackbone | None = None
        self._single: OpenVinoBackbone | None = None
        self._same: bool | None = None if self.batch > 1 else False

    def run(
        self, batches: Iterable[tuple[Key, Batch]], *, job: Job = SILENT
    ) -> Generator[tuple[Key, Computed]]:
        """As `CompiledBackbone.run`; batches that are not full come last."""
        few: list[tuple[Key, Batch]] = []

        def full() -> Iterator[tuple[Key, Batch]]:
            for key, pixels in batches:
                if len(pixels) < self.batch:
                    few.append((key, pixels))
                else:
                    yield key, pixels

        yield from self._whole_batches(full(), job)
        # Only now, with no batch under way: measuring uses the program that runs them.
        if few and not self.same_alone:
            yield from self._whole_batches(iter(few), job)
            return
        for key, pixels in few:
            rows = dict(self._for_one().run(_one_by_one(pixels), job=job))
            if len(rows) < len(pixels):  # it was stopped
                return
            yield key, np.concatenate([rows[place] for place in range(len(pixels))])

    def _whole_batches(
        self, batches: Iterator[tuple[Key, Batch]], job: Job
    ) -> Iterator[tuple[Key, Computed]]:
        first = next(batches, None)
        if first is not None:
            yield from self._for_batches().run(chain([first], batches), job=job)

    @property
    def same_alone(self) -> bool:
        """Whether an image alone gets the features that it has in a batch; measured, or known."""
        if self._same is None:
            known, name = remembered(_FILE), self._known_as()
            found = known.get(name)
            if not isinstance(found, bool):
                found = self._measured()
                remember(_FILE, name, found)
            self._same = found
        return self._same

    def _measured(self) -> bool:
        random = np.random.default_rng(0)
        shape = (max(_PROBED, self.batch), self._size, self._size, 3)
        probe = random.integers(0, 256, shape, np.uint8)
        probe[::3] //= 5  # dark ones
        probe[1::3, :, :, :] = probe[1::3, :1, :1, :]  # of one colour
        try:
            alone = dict(self._for_one().run(_one_by_one(probe)))
        except RuntimeError:  # a network that is built for batches of one size
            self._single = None
            return False
        parts = [(n, probe[n : n + self.batch]) for n in range(0, len(probe), self.batch)]
        together = dict(self._for_batches().run(parts))
        rows = np.concatenate([together[n] for n, _ in parts])
        return all(np.array_equal(alone[n][0], row) for n, row in enumerate(rows))

    def _for_batches(self) -> OpenVinoBackbone:
        if self._whole is None:
            self._whole = loaded(self._program, self._size, self._images)
        return self._whole

    def _for_one(self) -> OpenVinoBackbone:
        if self._single is None:
            self._single = OpenVinoBackbone(self._program, self._size, 1)
        return self._single

    def _known_as(self) -> str:
        processor = openvino_runtime.core().get_property("CPU", "FULL_DEVICE_NAME")
        version = openvino_runtime.openvino().get_version()
        told: list[Any] = [self._program.path.parent.name, self.batch, processor, cores(), version]
        return digest(told)[:32]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._whole = self._single = None


def _one_by_one(pixels: Batch) -> Iterator[tuple[int, Batch]]:
    return ((place, pixels[place : place + 1]) for place in range(len(pixels)))
