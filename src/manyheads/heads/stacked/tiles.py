"""Which heads train together: heads of one shape, in tiles of a fixed size.

A tile has slots, and each slot has lanes, one for a head. The heads of a slot share their samples,
the order of these and the numbers that their masks are made of, which are stored once for all
lanes. A tile is always whole: copies of its first head fill the lanes that are left. So the number
of heads in a bank never changes the program that trains a head.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

from manyheads.heads.bank import HeadSettings
from manyheads.heads.fold import Fold
from manyheads.heads.hyperparameters import Hyperparameters

_VALIDATION = 32  # samples: their number is rounded up, for folds differ by one
_ADAM = 16  # the time of Adam's update, in samples of the products
_PLACES = 4096  # heads in a tile, at most
_ANSWERS = 1 << 28  # numbers that the heads of a tile say of all validation samples, at most
_GIVEN = 1 << 26  # float32 numbers that a call is given, at most
# Float32 numbers for each parameter: itself, two moments, the gradient, the chosen epoch's, and the
# former tile's chosen ones twice, as they are laid out for the host.
_COPIES = 7
_STORED = 1 << 30  # bytes of features of which JAX gets a copy where its memory is the processor's
_Item = TypeVar("_Item")


class Shape(NamedTuple):
    """What the heads of a tile have in common: the sizes of their arrays, and how they are trained.

    `width` is the number of inner units, rounded up; `matrix` identifies the features.
    """

    matrix: int
    features: int
    width: int
    classes: int
    batch_size: int
    steps: int
    validation: int
    sgd: bool
    bounded: bool

    @property
    def columns(self) -> int:
        """The columns that a head has in the kernel that takes the features."""
        return self.width or -(-self.classes // 4) * 4

    @property
    def parameters(self) -> int:
        """Numbers in the kernels of a head."""
        return self.features * self.columns + self.width * self.classes

    @property
    def work(self) -> int:
        """The time of a head's training step, in multiplications."""
        return self.parameters * (self.batch_size + _ADAM)


def shape_of(head: HeadSettings, fold: Fold) -> Shape:
    """The shape of the tile that trains `head`, which depends on nothing else."""
    return shape_for(
        head.hyperparameters,
        features=fold.matrix.shape[1],
        classes=fold.classes,
        train=len(fold.train),
        validation=len(fold.validation),
        matrix=id(fold.matrix),
    )


