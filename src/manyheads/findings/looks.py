"""Looking at a study before it is as large as it may become: how often, and at what level.

Who looks at a verdict and adds seeds until it says something will find differences that are
not there. So the looks are fixed before the first one, and each spends a part of the 5 %: the share
of the heads that it adds. Together they spend it all (Lan and DeMets 1983, with a linear spending
function; parts are added up as if looks were independent, which errs to the careful side). The plan
lies in the run folder, `looks.json`, with what came of each look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from manyheads.core.records import read_record, write_record
from manyheads.errors import RunError
from manyheads.stats.paired import ALPHA
from manyheads.study.folder import RunFolder
from manyheads.study.space import counted

FORMAT = 1
LookOutcome = Literal["open", "settled", "hopeless", "budget", "exhausted"]


@dataclass(frozen=True)
class Look:
    """One look: after so many seeds and repeats of the folds (None: a given split), at a level."""

    seeds: int
    repeats: int | None
    alpha: float


@dataclass(frozen=True)
class Looks:
    """All looks that are planned, how many are `done`, in how many `seconds`, and how it ended.

    `settled`: the question is answered; `hopeless`: the looks that are left would hardly answer it;
    `budget`: there is no time for another one; `exhausted`: all looks are done; `open`: not ended.
    """

    planned: tuple[Look, ...]
    done: int = 0
    seconds: float = 0.0
    outcome: LookOutcome = "open"

    @property
    def level(self) -> float:
        """The level of the last look that is done; before the first, its own."""
        return self.planned[max(self.done - 1, 0)].alpha

    @property
    def words(self) -> str:
        """What a reader of the verdict must know, for people."""
        look = self.planned[max(self.done - 1, 0)]
        why = {
            "settled": "settled",
            "hopeless": "not settled, and more seeds would hardly settle it: it takes more images",
            "budget": "not settled within the budget",
            "exhausted": "not settled by any of them",
            "open": "not ended",
        }[self.outcome]
        return (
            f"Look {max(self.done, 1)} of {len(self.planned)} ({size_words(look)}) at a level of "
            f"{100 * look.alpha:.2g} % out of 5 %: {why}."
        )


def size_words(look: Look) -> str:
    """How large a study is at a look: `20 seeds`, or `20 seeds × 2 repeats`."""
    repeats = f" × {counted(look.repeats, 'repeat')}" if look.repeats and look.repeats > 1 else ""
    return f"{counted(look.seeds, 'seed')}{repeats}"


def planned_looks(seeds: int, repeats: int | None) -> tuple[Look, ...]:
    """The looks of a study that begins with so many seeds, and repeats if it is in folds.

    Seeds are doubled, of a given split twice; with folds once, then repeats twice.
    """
    if repeats is None:
        sizes = [(seeds * times, None) for times in (1, 2, 4)]
    else:
        sizes = [(seeds, repeats), *((2 * seeds, repeats * times) for times in (1, 2, 4))]
    heads = [0, *(count * (times or 1) for count, times in sizes)]
    return tuple(
        Look(*size, ALPHA * (after - before) / heads[-1])
        for size, (before, after) in zip(sizes, pairwise(heads), strict=True)
    )


def read_looks(folder: RunFolder) -> Looks | None:
    """The record in a run folder, None if there is none; `RunError` if it cannot be read."""
    what, remedy = "the record of looks", "restore it, or begin the study anew in another folder"
    looks = read_record(folder.looks, Looks, FORMAT, what=what, remedy=remedy)
    if looks is None:
        return None
    if looks.outcome not in get_args(LookOutcome) or not 0 <= looks.done <= len(looks.planned) > 0:
        found = f"{looks.done} of {len(looks.planned)} looks, {looks.outcome}"
        raise RunError(f"{what}, format {FORMAT}, in {folder.looks}", found, remedy)
    return looks


def write_looks(folder: RunFolder, looks: Looks) -> None:
    """Write the record, whole or not at all; the caller holds the folder, or is alone in it."""
    write_record(folder.looks, looks, FORMAT)


def level_of(folder: RunFolder) -> tuple[float, Sequence[str]]:
    """The level of a study's verdict, and the sentences on it: usually 5 %, and none."""
    looks = read_looks(folder)
    return (ALPHA, ()) if looks is None else (looks.level, (looks.words,))
