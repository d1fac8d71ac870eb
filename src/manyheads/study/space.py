"""The space of a study: candidates × seeds × folds, sized and indexed without being listed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass, replace
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from manyheads.core.settings import store
from manyheads.core.text import counted as counted
from manyheads.errors import SettingError
from manyheads.heads.class_weights import weight_words
from manyheads.heads.hyperparameters import (
    ADAMW,
    DECLARED,
    IDLE,
    LESSON,
    NAMES,
    NEUTRAL,
    TOLD_IF_CHANGED,
    Hyperparameters,
    Idle,
    check,
    unchanging,
)
from manyheads.heads.ranges import Item, Range

HYPERPARAMETERS = NAMES
OF_TRAINING = ("epochs", "batch_size", "learning_rate_schedule")
"""How long, in what batches and at which rates heads train: told apart from what they are."""
MAX_TRIALS = 1_000_000
_MAX_COMBINATIONS = 10_000_000


def value_words(name: str, value: Item) -> str:
    """A hyperparameter's value or range for people; an inner layer of no units is none."""
    if name == "class_weight":
        return weight_words(str(value))
    if isinstance(value, str | Range):
        return str(value)
    return "none" if name == "size_inner" and not value else f"{value:g}"


def setting_words(setting: Hyperparameters, varying: Sequence[str]) -> str:
    """A candidate by what sets it apart: `droprate 0.5`.

    If nothing varies, by the lesson's hyperparameters and all others that have an effect.
    """
    names = varying or shown_names(setting)
    return ", ".join(f"{name} {value_words(name, getattr(setting, name))}" for name in names)


def shown_names(*settings: Hyperparameters) -> tuple[str, ...]:
    """The lesson's hyperparameters, and all others that differ from their defaults in `settings`.

    How long and in what batches a head trains is told elsewhere.
    """
    return tuple(
        name
        for name in NAMES
        if name in LESSON
        or (
            name not in OF_TRAINING
            and any(getattr(each, name) != NEUTRAL[name] for each in settings)
        )
    )


def require_distinct(name: str, listed: Sequence[Item]) -> None:
    """Raise `SettingError` where a hyperparameter is listed with one value twice."""
    if len(set(listed)) < len(listed):
        words = " ".join(value_words(name, value) for value in listed)
        raise SettingError(f"each {name} once", words, f"list every {name} only once")


def idle_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters that have no effect in a setting, with their neutral values."""
    whole = SimpleNamespace(**values)
    return {name: NEUTRAL[name] for name, rule in IDLE.items() if rule.when(whole)}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One head to train: `number` and `candidate` are counted from 1, seed and fold from 0."""

    number: int
    candidate: int
    seed: int
    fold: int


if TYPE_CHECKING:
    from manyheads.study.drawn_candidates import DrawnCandidates

    @dataclass(frozen=True, init=False)
    class _Lists:
        def __init__(self, *values: Iterable[Any], **named: Iterable[Any]) -> None: ...
        def __getattr__(self, name: str, /) -> tuple[Any, ...]: ...

else:
    # A list of values for each hyperparameter, in their order; those of the lesson must be given.
    _Lists = make_dataclass(
        "_Lists",
        [
            (name, tuple)
            if name in LESSON
            else (name, tuple, field(default=(known.neutral,), metadata={"told": known.told}))
            for name, known in DECLARED.items()
        ],
        frozen=True,
        namespace={"__post_init__": lambda _: None},  # without one, the grid's is not called
    )