def shape_for(
    setting: Hyperparameters,
    *,
    features: int,
    classes: int,
    train: int,
    validation: int,
    matrix: int = 0,
) -> Shape:
    """The shape of the tile for a head of this `setting` on so many samples of a `matrix`."""
    return Shape(
        matrix=matrix,
        features=features,
        width=_rounded(setting.size_inner),
        classes=classes,
        batch_size=setting.batch_size,
        steps=-(-train // setting.batch_size),
        validation=-(-validation // _VALIDATION) * _VALIDATION,
        sgd=setting.optimizer == "sgd",
        bounded=setting.max_norm > 0,
    )


def _rounded(units: int) -> int:
    """`units`, rounded up to a multiple of 4, or of a 32nd to a 16th of them.

    Units that are added have weights of zero and stay so: their gradient is zero. Rounding lets
    heads of about one size share a compiled program.
    """
    multiple = max(4, 1 << max(0, units.bit_length() - 5))
    return -(-units // multiple) * multiple


def stream_of(head: HeadSettings) -> Hashable:
    """What decides a head's samples, their order and its masks: equal for the heads of a slot."""
    setting = head.hyperparameters
    return head.seed, head.fold, setting.size_inner, _shown_by(setting)


def _shown_by(setting: Hyperparameters) -> Hashable:
    return (
        setting.augmented_copies, setting.random_erasing, setting.dropblock,
        setting.dropblock_size, setting.mixup, setting.input_droprate, setting.class_weight,
        setting.balanced_batches,
    )  # fmt: skip


@dataclass(frozen=True)
class Capacity:
    """What a device computes at a time.

    A tile has slots of so many `lanes`, and about `parameters` parameters in all: enough to keep
    the device at work in a training step. It takes at most `memory` bytes, if that is known. A call
    takes `call` multiplications: a request to stop waits for it.
    """

    lanes: int
    parameters: int
    call: int
    memory: int | None = None

    @property
    def stored(self) -> int:
        """The bytes of features that may be stored beside the tiles, at most."""
        return _STORED if self.memory is None else self.memory // 2

    def slots(self, shape: Shape) -> int:
        """The slots of a tile of this shape: a power of two, so that a half is whole."""
        answers = shape.validation * shape.classes
        wanted = min(self.parameters // shape.parameters, _PLACES, _ANSWERS // answers)
        wanted //= self.lanes
        if self.memory is not None:
            wanted = min(wanted, self.memory // self.slot_bytes(shape))
        return 1 << max(0, wanted.bit_length() - 1)

    def slot_bytes(self, shape: Shape) -> int:
        """The memory of a slot: its heads, and what a step computes for them."""
        inputs = shape.batch_size * shape.features
        outputs = self.lanes * shape.batch_size * 4 * (shape.columns + shape.classes)
        answers = self.lanes * shape.validation * shape.classes
        return 4 * (_COPIES * self.lanes * shape.parameters + inputs + outputs + 3 * answers)


PROCESSOR = Capacity(lanes=1, parameters=1 << 20, call=3_000_000_000)
"""What the processor computes at a time."""


def steps_a_call(tile: Tile, call: int, *, by_rows: bool) -> int:
    """How many training steps of a tile one call takes; an epoch is cut into equal runs."""
    shape = tile.shape
    most = call // (tile.slots * tile.lanes * shape.work)
    # What a step is given: masks' numbers and, where features are not stored, these.
    a_sample = shape.width + (0 if by_rows else shape.features)
    most = min(most, _GIVEN // (tile.slots * shape.batch_size * max(1, a_sample)))
    return _equal_runs(shape.steps, max(1, most))


def samples_a_call(tile: Tile, call: int) -> int:
    """How many validation samples one call takes."""
    shape = tile.shape
    most = call // (tile.slots * tile.lanes * shape.parameters)
    most = min(most, _GIVEN // (tile.slots * shape.features))
    return _VALIDATION * _equal_runs(shape.validation // _VALIDATION, max(1, most // _VALIDATION))


def _equal_runs(whole: int, most: int) -> int:
    return -(-whole // -(-whole // most))


@dataclass(frozen=True)
class Tile:
    """Heads that train together: `slots` of `lanes` places, by their index in the bank."""

    shape: Shape
    slots: int
    lanes: int
    taken: tuple[tuple[int, ...], ...]

    @cached_property
    def heads(self) -> list[tuple[int, int, int]]:
        """Each head with its place: (head, slot, lane)."""
        return [
            (head, slot, lane)
            for slot, heads in enumerate(self.taken)
            for lane, head in enumerate(heads)
        ]

    @cached_property
    def places(self) -> list[list[int]]:
        """The head in every place `[slots][lanes]`, or the first of its slot, or of all."""
        rows = [list(heads) + [heads[0]] * (self.lanes - len(heads)) for heads in self.taken]
        return rows + [[self.taken[0][0]] * self.lanes] * (self.slots - len(rows))

    def halved(self) -> Iterator[Tile]:
        """The same heads in tiles of half the slots; nothing if there is one."""
        if self.slots > 1:
            half = self.slots // 2
            for taken in _runs(self.taken, half):
                yield Tile(self.shape, half, self.lanes, tuple(taken))


def tiles_of(
    heads: Sequence[HeadSettings], folds: Sequence[Fold], capacity: Capacity
) -> Iterator[Tile]:
    """The tiles that train `heads`; those that train for about as long, and share samples, meet."""
    by_shape: dict[Shape, dict[Hashable, list[int]]] = {}
    order = sorted(range(len(heads)), key=lambda index: heads[index].epochs)
    for index in order:
        head = heads[index]
        streams = by_shape.setdefault(shape_of(head, folds[head.fold]), defaultdict(list))
        streams[stream_of(head)].append(index)
    for shape, streams in by_shape.items():
        slots, lanes = capacity.slots(shape), capacity.lanes
        taken = [tuple(part) for each in streams.values() for part in _runs(each, lanes)]
        for part in _runs(taken, slots):
            yield Tile(shape, slots, lanes, tuple(part))


def _runs(items: Sequence[_Item], length: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), length):
        yield items[start : start + length]
