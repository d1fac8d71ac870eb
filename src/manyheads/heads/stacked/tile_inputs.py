"""What the heads of a tile are given, made on the host in the form that its programs take.

Samples, masks and first parameters are made once for all slots that share them: their arrays are
`[inputs, …]`, and each slot has the number of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from manyheads.heads.bank import HeadSettings
from manyheads.heads.fold import Fold
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.inputs import EpochInputs, TrainingInputs
from manyheads.heads.random import StreamsOf, UniformSource
from manyheads.heads.stacked.tile_arrays import DenseArrays, HeadNumbers, Steps
from manyheads.heads.stacked.tiles import Tile, stream_of

_BETA_1, _BETA_2 = np.float32(0.9), np.float32(0.999)
_NEVER = 1 << 30  # epochs: more than any head trains

Vectors = Float32[np.ndarray, "samples features"]


class StepRun(NamedTuple):
    """A run of steps; `vectors` are what their rows are of, None for the stored features."""

    steps: Steps
    vectors: Vectors | None


class ValidationRun(NamedTuple):
    """A run of validation samples `[folds, samples]`; those that are not real fill it up."""

    rows: Int32[np.ndarray, "folds samples"]
    labels: Int32[np.ndarray, "folds samples"]
    is_real: Bool[np.ndarray, "folds samples"]
    vectors: Vectors | None


class TileInputs:
    """Everything that the heads of a tile draw and are shown.

    `inputs` and `folds` `[slots]` are the numbers of each slot's own; `batches` `[slots, steps]`
    and `validated` `[slots]` count their samples. If the features are `stored` on the device, plain
    samples are shown by their rows.
    """

    def __init__(
        self,
        tile: Tile,
        heads: Sequence[HeadSettings],
        folds: Sequence[Fold],
        streams: StreamsOf,
        *,
        stored: bool,
    ) -> None:
        self.shape, self._stored = tile.shape, stored
        self._heads = [[heads[index] for index in slot] for slot in tile.places]
        firsts = [slot[0] for slot in self._heads]
        self._sharing, self.inputs = _numbered(firsts, stream_of)
        of_folds, self.folds = _numbered(firsts, lambda head: head.fold)
        self._folds = [folds[head.fold] for head in of_folds]
        self._streams = [streams(*head.stream) for head in self._sharing]
        self._training = [
            TrainingInputs(head.hyperparameters, folds[head.fold], draws)
            for head, draws in zip(self._sharing, self._streams, strict=True)
        ]
        self.settings = HeadNumbers(
            smoothing=self._of_heads(lambda head: head.hyperparameters.label_smoothing),
            twice_l2=self._of_heads(lambda head: 2 * head.hyperparameters.l2),
            decay=self._of_heads(lambda head: head.hyperparameters.weight_decay),
            momentum=self._of_heads(lambda head: head.hyperparameters.momentum),
            max_norm=self._of_heads(lambda head: head.hyperparameters.max_norm),
            epochs=self._of_heads(lambda head: head.epochs, np.int32),
            patience=self._of_heads(
                lambda head: _NEVER if head.patience is None else head.patience, np.int32
            ),
        )
        self.is_by_rows = stored and all(training.plain for training in self._training)
        self.units = [head.hyperparameters.size_inner for head in self._sharing]
        self.validated = np.array([len(folds[head.fold].validation) for head in firsts], np.int32)
        self.batches = np.array(
            [self._batches(len(folds[head.fold].train)) for head in firsts], np.float64
        )

    def _batches(self, samples: int) -> Int64[np.ndarray, "steps"]:
        """The samples of each step of an epoch."""
        before = np.arange(self.shape.steps) * self.shape.batch_size
        return np.minimum(samples - before, self.shape.batch_size)

    def _of_heads(self, value: Callable[[HeadSettings], float], dtype: Any = np.float32) -> Any:
        return np.array([[value(head) for head in slot] for slot in self._heads], dtype)

    def starts(self) -> tuple[DenseArrays, ...]:
        """The first parameters of the layers, `[inputs, …]`; what pads a head is zero."""
        shape = self.shape
        drawn = [
            draws.initial_parameters(shape.features, head.hyperparameters.size_inner, shape.classes)
            for head, draws in zip(self._sharing, self._streams, strict=True)
        ]
        inner_kernels, inner_biases, kernels, biases = zip(*drawn, strict=True)
        if not shape.width:
            kernel = _filled(kernels, (shape.features, shape.columns))
            return (DenseArrays(kernel, _filled(biases, (shape.columns,))),)
        return (
            DenseArrays(
                _filled(inner_kernels, (shape.features, shape.width)),
                _filled(inner_biases, (shape.width,)),
            ),
            DenseArrays(
                _filled(kernels, (shape.width, shape.classes)), _filled(biases, (shape.classes,))
            ),
        )

    def epoch(self, number: int) -> TileEpoch:
        """What the heads are shown, and draw, in an epoch, from 1."""
        return TileEpoch(
            self,
            number,
            [training.epoch(number) for training in self._training],
            [draws.uniforms(number) for draws in self._streams],
        )

    def validation(self, part: slice) -> ValidationRun:
        """The validation samples in `part`, which may reach beyond the last."""
        asked = np.arange(part.start, part.stop)
        real = [asked < len(fold.validation) for fold in self._folds]
        places = [np.where(each, asked, 0) for each in real]
        rows = [fold.validation[at] for fold, at in zip(self._folds, places, strict=True)]
        labels = [fold.validation_labels[at] for fold, at in zip(self._folds, places, strict=True)]
        shape, vectors = asked.shape, None
        if not self._stored:
            read = [fold.matrix[each] for fold, each in zip(self._folds, rows, strict=True)]
            rows, vectors = _in_one(read, len(asked))
        return ValidationRun(
            _filled(rows, shape, np.int32), _filled(labels, shape, np.int32),
            _filled(real, shape, np.bool_), vectors,
        )  # fmt: skip

    def droprates(self, epoch: int) -> Float32[np.ndarray, "slots lanes"]:
        """The share of inner units that each head hides in a step of `epoch`."""
        return self._of_heads(lambda head: head.hyperparameters.droprate_in(epoch))

    def learning_rates(self, first: int, count: int) -> Float32[np.ndarray, "steps slots lanes"]:
        """The learning rates of `count` steps, the first of them after `first` others."""
        known: dict[tuple[float, str, int], list[float]] = {}

        def of(setting: Hyperparameters) -> list[float]:
            key = setting.learning_rate, setting.learning_rate_schedule, setting.epochs
            if key not in known:
                known[key] = setting.learning_rates(first, count, self.shape.steps)
            return known[key]

        rates = [[of(head.hyperparameters) for head in slot] for slot in self._heads]
        return np.moveaxis(np.array(rates, np.float32), -1, 0)


class TileEpoch:
    """What the heads of a tile are shown, and draw, in one epoch; runs are asked for in order."""

    def __init__(
        self,
        inputs: TileInputs,
        number: int,
        shown: Sequence[EpochInputs],
        uniforms: Sequence[UniformSource],
    ) -> None:
        self._inputs, self._number = inputs, number
        self._shown, self._uniforms = shown, uniforms
        self.droprates = inputs.droprates(number)

    def run(self, first: int, count: int) -> StepRun:
        """`count` steps, of which the first has the number `first`, from 0.

        Those beyond the last of the epoch have no samples.
        """
        inputs, shape = self._inputs, self._inputs.shape
        batch, length = shape.batch_size, count * shape.batch_size
        start = first * batch
        parts = [
            each.part(slice(start, min(start + length, len(each.order)))) for each in self._shown
        ]
        places = [_places(len(part.rows), length, batch) for part in parts]
        rows = [part.rows[at] for part, at in zip(parts, places, strict=True)]
        vectors = None
        if not inputs.is_by_rows:
            read = [part.vectors[at] for part, at in zip(parts, rows, strict=True)]
            rows, vectors = _in_one(read, length)

        def in_steps(
            arrays: Sequence[np.ndarray], dtype: Any = np.float32, *more: int
        ) -> np.ndarray:
            filled = _filled(arrays, (length, *more), dtype)
            return np.swapaxes(filled.reshape(len(filled), count, batch, *more), 0, 1)

        def each(name: str) -> list[np.ndarray]:
            return [getattr(part, name)[at] for part, at in zip(parts, places, strict=True)]

        counts = [np.clip(len(part.rows) - np.arange(count) * batch, 0, batch) for part in parts]
        before = (self._number - 1) * shape.steps + first
        rates = inputs.learning_rates(before, count)
        steps = Steps(
            rows=in_steps(rows, np.int32),
            labels=in_steps(each("labels"), np.int32),
            partners=in_steps(each("partners"), np.int32),
            shares=in_steps(each("shares")),
            weights=in_steps(each("weights")),
            uniforms=in_steps(
                self._draw([len(part.rows) for part in parts]), np.float32, shape.width
            ),
            counts=np.swapaxes(_filled(counts, (count,), np.int32), 0, 1),
            sizes=rates if shape.sgd else _adam_sizes(rates, before),
            learning_rates=rates,
        )
        return StepRun(steps, vectors)

    def _draw(self, samples: Sequence[int]) -> list[Float32[np.ndarray, "samples units"]]:
        """The masks' numbers of each of the inputs; zeros, which hide nothing, for all of none."""
        hiding = set(self._inputs.inputs[self.droprates.max(axis=1) > 0])
        units = self._inputs.units
        return [
            source.random((count, width), dtype=np.float32)
            if number in hiding and width
            else np.zeros((count, width), np.float32)
            for number, (source, count, width) in enumerate(
                zip(self._uniforms, samples, units, strict=True)
            )
        ]


