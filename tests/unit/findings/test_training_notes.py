"""Warnings about training, read off learning curves."""

from __future__ import annotations

from typing import Any

from manyheads.findings.training_notes import training_notes
from manyheads.heads.bank import Metrics
from manyheads.heads.hyperparameters import Hyperparameters


def notes(
    losses: list[float], best: int, accuracy: float = 0.9, images: int = 5000, **changes: Any
) -> list[str]:
    """The notes on a head with these validation losses."""
    curve = [Metrics(accuracy, 0.1, 0.8, loss) for loss in losses]
    setting = Hyperparameters(droprate=0.5, epochs=len(losses), **changes)
    return list(training_notes("droprate 0.5", setting, [curve, curve], [best, best], images))


STEADY = [1.0, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.52]


def test_sound_training_is_not_warned_of() -> None:
    assert notes(STEADY, best=7) == []


def test_a_best_epoch_among_the_last_is_still_improving() -> None:
    (found,) = notes(STEADY, best=10)
    assert found == (
        "Still improving: the best epoch of droprate 0.5 is 10.0 of 10 on average. Train longer "
        "(`epochs` 20)."
    )
    assert notes([0.5], best=1, images=10_000) == []  # a study of one epoch wants one


def test_few_steps() -> None:
    (found,) = notes(STEADY, best=7, images=168)
    assert found == (
        "Few steps: 10 epochs of 168 images in batches of 32 are 60 steps for a head; with fewer "
        "than 300, logistic regression is often better. Train longer (`epochs` 50)."
    )
    assert notes(STEADY, best=7, images=168, batch_size=4) == []


def test_a_loss_that_climbs() -> None:
    (found,) = notes([1.0, 0.5, 0.6, 0.9], best=2)
    assert found.startswith("Overfitting: after its minimum of 0.500 the validation loss of dropr")
    assert "climbs to 0.900 at the last epoch" in found


def test_training_accuracy_below_validation_accuracy_is_explained() -> None:
    (found,) = notes(STEADY, best=7, accuracy=0.7)
    assert found == (
        "Training accuracy (0.700) is below validation accuracy (0.800): it is measured with "
        "dropout on, which is no fault."
    )
