"""What a procedure that selects among options achieves on images that had no say in anything.

Options (an image size with its views, and a setting of the head) are compared by what their heads
said of each image while it was left out of training. Which option answers for an image is decided
on the other folds alone, and so is the temperature that its answer is scaled by. So no image has
a part in what is said of it: the score is that of the whole procedure, not of its luckiest
outcome (nested validation: Varma and Simon 2006).

Options are compared by their log loss after temperature scaling. Accuracy moves by whole images
and hardly separates options; log loss as it is would prefer those that are less sure of
themselves, and confidence is set right afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from manyheads.evidence import metrics
from manyheads.evidence.calibration import fit_temperature, scaled
from manyheads.evidence.held_out import HeldOutScores, score_held_out
from manyheads.evidence.intervals import Units, wilson
from manyheads.evidence.metrics import Labels

LogProbabilities = Float32[np.ndarray, "images classes"]
Folds = Int64[np.ndarray, "images"]


@dataclass(frozen=True)
class Ranked:
    """Options by what they said of images that were left out.

    `losses` are their log losses after temperature scaling, `accuracies` plain. `best` is the
    option with the least loss, and `without` that for each fold, if the images of the fold had no
    say: all are places among the options.
    """

    losses: Float64[np.ndarray, "options"]
    accuracies: Float64[np.ndarray, "options"]
    best: int
    without: tuple[int, ...]

    @property
    def chosen(self) -> tuple[int, ...]:
        """The options that answer for some image, or for new ones, each once."""
        return tuple(sorted({self.best, *self.without}))


def rank(options: Sequence[LogProbabilities], labels: Labels, fold_of: Folds) -> Ranked:
    """Rank at least one option; `fold_of` is the fold, from 0, that left an image out.

    An option with a failed trial is NaN somewhere, and comes last.
    """
    folds = int(fold_of.max()) + 1
    losses = np.full((len(options), folds + 1), np.inf)
    accuracies = np.full(len(options), np.nan)
    for place, said in enumerate(options):
        if np.isnan(said).any():
            continue
        accuracies[place] = (said.argmax(axis=1) == labels).mean()
        for fold in range(folds):
            losses[place, fold] = _loss(said[fold_of != fold], labels[fold_of != fold])
        losses[place, folds] = _loss(said, labels)
    return Ranked(
        losses=losses[:, folds],
        accuracies=accuracies,
        best=int(losses[:, folds].argmin()),
        without=tuple(int(column.argmin()) for column in losses[:, :folds].T),
    )


def _loss(said: LogProbabilities, labels: Labels) -> float:
    return float(metrics.log_loss(scaled(said, fit_temperature(said, labels)), labels))


@dataclass(frozen=True)
class Expected:
    """What to expect on new images like these, from images that had no say in what is said of them.

    `temperature` is the one for new images. Scores are those after scaling; `log_loss_unscaled` and
    `ece_unscaled` those before.
    """

    scores: HeldOutScores
    temperature: float
    log_loss_unscaled: float
    ece_unscaled: float


def expect(
    ranked: Ranked,
    answers: Callable[[int], LogProbabilities],
    labels: Labels,
    fold_of: Folds,
    units: Units,
    classes: Sequence[str],
) -> Expected:
    """What the procedure achieves that `ranked` its options, with the `answers` of those chosen."""
    best = answers(ranked.best)
    nested = np.empty_like(best)
    for fold, option in enumerate(ranked.without):
        inside = fold_of == fold
        nested[inside] = answers(option)[inside]
    after = np.empty_like(nested)
    for fold in range(len(ranked.without)):
        inside = fold_of == fold
        temperature = fit_temperature(nested[~inside], labels[~inside])
        after[inside] = scaled(nested[inside], temperature)
    counts = np.bincount(labels, minlength=len(classes))
    return Expected(
        scores=score_held_out(after, labels, units, classes, counts),
        temperature=fit_temperature(best, labels),
        log_loss_unscaled=float(metrics.log_loss(nested, labels)),
        ece_unscaled=float(metrics.expected_calibration_error(nested, labels)),
    )


def predicted_accuracy(expected: Expected, images: int) -> tuple[float, float]:
    """Between what the accuracy on so many new images will lie, 19 times out of 20.

    Wilson's interval (1927) for the 1/(1/n + 1/m) draws whose share varies as much as the
    difference of two shares, of n images here and m new ones.
    """
    here = expected.scores
    draws = 1 / (1 / _draws(here) + 1 / images)
    low, high = wilson(here.accuracy.value, draws)
    return float(low), float(high)


def _draws(scores: HeldOutScores) -> float:
    """The independent draws that the interval of the accuracy amounts to: units, at most."""
    return float(min(scores.units, scores.images))
