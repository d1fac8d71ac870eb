"""Successive halving: which candidates train on, decided at rungs by what validation has shown.

All candidates train to the first rung; the best of them to the next, and so on. The candidates
that are not among the best are pruned: they keep their short curves, and train no further.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from manyheads.core.settings import whole
from manyheads.errors import SettingError

USUAL_ETA = 3
FIRST_EPOCHS = 3  # before that, a curve tells of its learning rate and of little else


@dataclass(frozen=True)
class Rung:
    """So many `candidates`, the best so far, train to epoch `epochs`."""

    candidates: int
    epochs: int


def rungs(candidates: int, epochs: int, eta: int | None) -> tuple[Rung, ...]:
    """The rungs of a study of `candidates` that train for `epochs`; one, if `eta` is None.

    From rung to rung the candidates are a share of `1 / eta` (rounded down, at least one) and the
    epochs `eta` times as many (rounded up), the last rung having them all; as many rungs as there
    are while the first has `FIRST_EPOCHS` epochs or more and each has fewer candidates than the
    one before.
    """
    above = 0
    if eta is not None:
        while candidates // eta**above > 1 and epochs >= FIRST_EPOCHS * eta ** (above + 1):
            above += 1
    share = eta or 1
    return tuple(
        Rung(max(1, candidates // share**place), -(-epochs // share ** (above - place)))
        for place in range(above + 1)
    )


def check_prune(candidates: int, epochs: int, eta: object) -> int:
    """`eta` as a number; raises `SettingError` if it leaves no rung at which to prune."""
    checked = whole("prune", eta, 2, 100)
    if candidates < 2:
        raise SettingError(
            "at least two candidates, of which prune keeps the best",
            "one candidate",
            "list more values, or leave out prune",
        )
    if len(rungs(candidates, epochs, checked)) < 2:
        raise SettingError(
            f"at least {FIRST_EPOCHS * checked} epochs for prune {checked}, so that candidates "
            f"train for {FIRST_EPOCHS} before the first are pruned",
            f"{epochs}",
            "train for more epochs, or leave out prune",
        )
    return checked


def rungs_climbed(climb: Sequence[Rung], epochs: int) -> Iterable[int]:
    """The epochs that a trial with a curve of `epochs` has trained for, rung by rung.

    For each rung it began anew, up to the rung's last epoch or its own.
    """
    before = 0
    for rung in climb:
        if before and epochs <= before:
            return
        yield min(epochs, rung.epochs)
        before = rung.epochs
