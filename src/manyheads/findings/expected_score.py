"""What a procedure that selects among options achieves, by nested cross-validation.

Options (an image size, with or without augmented copies, and a setting of the head) are compared by
what their heads predicted for each image while it was held out. Which option predicts an image is
decided by the scores of the other folds, and so is the temperature that its prediction is scaled
by: the score is that of the whole procedure, not of its luckiest outcome (Varma and Simon 2006).

Two things are less strict than there. The heads whose scores decide trained on all folds but their
own, hence on the image too, for the inner folds are the outer ones: heads are trained once, not
once for each pair of folds. And where a search pruned options, it did so on all images.

Options are compared by their log loss after temperature scaling. Accuracy moves by whole images
and hardly separates options; log loss as it is would prefer those that are less sure of
themselves, and confidence is set right afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from manyheads.findings.held_out_scores import HeldOutScores, score_held_out
from manyheads.stats import metrics
from manyheads.stats.calibration import fit_temperature, scaled
from manyheads.stats.intervals import LEVEL, Units, independent_draws, normal_quantile
from manyheads.stats.metrics import Labels

LogProbabilities = Float32[np.ndarray, "images classes"]
Folds = Int64[np.ndarray, "images"]


@dataclass(frozen=True)
class Ranked:
    """Options by what they predicted of held-out images.

    `losses` are their log losses after temperature scaling, `accuracies` plain. `best` is the
    option with the least loss, and `without`, for each fold, that with the least loss on the other
    folds: all are places among the options.
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
    for place, predicted in enumerate(options):
        if np.isnan(predicted).any():
            continue
        accuracies[place] = (predicted.argmax(axis=1) == labels).mean()
        for fold in range(folds):
            losses[place, fold] = _loss(predicted[fold_of != fold], labels[fold_of != fold])
        losses[place, folds] = _loss(predicted, labels)
    return Ranked(
        losses=losses[:, folds],
        accuracies=accuracies,
        best=int(losses[:, folds].argmin()),
        without=tuple(int(column.argmin()) for column in losses[:, :folds].T),
    )


def _loss(predicted: LogProbabilities, labels: Labels) -> float:
    return float(metrics.log_loss(scaled(predicted, fit_temperature(predicted, labels)), labels))


@dataclass(frozen=True)
class Expected:
    """What to expect on new images like these, from held-out images of nested cross-validation.

    `temperature` is the one for new images. Scores are those after scaling; `log_loss_unscaled` and
    `ece_unscaled` those before. `accuracy_draws` are the independent draws that the images amount
    to; `loss_variance` and `loss_skew` are the second and third central moment of the mean log loss
    of as many images, in nats² and nats³, where chance draws units.
    """

    scores: HeldOutScores
    temperature: float
    log_loss_unscaled: float
    ece_unscaled: float
    accuracy_draws: float
    loss_variance: float
    loss_skew: float


def expect(
    ranked: Ranked,
    answers: Callable[[int], LogProbabilities],
    labels: Labels,
    fold_of: Folds,
    units: Units,
    classes: Sequence[str],
    apart: Bool[np.ndarray, "images"] | None = None,
) -> Expected:
    """What the procedure achieves that `ranked` its options, with the `answers` of those chosen.

    Images `apart` are in no score: their labels chose which options there are, before any was
    ranked. Their units have no other images.
    """
    best = answers(ranked.best)
    nested, after = nested_answers(ranked, answers, labels, fold_of)
    counts = np.bincount(labels, minlength=len(classes))
    scored = np.ones(len(labels), bool) if apart is None else ~apart
    after, nested, units, of = after[scored], nested[scored], units[scored], labels[scored]
    variance, skew = loss_moments(-after[np.arange(len(of)), of].astype(np.float64), units)
    return Expected(
        scores=score_held_out(after, of, units, classes, counts),
        temperature=fit_temperature(best, labels),
        log_loss_unscaled=float(metrics.log_loss(nested, of)),
        ece_unscaled=float(metrics.expected_calibration_error(nested, of)),
        accuracy_draws=independent_draws(metrics.predicted(after) == of, units),
        loss_variance=variance,
        loss_skew=skew,
    )


