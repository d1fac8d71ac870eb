"""Candidates drawn from ranges and lists of hyperparameters, in place of all combinations.

A quasi-random sequence covers the ranges more evenly than chance does, and the first n of N
candidates are the same for every N, so that a study can go on with more of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from jaxtyping import Float64

from manyheads.core.settings import store, whole
from manyheads.core.text import counted
from manyheads.errors import SettingError
from manyheads.heads.hyperparameters import ADAMW, LESSON, NEUTRAL, Hyperparameters
from manyheads.heads.ranges import Item, Range, item_of, value_at
from manyheads.study.space import (
    HYPERPARAMETERS,
    Candidates,
    Grid,
    idle_of,
    require_distinct,
)
from manyheads.study.weight_files import with_read_weights

MAX_CANDIDATES = 10_000
_BITS = 30  # of a coordinate
_TRIES = 30  # points for each candidate wanted, some of which make a candidate that is there

Row = tuple[Any, ...]


class DrawnCandidates(Candidates):
    """Candidates with values drawn from what is `asked`: by name, values and ranges in a list.

    `rows` are their values in the order of the hyperparameters, and `seed` is that of the draw.
    Of a list each item is equally likely. Where a hyperparameter has no effect it has its neutral
    value (a droprate without an inner layer: 0), and no two candidates are the same head.
    """

    def __init__(
        self, asked: Mapping[str, Sequence[Item]], seed: int, rows: Sequence[Sequence[Any]]
    ) -> None:
        columns = zip(*rows, strict=True)
        super().__init__(
            **{
                name: _in_order(asked[name], column)
                for name, column in zip(HYPERPARAMETERS, columns, strict=True)
            }
        )
        store(
            self, asked={name: tuple(asked[name]) for name in HYPERPARAMETERS}, seed=seed,
            rows=tuple(map(tuple, rows)),
        )  # fmt: skip

    asked: dict[str, tuple[Item, ...]]
    seed: int
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Hyperparameters:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return Hyperparameters(**dict(zip(HYPERPARAMETERS, self.rows[index], strict=True)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DrawnCandidates):
            return NotImplemented
        return (self.asked, self.seed, self.rows) == (other.asked, other.seed, other.rows)

    def __hash__(self) -> int:
        return hash((self.seed, self.rows))

    def __repr__(self) -> str:
        return f"{len(self)} candidates drawn from {self.asked} with the seed {self.seed}"

    def listed(self, name: str) -> tuple[Item, ...]:
        """The values and ranges that were asked for."""
        return self.asked[name]

    @property
    def drawn(self) -> DrawnCandidates:
        """These."""
        return self

    def with_epochs(self, epochs: int) -> DrawnCandidates:
        """The same draw with one number of epochs."""
        place = HYPERPARAMETERS.index("epochs")
        rows = [(*row[:place], epochs, *row[place + 1 :]) for row in self.rows]
        return DrawnCandidates({**self.asked, "epochs": (epochs,)}, self.seed, rows)

    @property
    def remarks(self) -> list[str]:
        """The same as of a grid; nothing where the number of epochs is drawn too."""
        return [] if len(self.epochs) > 1 else super().remarks


def candidates_of(
    given: Mapping[str, Sequence[Any]], candidates: object = None, draw_seed: object = None
) -> Candidates:
    """The candidates that lists of values come to: all combinations, or so many `candidates` drawn.

    What is not given has its usual value. Raises `SettingError` for a range where no number of
    candidates is given, for more candidates than there are combinations, and as `Grid` does.
    """
    given = with_read_files(given)
    asked: dict[str, tuple[Item, ...]] = {}
    for name in HYPERPARAMETERS:
        if name in given or name in LESSON:
            asked[name] = tuple(item_of(name, each) for each in given.get(name, ()))
        else:
            asked[name] = (NEUTRAL[name],)
    ranges = [(name, item) for name, items in asked.items() for item in items
              if isinstance(item, Range)]  # fmt: skip
    if candidates is None:
        if ranges:
            name, item = ranges[0]
            raise SettingError(
                f"`candidates`, the number to draw, with the range of `{name}`",
                f"{item} without it", "add `candidates` 40, or list values by spaces",
            )  # fmt: skip
        if draw_seed is not None:
            raise SettingError(
                "`candidates` to draw with a `draw_seed`", f"`draw_seed` {draw_seed} alone",
                "add `candidates` 40, or leave it out",
            )  # fmt: skip
        return Grid(**asked)
    seed = 0 if draw_seed is None else whole("draw_seed", draw_seed, 0, 2**31 - 1)
    return drawn_candidates(asked, whole("candidates", candidates, 2, MAX_CANDIDATES), seed)


def with_read_files(given: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
    """`given`, with what files say in the place of their names."""
    if "class_weight" not in given:
        return given
    return {**given, "class_weight": with_read_weights(given["class_weight"])}


def drawn_candidates(asked: Mapping[str, Sequence[Item]], count: int, seed: int) -> DrawnCandidates:
    """So many different candidates from what is asked: the first ones of the sequence of `seed`.

    Raises `SettingError` if there are not so many, and for what has no effect in any of them.
    """
    for name, items in asked.items():
        if not items:
            raise SettingError(f"at least one {name}", "none", f"give {name} a value")
        require_distinct(name, items)
    Grid(**{name: _corners(items) for name, items in asked.items()})  # checks what has an effect
    free = [name for name, items in asked.items() if len(items) > 1 or _is_range(items[0])]
    sizes = [len(items) for items in asked.values() if not any(map(_is_range, items))]
    if len(sizes) == len(asked) and math.prod(sizes) < count:
        raise _too_few(count, math.prod(sizes))
    rows: dict[Row, None] = {}
    for tried, point in enumerate(even_points(len(free), count, seed)):
        if len(rows) == count or tried == _TRIES * count:
            break
        row = _row(asked, dict(zip(free, point, strict=True)))
        if row is not None:
            rows.setdefault(row)
    if len(rows) < count:
        raise _too_few(count, len(rows))
    return DrawnCandidates(asked, seed, list(rows))


def _too_few(count: int, found: int) -> SettingError:
    if found < 2:
        return SettingError(
            "a range, or several values of a hyperparameter, to draw from", "one candidate",
            "give a range, such as `learning_rate` 1e-4..1e-1, or leave out `candidates`",
        )  # fmt: skip
    return SettingError(
        f"`candidates` to be at most {found:,}, as many as there are that differ", f"{count:,}",
        "draw fewer, widen a range, or leave out `candidates` where there are lists alone",
    )  # fmt: skip


def _row(asked: Mapping[str, Sequence[Item]], point: Mapping[str, float]) -> Row | None:
    """The setting at a point of the unit cube; None for an adamw that is adam, where both are."""
    values = {}
    for name, items in asked.items():
        place = point.get(name, 0.0) * len(items)
        values[name] = value_at(name, items[int(place)], place - int(place))
    values |= idle_of(values)
    if values["size_inner"] == 0:
        values["droprate"] = 0.0
    if "adam" in asked["optimizer"] and ADAMW.when(SimpleNamespace(**values)):
        return None  # it is adam
    return tuple(values[name] for name in HYPERPARAMETERS)


def even_points(
    dimensions: int, count: int, seed: int
) -> Iterator[Float64[np.ndarray, "dimensions"]]:
    """Points of the unit cube, without end: Sobol's sequence with a digital shift.

    Coordinate j of point i is `(x_ij XOR s_j + 1/2) / 2³⁰` with x of Joe and Kuo (2008) and s drawn
    from Philox with the key `seed`. A shift keeps the evenness of the sequence and makes every
    single point uniform. Nothing in it changes with the version of a library.
    """
    from scipy.stats.qmc import Sobol

    if not dimensions:
        return
    sequence = Sobol(dimensions, scramble=False, bits=_BITS)
    shift = np.random.Philox(key=seed).random_raw(dimensions) >> np.uint64(64 - _BITS)
    while True:
        block = sequence.random(1 << max(4, (count - 1).bit_length()))
        whole_numbers = np.round(block * 2**_BITS).astype(np.uint64)
        yield from ((whole_numbers ^ shift) + 0.5) / 2**_BITS


def _is_range(item: Item) -> bool:
    return isinstance(item, Range)


def _corners(items: Sequence[Item]) -> tuple[Any, ...]:
    """The least and the greatest of numbers, and all words."""
    if any(isinstance(item, str) for item in items):
        return tuple(items)
    ends = [end for item in items
            for end in ((item.low, item.high) if isinstance(item, Range) else (item,))]  # fmt: skip
    return tuple(dict.fromkeys([min(ends), max(ends)]))


def _in_order(items: Sequence[Item], column: Sequence[Any]) -> tuple[Any, ...]:
    """The values that are there: numbers ascending, words as they are listed, neutral ones last."""
    found = set(column)
    if any(isinstance(value, str) for value in found):
        return (*(item for item in items if item in found), *sorted(found - set(items)))
    return tuple(sorted(found))


def drawn_words(candidates: DrawnCandidates) -> str:
    """How many candidates were drawn: `40 candidates drawn`, with the seed if that is not 0."""
    seed = f" with the seed {candidates.seed}" if candidates.seed else ""
    return f"{counted(len(candidates), 'candidate')} drawn{seed}"
