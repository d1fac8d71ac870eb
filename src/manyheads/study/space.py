"""The space of a study: candidates × seeds × folds, sized and indexed without being listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from manyheads.errors import SettingError
from manyheads.heads.head import Hyperparameters
from manyheads.settings import store

HYPERPARAMETERS = tuple(field.name for field in fields(Hyperparameters))
MAX_TRIALS = 1_000_000


def value_words(name: str, value: float) -> str:
    """A hyperparameter's value for people; an inner layer of no units is none."""
    return "none" if name == "size_inner" and not value else f"{value:g}"


def setting_words(setting: Hyperparameters, varying: Sequence[str]) -> str:
    """A candidate by what sets it apart (by everything, if nothing varies): `droprate 0.5`."""
    names = varying or HYPERPARAMETERS
    return ", ".join(f"{name} {value_words(name, getattr(setting, name))}" for name in names)


def counted(number: int, noun: str, ending: str = "s") -> str:
    """A number of things, such as `1 head` or `2,000 heads`."""
    return f"{number:,} {noun}{'' if number == 1 else ending}"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One head to train: `number` and `candidate` are counted from 1, seed and fold from 0."""

    number: int
    candidate: int
    seed: int
    fold: int


@dataclass(frozen=True)
class Grid:
    """Every combination of the listed values, indexed from 0; the last one varies fastest.

    A head without an inner layer has nothing to hide, so of its dropout rates only the first is
    a candidate; the others would be the same head again.
    """

    learning_rate: tuple[float, ...]
    size_inner: tuple[int, ...]
    droprate: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in HYPERPARAMETERS:
            values = getattr(self, name)
            if not values:
                raise SettingError(f"at least one {name}", "none", f"give {name} a value")
            checked = tuple(getattr(Hyperparameters(**{name: value}), name) for value in values)
            if len(set(checked)) < len(checked):
                listed = " ".join(f"{value:g}" for value in checked)
                raise SettingError(f"each {name} once", listed, f"list every {name} only once")
            store(self, **{name: checked})

    def __len__(self) -> int:
        return len(self.learning_rate) * self._per_rate

    def __getitem__(self, index: int) -> Hyperparameters:
        if not 0 <= index < len(self):
            raise IndexError(index)
        rate, rest = divmod(index, self._per_rate)
        sizes = iter(self.size_inner)
        droprates = self._droprates(size := next(sizes))
        while rest >= len(droprates):
            rest -= len(droprates)
            droprates = self._droprates(size := next(sizes))
        return Hyperparameters(
            learning_rate=self.learning_rate[rate], size_inner=size, droprate=droprates[rest]
        )

    def __iter__(self) -> Iterator[Hyperparameters]:
        return (self[index] for index in range(len(self)))

    @property
    def varying(self) -> tuple[str, ...]:
        """The hyperparameters that have more than one value."""
        return tuple(name for name in HYPERPARAMETERS if len(getattr(self, name)) > 1)

    @property
    def merged(self) -> int:
        """How many combinations are left out because they would be the same head again."""
        whole = len(self.learning_rate) * len(self.size_inner) * len(self.droprate)
        return whole - len(self)

    @property
    def _per_rate(self) -> int:
        return sum(len(self._droprates(size)) for size in self.size_inner)

    def _droprates(self, size_inner: int) -> tuple[float, ...]:
        return self.droprate if size_inner else self.droprate[:1]


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
