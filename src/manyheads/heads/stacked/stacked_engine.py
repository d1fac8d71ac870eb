"""The engine of accelerators: heads of one shape are trained together by JAX, a tile at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from manyheads.core import accelerators
from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted
from manyheads.errors import DeviceError, SettingError
from manyheads.heads.bank import EpochEnd, HeadEnd, HeadSettings
from manyheads.heads.epoch_rules import check_rule
from manyheads.heads.fold import Fold
from manyheads.heads.random import SeededStreams, StreamsOf
from manyheads.heads.stacked.kept_programs import keep_programs
from manyheads.heads.stacked.tile_inputs import TileInputs
from manyheads.heads.stacked.tile_training import TileTraining
from manyheads.heads.stacked.tiles import PROCESSOR, Capacity, Tile, tiles_of

# On an H200, slots of 4 and of 8 take the same time (`python -m benchmarks accelerator`), and fewer
# lanes are more often full.
_ACCELERATOR = Capacity(lanes=4, parameters=1 << 26, call=2_000_000_000_000)
_HEADROOM = 0.8  # of the memory that is free


class StackedEngine:
    """Trains a bank on JAX's first device, many heads in one program."""

    name = "stacked"

    def __init__(self, capacity: Capacity | None = None) -> None:
        self._capacity = capacity

    def train(
        self,
        heads: Sequence[HeadSettings],
        folds: Sequence[Fold],
        *,
        rule: str = "best_accuracy",
        streams: StreamsOf = SeededStreams,
        job: Job = SILENT,
    ) -> Generator[EpochEnd | HeadEnd]:
        """Train `heads` on their `folds`, yielding what happens as it happens.

        A tile that does not fit into the device's memory is halved, and its heads are then the
        same up to rounding. Raises `DeviceError` if one slot does not fit either, and if the
        device fails otherwise, and `SettingError` for samples of several labels.
        """
        check_rule(rule)
        if any(folds[head.fold].label_sets is not None for head in heads):
            raise SettingError(
                "one class per sample for the engine stacked", "several labels",
                "give `engine` fused or keras",
            )  # fmt: skip
        device = _device()
        keep_programs(device)
        capacity = self._capacity or capacity_of(device)
        stored = _StoredFeatures(capacity)
        tiles = deque(tiles_of(heads, folds, capacity))
        told: dict[int, int] = {}
        ends: deque[Future[list[HeadEnd]]] = deque()
        with ThreadPoolExecutor(1) as fetching:
            while tiles and not job.stopped:
                tile = tiles.popleft()
                fold = folds[heads[tile.heads[0][0]].fold]
                training = None  # frees the former tile's before this one's is made
                try:
                    matrix = stored.of(fold.matrix)
                    inputs = TileInputs(tile, heads, folds, streams, stored=matrix is not None)
                    training = TileTraining(tile, inputs, heads, matrix, rule, capacity.call, job)
                    for event in training.epochs():
                        # What a tile told before its memory was short is not told again.
                        if event.epoch > told.get(event.head, 0):
                            told[event.head] = event.epoch
                            yield event
                    ends.append(fetching.submit(training.ends, training.chosen()))
                except jax.errors.JaxRuntimeError as error:
                    training = None
                    halves = list(tile.halved()) if accelerators.is_out_of_memory(error) else []
                    if not halves:
                        raise _device_error(device, tile, error) from error
                    job.note(
                        f"{device.device_kind}: memory for {counted(_places(tile), 'head')} at a "
                        f"time is not there; going on with {_places(halves[0])}"
                    )
                    tiles.extendleft(reversed(halves))
                # The next tile trains while the parameters of this one are fetched.
                while ends and ends[0].done():
                    yield from _fetched(ends.popleft(), device)
            for end in ends:
                yield from _fetched(end, device)


class _StoredFeatures:
    """Feature matrices on the device, one at a time, for tiles come in the order of these."""

    def __init__(self, capacity: Capacity) -> None:
        self._most = capacity.stored
        self._matrix: np.ndarray | None = None
        self._copy: Any = None

    def of(self, matrix: np.ndarray) -> Any:
        """`matrix` on the device; None if it is too large."""
        if matrix.nbytes > self._most:
            return None
        if self._matrix is not matrix:
            self._matrix, self._copy = matrix, None  # frees the former one first
            self._copy = jax.device_put(np.ascontiguousarray(matrix))
        return self._copy


def capacity_of(device: Any) -> Capacity:
    """What a JAX `device` is given at a time."""
    if device.platform == "cpu":
        return PROCESSOR
    memory = device.memory_stats() or {}
    free = memory.get("bytes_limit", 0) - memory.get("bytes_in_use", 0)
    return replace(_ACCELERATOR, memory=int(free * _HEADROOM) or None)


def _device() -> Any:
    try:
        return jax.devices()[0]
    except RuntimeError as error:
        raise DeviceError(
            "a device that JAX computes on",
            str(error).splitlines()[0],
            "check its driver, set JAX_PLATFORMS=cpu, or choose the engine fused",
        ) from error


def _places(tile: Tile) -> int:
    return tile.slots * tile.lanes


def _fetched(ends: Future[list[HeadEnd]], device: Any) -> list[HeadEnd]:
    """The ends of a tile, for whose parameters the device may still have to compute."""
    try:
        return ends.result()
    except jax.errors.JaxRuntimeError as error:
        raise _failed(device, error) from error


def _device_error(device: Any, tile: Tile, error: Exception) -> DeviceError:
    if not accelerators.is_out_of_memory(error):
        return _failed(device, error)
    return DeviceError(
        f"memory on {device.device_kind} for {counted(_places(tile), 'head')} of "
        f"{tile.shape.parameters:,} parameters",
        _first_line(error),
        "free the device, or choose the engine fused",
    )


def _failed(device: Any, error: Exception) -> DeviceError:
    return DeviceError(
        f"{device.device_kind} to compute", _first_line(error),
        "repeat the command, which resumes; if it fails again, choose the engine fused",
    )  # fmt: skip


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