class Candidates(_Lists, ABC):
    """The candidates of a study, indexed from 0, and by name the values that they take."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Hyperparameters: ...

    def __iter__(self) -> Iterator[Hyperparameters]:
        return (self[index] for index in range(len(self)))

    def listed(self, name: str) -> tuple[Item, ...]:
        """The values of a hyperparameter as they were asked for, ranges among them."""
        return getattr(self, name)

    @abstractmethod
    def with_epochs(self, epochs: int) -> Candidates:
        """The same candidates with one number of epochs."""

    @property
    def names(self) -> tuple[str, ...]:
        """What a candidate has a value of, in the order of tables.

        A hyperparameter that came later, and has its neutral value alone, is none of them: tables
        of the versions before it stay as they are.
        """
        return tuple(
            name
            for name in HYPERPARAMETERS
            if name not in TOLD_IF_CHANGED or getattr(self, name) != (NEUTRAL[name],)
        )

    @property
    def drawn(self) -> DrawnCandidates | None:
        """The candidates that were drawn from ranges; None where all combinations are listed."""
        return None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The backbones that the candidates are divided among; none where there is a single one."""
        return ()

    @property
    def backbones(self) -> int:
        """How many backbones, each at an image size, the candidates are divided among."""
        return len(self.choices) or 1

    def place_of(self, index: int) -> int:
        """Which of the backbones a candidate has, counted from 0: they vary fastest."""
        return index % self.backbones

    @property
    def varying(self) -> tuple[str, ...]:
        """The hyperparameters that have more than one value."""
        return tuple(name for name in HYPERPARAMETERS if len(getattr(self, name)) > 1)

    @property
    def merged(self) -> int:
        """How many combinations are left out because they would be the same head again."""
        return 0

    @property
    def merging(self) -> list[str]:
        """Why combinations are left out: `without an inner layer, droprate has no effect`."""
        return []

    @property
    def remarks(self) -> list[str]:
        """What values come to that say more: `droprate_schedule early:30 is constant in 30 epochs`.

        They are trained all the same, as candidates of their own.
        """
        return [
            f"droprate_schedule {schedule} {words} in {epochs:,} epochs"
            for schedule in self.droprate_schedule
            for epochs in self.epochs
            if (words := unchanging(schedule, epochs))
        ]


def setting_values(candidates: Candidates, candidate: int) -> tuple[Any, ...]:
    """What a candidate, counted from 1, has of each of the `names`."""
    setting = candidates[candidate - 1]
    return tuple(getattr(setting, name) for name in candidates.names)