def _adam_sizes(
    rates: Float32[np.ndarray, "steps slots lanes"], before: int
) -> Float32[np.ndarray, "steps slots lanes"]:
    """Adam's step sizes, `rate · √(1 − β₂ᵗ) / (1 − β₁ᵗ)` in step t, the first after `before`."""
    one = np.float32(1)
    t = np.arange(before + 1, before + 1 + len(rates), dtype=np.float32)[:, None, None]
    return rates * np.sqrt(one - _BETA_2**t) / (one - _BETA_1**t)


def _places(samples: int, length: int, batch: int) -> Int64[np.ndarray, "length"]:
    """The sample at each place of the batches.

    Where a batch is short, its first sample: its features are in the batch anyway, so that a
    number among them that is not finite gets into no other.
    """
    place = np.arange(length)
    first = place // batch * batch
    return np.where(place < samples, place, np.where(first < samples, first, 0))


def _in_one(
    read: Sequence[Vectors], length: int
) -> tuple[list[Int64[np.ndarray, "samples"]], Vectors]:
    """Features `[samples, …]` of several inputs in one array, and the rows of each in it."""
    joined = _filled(read, (length, read[0].shape[1]))
    rows = [number * length + np.arange(length) for number in range(len(read))]
    return rows, joined.reshape(-1, joined.shape[-1])


def _filled(parts: Sequence[np.ndarray], shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """The parts in one array, each padded to `shape` with zeros.

    So are the parts themselves, to a power of two: a program is compiled for each size.
    """
    out = np.zeros((1 << (len(parts) - 1).bit_length(), *shape), dtype)
    for place, part in zip(out, parts, strict=False):
        place[tuple(map(slice, part.shape))] = part
    return out


def _numbered(
    heads: Sequence[HeadSettings], key: Callable[[HeadSettings], Hashable]
) -> tuple[list[HeadSettings], Int32[np.ndarray, "heads"]]:
    """The first head of each key, and for every head the number of its own."""
    numbers: dict[Hashable, int] = {}
    firsts = []
    for head in heads:
        if key(head) not in numbers:
            numbers[key(head)] = len(numbers)
            firsts.append(head)
    return firsts, np.array([numbers[key(head)] for head in heads], np.int32)
