"""Warnings about the training of the selected candidate, read off its learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from manyheads.core.text import capital, decimal
from manyheads.heads.bank import Metrics
from manyheads.heads.hyperparameters import MAX_EPOCHS, Hyperparameters
from manyheads.study.space import counted

FEW_STEPS = 300  # heads of fewer lose to logistic regression: benchmarks/baselines.py
_LATE = 0.9  # of the epochs: a best epoch beyond it is among the last
_CLIMBED = 1.5  # times its minimum: a final loss that has climbed


def training_notes(
    name: str,
    setting: Hyperparameters,
    curves: Sequence[Sequence[Metrics]],
    chosen: Sequence[int] | None,
    images: int,
) -> Iterator[str]:
    """What the curves of a candidate's heads warn of, a sentence each.

    `curves` and the best epochs (from 1) that were `chosen` are of the same heads, each trained on
    about `images`. None: no epoch was chosen, and the best is that of the least loss. Where the
    learning rate falls to 0, the last epochs are the best, and warn of nothing.
    """
    of_epoch = -(-images // setting.batch_size)
    steps = of_epoch * setting.epochs
    constant = setting.learning_rate_schedule == "constant"
    late = fmean(chosen or (_least_loss(curve) for curve in curves))
    if constant and setting.epochs > 1 and late > _LATE * setting.epochs:
        more = min(2 * setting.epochs, MAX_EPOCHS)
        yield (
            f"Still improving: the best epoch of {name} is {late:.1f} of {setting.epochs:,} on "
            f"average. Train longer (`epochs` {more})."
        )
    elif steps < FEW_STEPS:
        yield (
            f"Few steps: {counted(setting.epochs, 'epoch')} of {counted(images, 'image')} in "
            f"batches of {setting.batch_size} are {counted(steps, 'step')} for a head; with fewer "
            f"than {FEW_STEPS}, logistic regression is often better. Train longer "
            f"(`epochs` {min(-(-FEW_STEPS // of_epoch), MAX_EPOCHS)})."
        )
    least = fmean(min(each.val_loss for each in curve) for curve in curves)
    last = fmean(curve[-1].val_loss for curve in curves)
    if last > _CLIMBED * least:
        remedy = "fewer epochs or more regularisation avoid the climb."
        yield (
            f"Overfitting: after its minimum of {decimal(least)} the validation loss of {name} "
            f"climbs to {decimal(last)} at the last epoch. "
            + (f"The model stands at its chosen epoch; {remedy}" if chosen else capital(remedy))
        )
    accuracy = fmean(curve[-1].accuracy for curve in curves)
    validation = fmean(curve[-1].val_accuracy for curve in curves)
    if setting.droprate > 0 and accuracy < validation:
        yield (
            f"Training accuracy ({decimal(accuracy)}) is below validation accuracy "
            f"({decimal(validation)}): it is measured with dropout on, which is no fault."
        )


def _least_loss(curve: Sequence[Metrics]) -> int:
    """The epoch, from 1, of the lowest validation loss."""
    return 1 + min(range(len(curve)), key=lambda place: curve[place].val_loss)