class Grid(Candidates):
    """Every combination of the listed values, indexed from 0; the last one varies fastest.

    `Grid(learning_rate, size_inner, droprate)`, and any other of the `Hyperparameters` by its name:
    a tuple of values each. Where a hyperparameter has no effect (a droprate without an inner layer,
    weight_decay with adam) its values would be the same head again: only the first of them makes a
    candidate. So does adamw without weight_decay beside adam. Raises `SettingError` for values out
    of range or listed twice, and for one that has no effect in any candidate, such as adamw where
    no weight_decay is listed.
    """

    def __post_init__(self) -> None:
        for name in HYPERPARAMETERS:
            values = getattr(self, name)
            if not values:
                raise SettingError(f"at least one {name}", "none", f"give {name} a value")
            checked = tuple(check(name, value) for value in values)
            require_distinct(name, checked)
            store(self, **{name: checked})
        if self._combinations > _MAX_COMBINATIONS:
            raise SettingError(
                f"at most {_MAX_COMBINATIONS:,} combinations of values",
                f"{self._combinations:,}", "list fewer values",
            )  # fmt: skip
        self._check_effects()

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Hyperparameters:
        if not 0 <= index < len(self):
            raise IndexError(index)
        values = {}
        places = np.unravel_index(self._kept[index], self._shape)
        for name, place in zip(HYPERPARAMETERS, places, strict=True):
            values[name] = getattr(self, name)[int(place)]
        idle = idle_of(values)
        idle.pop("droprate", None)  # it stays as it was given
        return Hyperparameters(**values | idle)

    def with_epochs(self, epochs: int) -> Grid:
        """The same combinations with one number of epochs."""
        return replace(self, epochs=(epochs,))

    @property
    def merged(self) -> int:
        """How many combinations are left out because they would be the same head again."""
        return self._combinations - len(self)

    @property
    def merging(self) -> list[str]:
        """Why combinations are left out: `without an inner layer, droprate has no effect`."""
        words = [
            f"{rule.where}, {name} has no effect"
            for name, rule in IDLE.items()
            if len(getattr(self, name)) > 1 and self._idle(rule).any()
        ]
        if {"adam", "adamw"} <= set(self.optimizer) and 0 in self.weight_decay:
            words.append(f"{ADAMW.where}, adamw is adam")
        return words

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(len(getattr(self, name)) for name in HYPERPARAMETERS)

    @property
    def _combinations(self) -> int:
        return math.prod(self._shape)

    @cached_property
    def _kept(self) -> Int64[np.ndarray, "candidates"]:
        """The combinations that are candidates, by their number."""
        keep = np.ones(self._shape, np.bool_)
        for name, rule in IDLE.items():
            keep &= ~self._idle(rule) | self._first(name)
        if "adam" in self.optimizer:
            keep &= ~self._idle(ADAMW)
        return np.flatnonzero(keep)

    @property
    def _columns(self) -> Any:
        """The values of every hyperparameter, each along an axis of its own."""
        every = len(HYPERPARAMETERS)
        return SimpleNamespace(
            **{
                name: np.array(getattr(self, name)).reshape(
                    [-1 if axis == place else 1 for axis in range(every)]
                )
                for place, name in enumerate(HYPERPARAMETERS)
            }
        )

    def _idle(self, rule: Idle) -> Any:
        return np.broadcast_to(rule.when(self._columns), self._shape)

    def _first(self, name: str) -> Any:
        """Whether a combination has the first value of `name`."""
        place = HYPERPARAMETERS.index(name)
        axes = [-1 if axis == place else 1 for axis in range(len(HYPERPARAMETERS))]
        return (np.arange(len(getattr(self, name))) == 0).reshape(axes)

    def _check_effects(self) -> None:
        for name, rule in IDLE.items():
            given = [value for value in getattr(self, name) if value != NEUTRAL[name]]
            if name != "droprate" and given and self._idle(rule).all():
                raise SettingError(
                    f"no {name} {rule.where}, where it has no effect",
                    " ".join(value_words(name, value) for value in given),
                    rule.remedy,
                )
        if "adamw" in self.optimizer and not any(self.weight_decay):
            raise SettingError(f"optimizer adam {ADAMW.where}", "adamw", ADAMW.remedy)


class Trials:
    """All trials of a study in order: candidate by candidate, then seeds, then folds."""

    def __init__(self, candidates: int, seeds: int, folds: int = 1) -> None:
        self.shape = (candidates, seeds, folds)
        if len(self) > MAX_TRIALS:
            raise SettingError(
                f"a study of at most {MAX_TRIALS:,} trials",
                f"{candidates:,} candidates × {seeds:,} seeds × {folds:,} folds = {len(self):,}",
                "list fewer values, seeds or folds",
            )

    def __len__(self) -> int:
        candidates, seeds, folds = self.shape
        return candidates * seeds * folds

    def __getitem__(self, index: int) -> Trial:
        if not 0 <= index < len(self):
            raise IndexError(index)
        _, seeds, folds = self.shape
        rest, fold = divmod(index, folds)
        candidate, seed = divmod(rest, seeds)
        return Trial(number=index + 1, candidate=candidate + 1, seed=seed, fold=fold)

    def __iter__(self) -> Iterator[Trial]:
        return (self[index] for index in range(len(self)))

    def same(self, trial: Trial) -> Trial:
        """The trial with the candidate, seed and fold of one in a study that was no larger.

        Raises `IndexError` if this study has no such trial.
        """
        candidates, seeds, folds = self.shape
        if trial.candidate > candidates or trial.seed >= seeds or trial.fold >= folds:
            raise IndexError(trial)
        return self[((trial.candidate - 1) * seeds + trial.seed) * folds + trial.fold]