def nested_answers(
    ranked: Ranked,
    answers: Callable[[int], LogProbabilities],
    labels: Labels,
    fold_of: Folds,
) -> tuple[LogProbabilities, LogProbabilities]:
    """What the procedure says of each image without its fold, before and after scaling.

    The other folds choose the option, and the temperature.
    """
    nested = np.empty_like(answers(ranked.best))
    for fold, option in enumerate(ranked.without):
        inside = fold_of == fold
        nested[inside] = answers(option)[inside]
    after = np.empty_like(nested)
    for fold in range(len(ranked.without)):
        inside = fold_of == fold
        temperature = fit_temperature(nested[~inside], labels[~inside])
        after[inside] = scaled(nested[inside], temperature)
    return nested, after


def loss_moments(losses: Float64[np.ndarray, "images"], units: Units) -> tuple[float, float]:
    """The second and third central moment of the mean of losses, where chance draws units."""
    place = np.unique(units, return_inverse=True)[1]
    sums = np.bincount(place, losses - losses.mean()) / len(losses)
    count = len(sums)
    return float((sums**2).sum() * count / max(1, count - 1)), float((sums**3).sum())


def predicted_accuracy(expected: Expected, images: int) -> tuple[float, float]:
    """Between what the accuracy on so many new images will lie, 19 times out of 20.

    The quantiles of the beta-binomial distribution: hits among m new draws, if those among n here
    tell of the accuracy what they do after Jeffreys's prior, Beta(½, ½). New images are taken to
    come in units like those here, so that m and n are both divided by the design effect.
    """
    here = expected.scores
    draws = max(1, round(images * expected.accuracy_draws / here.images))
    hits = here.accuracy.value * expected.accuracy_draws
    low, high = _beta_binomial(hits + 0.5, expected.accuracy_draws - hits + 0.5, draws)
    return low / draws, high / draws


def _beta_binomial(first: float, second: float, draws: int) -> tuple[int, int]:
    """Below and above how many hits of so many draws no more than 2.5 % lie each."""
    from scipy.special import betaln, gammaln

    hits = np.arange(draws + 1)
    misses = draws - hits
    ways = gammaln(draws + 1) - gammaln(hits + 1) - gammaln(misses + 1)
    logarithms = ways + betaln(hits + first, misses + second) - betaln(first, second)
    below = np.exp(logarithms).cumsum()
    low, high = np.searchsorted(below, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return int(low), min(int(high), draws)


def predicted_log_loss(expected: Expected, images: int) -> tuple[float, float]:
    """Between what the log loss on so many new images will lie, 19 times out of 20, in nats.

        value ± z √(V (1 + r)) + K/V · (½ + (z² − 1)(r + 2) / 6),  r = images here / new images

    V and K are the second and third central moment of the mean here, for units drawn anew. The
    last term is the second-order correction for skewness: of the new mean, and of the one here
    with the variance that it is divided by (for r = 0 it is that of Johnson 1978). Losses are far
    from normal, for wrong answers bring most of them: with only a handful of these among the
    images here, the range is too narrow. `z √V` is Student's where units are few.
    """
    from scipy.special import stdtrit

    here = expected.scores
    value, variance = here.log_loss.value, expected.loss_variance
    ratio, z = here.images / images, normal_quantile()
    if variance <= 0:
        return value, value
    shift = expected.loss_skew / variance * (0.5 + (z**2 - 1) * (ratio + 2) / 6)
    half = stdtrit(max(1, here.units - 1), (1 + LEVEL) / 2) * np.sqrt(variance * (1 + ratio))
    return max(0.0, float(value + shift - half)), float(value + shift + half)
