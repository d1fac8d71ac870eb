"""What a procedure that selects among options achieves, by nested cross-validation.

Options (an image size, with or without augmented copies, and a setting of the head) are compared by
what their heads predicted for each image while it was held out. Which option predicts an image is
decided by the scores of the other folds, and so is the temperature that its prediction is scaled
by: the score is that of the whole procedure, not of its luckiest outcome (Varma and Simon 2006).

Two things are less strict than there. The heads whose scores decide trained on all folds but their
own, hence on the image too, for the inner folds are the outer ones: heads are trained once, not
once for each pair of folds. And where a search pruned options, it did so on all images.

Options are compared by their log loss after temperature scaling, unless another score is asked for.
Accuracy moves by whole images and hardly separates options; log loss as it is would prefer those
that are less sure of themselves, and confidence is set right afterwards. Among options of the same
score the one with the least log loss comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64

from manyheads.findings.held_out_scores import HeldOutScores, score_held_out
from manyheads.findings.image_truth import Answers, ClassTruth, OfImages, Truth
from manyheads.findings.label_scores import LabelScores, enough, label_scores
from manyheads.stats import label_metrics, metrics
from manyheads.stats.class_metrics import BY_CLASS, class_scores
from manyheads.stats.intervals import LEVEL, Units, independent_draws, normal_quantile
from manyheads.stats.paired import SHARES

Folds = Int64[np.ndarray, "images"]
_OfOptions = Float64[np.ndarray, "options"]


@dataclass(frozen=True)
class Ranked:
    """Options by what they predicted of held-out images.

    `losses` are their log losses after temperature scaling, `accuracies` plain; `scores` are those
    in the `metric` that ranks them. `order` has all options, the best first, and `without`, for
    each fold, the one that is best on the other folds: all are places among the options.
    """

    metric: str
    scores: _OfOptions
    losses: _OfOptions
    accuracies: _OfOptions
    order: tuple[int, ...]
    without: tuple[int, ...]

    @property
    def best(self) -> int:
        """The option that answers for new images."""
        return self.order[0]

    @property
    def chosen(self) -> tuple[int, ...]:
        """The options that answer for some image, or for new ones, each once."""
        return tuple(sorted({self.best, *self.without}))


def rank(
    options: Sequence[Answers], truth: Truth, fold_of: Folds, metric: str = "log_loss"
) -> Ranked:
    """Rank at least one option; `fold_of` is the fold, from 0, that left an image out.

    An option with a failed trial is NaN somewhere, and comes last.
    """
    folds = int(fold_of.max()) + 1
    losses = np.full((len(options), folds + 1), np.inf)
    scores = np.full((len(options), folds + 1), np.nan)
    accuracies = np.full(len(options), np.nan)
    everywhere = np.ones(len(fold_of), bool)
    parts = [*(fold_of != fold for fold in range(folds)), everywhere]
    for place, predicted in enumerate(options):
        if np.isnan(predicted).any():
            continue
        accuracies[place] = truth.score("accuracy", predicted)
        for column, images in enumerate(parts):
            said, of = predicted[images], truth.of(images)
            losses[place, column] = _loss(said, of)
            if metric != "log_loss":
                scores[place, column] = of.score(metric, said)
    if metric == "log_loss":
        scores = losses
    sign = -1.0 if metric in SHARES else 1.0
    orders = [
        np.lexsort((of_loss, sign * of_score))  # NaN comes last
        for of_loss, of_score in zip(losses.T, scores.T, strict=True)
    ]
    return Ranked(
        metric=metric,
        scores=scores[:, folds],
        losses=losses[:, folds],
        accuracies=accuracies,
        order=tuple(orders[folds].tolist()),
        without=tuple(int(each[0]) for each in orders[:folds]),
    )


def _loss(said: Answers, truth: Truth) -> float:
    return float(truth.losses(truth.scaled(said, truth.temperature(said))).mean())


@dataclass(frozen=True)
class Expected:
    """What to expect on new images like these, from held-out images of nested cross-validation.

    `temperature` is the one for new images. Scores are those after scaling; `log_loss_unscaled` and
    `ece_unscaled` those before. `accuracy_draws` are the independent draws that the images amount
    to; `loss_variance` and `loss_skew` are the second and third central moment of the mean log loss
    of as many images, in nats² and nats³, where chance draws units.

    `score_moments` are both of the balanced accuracy or the macro F1, if one of these ranked.

    Where an image may have several labels there are `label_scores` in the place of `scores`, no
    `ece_unscaled`, and the `thresholds` for new images; the draws are then those of exact match.
    """

    scores: HeldOutScores | None
    temperature: float
    log_loss_unscaled: float
    ece_unscaled: float | None
    accuracy_draws: float
    loss_variance: float
    loss_skew: float
    label_scores: LabelScores | None = field(default=None, metadata={"told": "if set"})
    thresholds: tuple[float, ...] | None = field(default=None, metadata={"told": "if set"})
    score_moments: tuple[float, ...] | None = field(default=None, metadata={"told": "if set"})

    @property
    def measured(self) -> HeldOutScores | LabelScores:
        """The scores: of classes, or of several labels."""
        found = self.scores or self.label_scores
        assert found is not None
        return found


def expect(
    ranked: Ranked,
    answers: Callable[[int], Answers],
    truth: Truth,
    fold_of: Folds,
    units: Units,
    outputs: Sequence[str],
    apart: Bool[np.ndarray, "images"] | None = None,
) -> Expected:
    """What the procedure achieves that `ranked` its options, with the `answers` of those chosen.

    `outputs` are the classes, or the labels. Images `apart` are in no score: their labels chose
    which options there are, before any was ranked. Their units have no other images.
    """
    best = answers(ranked.best)
    nested, after = nested_answers(ranked, answers, truth, fold_of)
    scored = np.ones(len(truth), bool) if apart is None else ~apart
    temperature, of, own = truth.temperature(best), truth.of(scored), units[scored]
    variance, skew = loss_moments(of.losses(after[scored]), own)
    if isinstance(truth, ClassTruth):
        counts = np.bincount(truth.labels, minlength=len(outputs))
        labels, hits = truth.labels[scored], truth.hits(after)[scored]
        measured = {
            "scores": score_held_out(after[scored], labels, own, outputs, counts),
            "ece_unscaled": float(metrics.expected_calibration_error(nested[scored], labels)),
        }
        if ranked.metric in BY_CLASS:
            (parts,) = class_scores(ranked.metric, after[scored][np.newaxis], labels)
            measured["score_moments"] = loss_moments(parts, own)
    else:
        # Where a score is cut does not depend on its scale, so that folds need no temperature.
        said = label_metrics.cross_fitted(nested, truth.targets, fold_of)
        bars = label_metrics.best_thresholds(truth.scaled(best, temperature), truth.targets)
        hits, chosen = (said == truth.targets).all(axis=1)[scored], enough(truth.targets)
        measured = {
            "scores": None,
            "ece_unscaled": None,
            "label_scores": label_scores(
                after[scored], truth.targets[scored], own, outputs, said[scored], bars.tolist(),
                chosen=chosen,
            ),
            "thresholds": tuple(bars.tolist()),
        }  # fmt: skip
    return Expected(
        **measured,
        temperature=temperature,
        log_loss_unscaled=float(of.losses(nested[scored]).mean()),
        accuracy_draws=independent_draws(hits, own),
        loss_variance=variance,
        loss_skew=skew,
    )


def nested_answers(
    ranked: Ranked, answers: Callable[[int], Answers], truth: Truth, fold_of: Folds
) -> tuple[Answers, Answers]:
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
        temperature = truth.of(~inside).temperature(nested[~inside])
        after[inside] = truth.scaled(nested[inside], temperature)
    return nested, after


def loss_moments(losses: OfImages, units: Units) -> tuple[float, float]:
    """The second and third central moment of the mean of losses, where chance draws units."""
    place = np.unique(units, return_inverse=True)[1]
    sums = np.bincount(place, losses - losses.mean()) / len(losses)
    count = len(sums)
    return float((sums**2).sum() * count / max(1, count - 1)), float((sums**3).sum())


def predicted_accuracy(expected: Expected, images: int) -> tuple[float, float]:
    """Between what the accuracy on so many new images will lie, 19 times out of 20.

    Where an image may have several labels it is exact match that is told: a share of images too.

    The quantiles of the beta-binomial distribution: hits among m new draws, if those among n here
    tell of the accuracy what they do after Jeffreys's prior, Beta(½, ½). New images are taken to
    come in units like those here, so that m and n are both divided by the design effect.
    """
    here = expected.measured
    share = here.exact_match if isinstance(here, LabelScores) else here.accuracy
    draws = max(1, round(images * expected.accuracy_draws / here.images))
    hits = share.value * expected.accuracy_draws
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
    """Between what the log loss on so many new images will lie, 19 times out of 20, in nats."""
    moments = expected.loss_variance, expected.loss_skew
    low, high = _predicted_mean(expected, expected.measured.log_loss.value, moments, images)
    return max(0.0, low), high


def predicted_score(expected: Expected, metric: str, images: int) -> tuple[float, float]:
    """The same of the score that ranked, in [0, 1]: balanced accuracy or macro F1.

    By the linear part that images have in it (`stats.class_metrics`). With a class of only a
    handful of images here, the range is too narrow.
    """
    assert expected.scores is not None
    assert expected.score_moments is not None
    value = getattr(expected.scores, metric).value
    low, high = _predicted_mean(expected, value, expected.score_moments, images)
    return max(0.0, low), min(1.0, high)


def _predicted_mean(
    expected: Expected, value: float, moments: tuple[float, ...], images: int
) -> tuple[float, float]:
    """Between what the mean over so many new images will lie, 19 times out of 20.

        value ± z √(V (1 + r)) + K/V · (½ + (z² − 1)(r + 2) / 6),  r = images here / new images

    V and K are the second and third central moment of the mean here, for units drawn anew. The
    last term is the second-order correction for skewness: of the new mean, and of the one here
    with the variance that it is divided by (for r = 0 it is that of Johnson 1978). Losses are far
    from normal, for wrong answers bring most of them: with only a handful of these among the
    images here, the range is too narrow. `z √V` is Student's where units are few.
    """
    from scipy.special import stdtrit

    here, (variance, skew) = expected.measured, moments
    ratio, z = here.images / images, normal_quantile()
    if variance <= 0:
        return value, value
    shift = skew / variance * (0.5 + (z**2 - 1) * (ratio + 2) / 6)
    half = stdtrit(max(1, here.units - 1), (1 + LEVEL) / 2) * np.sqrt(variance * (1 + ratio))
    return float(value + shift - half), float(value + shift + half)
