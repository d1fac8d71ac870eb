"""How good log-probabilities are: seven metrics of one model, or of thousands at once.

All take log-probabilities `[..., samples, classes]`, integer labels `[samples]`, and, where images
count differently, weights `[..., samples]`; they give float64 `[...]`. The axes in front may be
trials (a stack of models), or resamples in the weights alone: both broadcast.

scikit-learn has the same metrics, and the tests hold these to its, but it takes one model at a
time: a study has thousands of trials, a bootstrap thousands of resamples, and importing
scikit-learn takes a second. Of equal probabilities the first class is the predicted one, as there.
A metric of no images at all is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LogProbabilities = Float32[np.ndarray, "*stack samples classes"]
Labels = Int64[np.ndarray, "samples"]
Weights = Float64[np.ndarray, "*stack samples"] | None
Values = Float64[np.ndarray, "*stack"]

ECE_BINS = 15


def accuracy(
    log_probabilities: LogProbabilities, labels: Labels, weights: Weights = None
) -> Values:
    """The share of images whose most probable class is their label, in [0, 1]."""
    return _mean(predicted(log_probabilities) == labels, weights)


def balanced_accuracy(
    log_probabilities: LogProbabilities, labels: Labels, weights: Weights = None
) -> Values:
    """The mean of the recalls of those classes that have images, in [0, 1]."""
    class_recalls = recalls(log_probabilities, labels, weights)
    present = ~np.isnan(class_recalls)
    return _ratio(np.where(present, class_recalls, 0).sum(-1), present.sum(-1))


def log_loss(
    log_probabilities: LogProbabilities, labels: Labels, weights: Weights = None
) -> Values:
    """The mean of `−log p_label`, in nats; nothing is clipped."""
    return _mean(-log_probabilities[..., np.arange(len(labels)), labels], weights)


def brier(log_probabilities: LogProbabilities, labels: Labels, weights: Weights = None) -> Values:
    """The mean of `Σ_c (p_c − [c = label])²`, in [0, 2]: summed over classes, as Brier (1950) did.

    Of two classes it is twice what is common for a binary forecast.
    """
    probabilities = np.exp(log_probabilities)
    of_label = probabilities[..., np.arange(len(labels)), labels]
    squares = np.einsum("...sc,...sc->...s", probabilities, probabilities)
    return _mean(squares - 2 * of_label + 1, weights)


def expected_calibration_error(
    log_probabilities: LogProbabilities, labels: Labels, weights: Weights = None
) -> Values:
    """The mean over bins of `|accuracy − confidence|`, weighted by images, in [0, 1].

    Confidence is the greatest probability, in 15 bins of equal width that are closed above
    (Guo et al. 2017, equation 3). It is biased upwards: chance alone gives more than zero.
    """
    confidence = np.exp(log_probabilities.max(-1).astype(np.float64))
    gap = (predicted(log_probabilities) == labels) - confidence
    weights = np.ones(len(labels)) if weights is None else weights
    gaps = _sums(_confidence_bins(confidence), ECE_BINS, weights * gap)
    return _ratio(np.abs(gaps).sum(-1), weights.sum(-1))


def calibration_terms(
    confidence: Float64[np.ndarray, "*stack samples"], right: Bool[np.ndarray, "*stack samples"]
) -> Float64[np.ndarray, "*stack samples"]:
    """Each image's part in the expected calibration error, which is their mean.

    `sign · (right − confidence)` with the sign of the bin's sum: the error is linear in the images
    as long as no bin changes its sign, so these tell its variance. They say nothing of its bias.
    """
    gap = right - confidence
    bins = _confidence_bins(confidence)
    signs = np.sign(_sums(bins, ECE_BINS, gap))
    return np.take_along_axis(signs, bins, axis=-1) * gap


def _confidence_bins(
    confidence: Float64[np.ndarray, "*stack samples"],
) -> Int64[np.ndarray, "*stack samples"]:
    return np.searchsorted(np.linspace(0, 1, ECE_BINS + 1)[1:-1], confidence)


def macro_f1(
    log_probabilities: LogProbabilities, labels: Labels, weights: Weights = None
) -> Values:
    """The mean over classes of `2 tp / (2 tp + fp + fn)`, in [0, 1].

    Of the classes that are a label or a prediction; the others have no F1.
    """
    right, of_label, of_prediction = _class_sums(log_probabilities, labels, weights)
    either = of_label + of_prediction
    f1 = np.where(either > 0, _ratio(2 * right, either), 0)
    return _ratio(f1.sum(-1), (either > 0).sum(-1))


def recalls(
    log_probabilities: LogProbabilities, labels: Labels, weights: Weights = None
) -> Float64[np.ndarray, "*stack classes"]:
    """For each class, the share of its images that is predicted as it; NaN for one without any."""
    right, of_label, _ = _class_sums(log_probabilities, labels, weights)
    return _ratio(right, of_label)


def confusion(
    log_probabilities: Float32[np.ndarray, "samples classes"], labels: Labels
) -> csr_array:
    """How many images of a class (row) one model predicts as a class (column), int64.

    A sparse array: it has an entry for each pair that occurs, at most one per image.
    """
    from scipy.sparse import coo_array

    classes = log_probabilities.shape[-1]
    ones, pairs = np.ones(len(labels), np.int64), (labels, predicted(log_probabilities))
    return coo_array((ones, pairs), shape=(classes, classes)).tocsr()  # adds what stands twice


def predicted(log_probabilities: LogProbabilities) -> Int64[np.ndarray, "*stack samples"]:
    """The most probable class of each image."""
    return log_probabilities.argmax(-1)


def reweighted(
    labels: Labels, shares: Float64[np.ndarray, "classes"], weights: Weights = None
) -> Float64[np.ndarray, "*stack samples"]:
    """Weights under which each class weighs its share of `shares`, and its images alike.

    The accuracy is then `Σ_c share_c × recall_c`; what classes without images would weigh is left
    to the others in proportion.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    of_label = _sums(labels, len(shares), weights)
    factors = np.where(of_label > 0, _ratio(shares, of_label), 0)
    return weights * factors[..., labels]


