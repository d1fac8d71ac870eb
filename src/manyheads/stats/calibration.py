"""Temperature scaling by cross-fitting: are confidences what they say, and can they be made so?

A temperature T > 0 divides the logits, `softmax(z / T)`: above 1 it takes confidence back, and it
never changes which class is the most probable (Guo et al. 2017, section 4.2). What it gains is
measured on images that had no part in fitting it: images are divided into folds, units whole in
one fold, and each is scaled by a temperature that was fitted without its fold.

A temperature belongs to a model, so every seed's model gets its own: seeds end at different
epochs and are over-confident by different amounts, and one number needs no pooling to be told
from some hundred images. Log-probabilities serve as logits, for softmax knows no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from manyheads.errors import DataError
from manyheads.stats import metrics
from manyheads.stats.intervals import Units
from manyheads.stats.metrics import Labels

LOWEST, HIGHEST = 0.05, 20.0  # temperatures; past these a logit says nothing that it did not before
FOLDS = 10

Stack = Float32[np.ndarray, "seeds images classes"]


@dataclass(frozen=True)
class Calibration:
    """What temperature scaling does for a candidate's models, one per seed.

    `temperatures` are those for new images, fitted to all images here; `fold_temperatures` those
    of the cross-fitting, whose spread says how sure they are. One at `LOWEST` or `HIGHEST` is not
    determined by the images: all are told apart, or the model knows nothing. `log_probabilities`
    are the cross-fitted ones; the losses (nats) and the expected calibration errors are before
    scaling, and after it by cross-fitting.
    """

    temperatures: Float64[np.ndarray, "seeds"]
    fold_temperatures: Float64[np.ndarray, "seeds folds"]
    log_probabilities: Stack
    log_loss_before: Float64[np.ndarray, "seeds"]
    log_loss_after: Float64[np.ndarray, "seeds"]
    ece_before: Float64[np.ndarray, "seeds"]
    ece_after: Float64[np.ndarray, "seeds"]


def calibrate(log_probabilities: Stack, labels: Labels, units: Units, seed: int = 0) -> Calibration:
    """Fit temperatures to the models `[seeds, images, classes]` of one candidate, cross-fitted.

    `units` says of each image which unit it belongs to; `seed` assigns units to folds. Raises
    `DataError` for fewer than two units.
    """
    folds = cross_fitting_folds(units, seed)
    fold_temperatures = np.empty((len(log_probabilities), folds.max() + 1))
    after = np.empty_like(log_probabilities)
    for fold in range(folds.max() + 1):
        inside = folds == fold
        for number, model in enumerate(log_probabilities):
            temperature = fit_temperature(model[~inside], labels[~inside])
            fold_temperatures[number, fold] = temperature
            after[number, inside] = scaled(model[inside], temperature)
    return Calibration(
        temperatures=np.array([fit_temperature(model, labels) for model in log_probabilities]),
        fold_temperatures=fold_temperatures,
        log_probabilities=after,
        log_loss_before=metrics.log_loss(log_probabilities, labels),
        log_loss_after=metrics.log_loss(after, labels),
        ece_before=metrics.expected_calibration_error(log_probabilities, labels),
        ece_after=metrics.expected_calibration_error(after, labels),
    )


def cross_fitting_folds(
    units: Units, seed: int = 0, folds: int = FOLDS
) -> Int64[np.ndarray, "images"]:
    """The fold of each image: units in random order, at most as many folds as units.

    Raises `DataError` for fewer than two units.
    """
    different, place = np.unique(units, return_inverse=True)
    if len(different) < 2:
        raise DataError(
            "images of two units or more to calibrate on", f"{len(different)}",
            "add images that are of other content and groups",
        )  # fmt: skip
    order = np.random.default_rng(seed).permutation(len(different))
    return (order % min(folds, len(different)))[place]


def fit_temperature(
    logits: Float32[np.ndarray, "images classes"],
    labels: Labels,
    weights: Float[np.ndarray, "images"] | None = None,
) -> float:
    """The temperature from `LOWEST` to `HIGHEST` with the least log loss, by `weights` if any.

    In β = 1/T the loss `mean(log Σⱼ exp βzⱼ − βz_label)` is convex, so its slope
    `mean(Σⱼ pⱼ zⱼ − z_label)` rises and has one root at most, sought over log T. Where all images
    are told apart, or none better than by chance, there is none, and the bound is the answer.
    """
    from scipy.special import softmax

    # A step of the same height for every class changes nothing, and zero above all is exact.
    below = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    of_label = below[np.arange(len(labels)), labels]

    def slope(log_temperature: float) -> float:
        probabilities = softmax(below * np.exp(-log_temperature), axis=1)
        slopes = (probabilities * below).sum(axis=1) - of_label
        return float(np.average(slopes, weights=weights))

    return _temperature(slope)


def fit_label_temperature(
    log_odds: Float32[np.ndarray, "images labels"], targets: Bool[np.ndarray, "images labels"]
) -> float:
    """The temperature from `LOWEST` to `HIGHEST` with the least mean binary cross-entropy.

    One for all labels: it divides each log-odds, `sigmoid(z / T)`. In β = 1/T the loss
    `mean(log(1 + exp βz) − t βz)` is convex, so its slope `mean((sigmoid(βz) − t) z)` rises and has
    one root at most, as that of `fit_temperature`.
    """
    from scipy.special import expit

    z = log_odds.astype(np.float64)

    def slope(log_temperature: float) -> float:
        return float(((expit(z * np.exp(-log_temperature)) - targets) * z).mean())

    return _temperature(slope)


def _temperature(slope: Callable[[float], float]) -> float:
    """Where the slope of a loss, which falls with log T, is 0, or the bound nearest to it."""
    from scipy.optimize import brentq

    low, high = np.log(LOWEST), np.log(HIGHEST)
    if slope(low) <= 0:
        return LOWEST
    if slope(high) >= 0:
        return HIGHEST
    root: Any = brentq(slope, low, high, xtol=1e-10)
    return float(np.exp(root))


def scaled(
    logits: Float32[np.ndarray, "*stack classes"], temperature: float
) -> Float32[np.ndarray, "*stack classes"]:
    """Log-probabilities at a temperature: `log softmax(z / T)`."""
    from scipy.special import log_softmax

    return log_softmax(logits / np.float32(temperature), axis=-1)