METRICS: dict[str, Callable[..., Values]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "log_loss": log_loss,
    "brier": brier,
    "ece": expected_calibration_error,
}


def _class_sums(
    log_probabilities: LogProbabilities, labels: Labels, weights: Weights
) -> tuple[Any, Any, Any]:
    """Of each class: the images that are right, that have the label, that have the prediction."""
    classes, answers = log_probabilities.shape[-1], predicted(log_probabilities)
    weights = np.ones(len(labels)) if weights is None else weights
    return (
        _sums(labels, classes, weights * (answers == labels)),
        _sums(labels, classes, weights),
        _sums(answers, classes, weights),
    )


def _sums(groups: Any, count: int, values: Any) -> Float64[np.ndarray, "*stack groups"]:
    """The sums of `values` `[..., samples]` over the samples of each of `count` groups."""
    groups, values = np.broadcast_arrays(groups, values)
    stack = groups.shape[:-1]
    first = count * np.arange(np.prod(stack, dtype=np.int64)).reshape(*stack, 1)
    sums = np.bincount((first + groups).ravel(), values.ravel(), count * first.size)
    return sums.reshape(*stack, count)


def _mean(values: Any, weights: Weights) -> Values:
    """The weighted mean over samples, summed in float64."""
    weights = np.ones(values.shape[-1]) if weights is None else weights
    return _ratio((weights * values).sum(-1), weights.sum(-1))


def _ratio(part: Any, whole: Any) -> Any:
    """`part / whole`, NaN where there is nothing to divide by."""
    part, whole = np.broadcast_arrays(part, np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)[()]
