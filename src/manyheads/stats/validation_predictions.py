"""What a study's heads said of the images that validated them, and the scores of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from manyheads.core.label_sets import LabelSets
from manyheads.core.settings import choice
from manyheads.errors import RunError
from manyheads.stats import label_metrics
from manyheads.stats.class_metrics import BY_CLASS, class_scores

METRICS = ("accuracy", "log_loss", *BY_CLASS, "brier", "final_log_loss", "gap")
# The log of the least positive float32: what a probability of 0 counts as.
_WITH_LUCK = ("accuracy", "log_loss", *BY_CLASS)
_LEAST = np.float32(-103.278930)
_KEPT = 128  # scores so many stay in memory: of a candidate in a metric each

LogProbabilities = Float32[np.ndarray, "seeds repeats images classes"]
OneSeed = Float32[np.ndarray, "repeats images classes"]
OneSeedScores = Float64[np.ndarray, "repeats images"]
Scores = Float64[np.ndarray, "seeds repeats images"]
OfHeads = Float64[np.ndarray, "seeds repeats folds"]


@dataclass(frozen=True)
class OtherEpochs:
    """What a study knows of epochs other than those that its rule chose.

    `at` gives a candidate's log-probabilities at the epochs that are best in a metric (those of the
    rule, if it is `last` or `fixed:N`), or at the `final` ones. `training` is the loss of the last
    epoch, with dropout on, as Keras reports it. `luck` is by how much a head's mean score in a
    metric is higher at its own epoch than at the one that would have been chosen without its fold
    (of a given split: without its seed).
    """

    at: Callable[[int, str], LogProbabilities]
    training: Callable[[int], OfHeads]
    luck: Callable[[int, str], OfHeads]


@dataclass(frozen=True)
class Validated:
    """What a study's heads said of the images that validated them.

    `candidates` are numbers counted from 1, in the grid's order, and `names` each in words, such
    as `droprate 0.5`. Images of one of the `units` (the same content, or one group) belong
    together and are resampled together. `fold_of` is the fold, from 0 to `folds − 1`, that
    validated an image; a given split has one. `log_probabilities` are of a candidate at the epochs
    that the study's rule chose, and NaN where a trial failed. Without `other_epochs`, which an
    earlier version did not keep, scores of every metric are those of the rule's epochs, and nothing
    is known of the end of training. Where an image may have several labels, the classes are
    `label_sets`, and predictions are log-odds of each label. Raises `RunError` for arrays that do
    not fit each other.
    """

    candidates: tuple[int, ...]
    names: tuple[str, ...]
    labels: Int64[np.ndarray, "images"]
    classes: tuple[str, ...]
    units: Int64[np.ndarray, "images"]
    fold_of: Int64[np.ndarray, "repeats images"]
    folds: int
    log_probabilities: Callable[[int], LogProbabilities]
    other_epochs: OtherEpochs | None = None
    label_sets: LabelSets | None = None
    _scores: dict[tuple[int, str], Scores] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        images = len(self.labels)
        _require(bool(self.candidates), "at least one candidate trained to its end", "none")
        _require(
            len(set(self.candidates)) == len(self.candidates) == len(self.names),
            "each candidate once, with a name",
            f"candidates {self.candidates} and names {self.names}",
        )
        _require(images > 0, "at least one validation image", "none")
        _require(
            self.units.shape == (images,) and self.fold_of.shape[1:] == (images,),
            f"a unit and, in every repeat, a fold for each of {images:,} images",
            f"shapes {self.units.shape} and {self.fold_of.shape}",
        )
        count = len(np.unique(self.units))
        for row in self.fold_of:
            _require(
                np.array_equal(np.unique(row), np.arange(self.folds)),
                f"images in each of the folds 0 to {self.folds - 1}",
                f"folds {np.unique(row).tolist()}",
            )
            _require(
                np.unique(np.stack([self.units, row]), axis=1).shape[1] == count,
                "every unit whole in one fold",
                "a unit that lies in two",
            )

    @property
    def outputs(self) -> tuple[str, ...]:
        """What predictions are of: each class, or each label."""
        return self.classes if self.label_sets is None else self.label_sets.labels

    @property
    def targets(self) -> Bool[np.ndarray, "images labels"] | None:
        """Which labels each image has; None where it has one class."""
        return None if self.label_sets is None else self.label_sets.members[self.labels]

    def image_scores(self, metric: str, predictions: OneSeed) -> OneSeedScores:
        """The score of each image in `metric`, for predictions `[repeats, images, outputs]`."""
        if self.targets is not None:
            return label_metrics.OF_IMAGES[metric](predictions, self.targets)
        return _SCORES[metric](predictions, self.labels)

    def name(self, candidate: int) -> str:
        """A candidate in words."""
        return self.names[self.candidates.index(candidate)]

    def scores(self, candidate: int, metric: str) -> Scores:
        """A score of every image; NaN where a trial failed.

        `accuracy`, 0 or 1, or of several labels the share told right, and `log_loss`, in nats, at
        the epochs that are best in each; in folds, less the luck of choosing an epoch on the images
        that are scored. `balanced_accuracy` and `macro_f1`: as `class_scores` has them, of all
        images of a repeat together, for one class per image. `brier`, in [0, 2], at the epochs of
        the study's rule. `final_log_loss` after the last epoch, and `gap`: the same less the
        training loss of the last epoch. Raises `SettingError` for another metric, `RunError` for
        one that an earlier version did not keep.
        """
        choice("metric", metric, METRICS)
        key = candidate, metric
        if key not in self._scores:
            while len(self._scores) >= _KEPT:
                self._scores.pop(next(iter(self._scores)))
            self._scores[key] = self._scored(candidate, metric)
        return self._scores[key]

    def luck(self, candidate: int, metric: str) -> Scores:
        """`OtherEpochs.luck` of each image's head; zero where nothing is known of it."""
        if self.other_epochs is None:
            return np.zeros((self.seeds(), *self.fold_of.shape))
        return self._of_images(self.other_epochs.luck(candidate, metric))

    def _scored(self, candidate: int, metric: str) -> Scores:
        if metric == "gap":
            training = self._others("gap").training(candidate)
            return self.scores(candidate, "final_log_loss") - self._of_images(training)
        if metric == "final_log_loss":
            predictions = self._others(metric).at(candidate, "final")
        elif metric == "brier" or self.other_epochs is None:
            predictions = self.log_probabilities(candidate)
        else:
            predictions = self.other_epochs.at(candidate, metric)
        expected = (*self.fold_of.shape, len(self.outputs))
        _require(
            predictions.ndim == 4 and predictions.shape[1:] == expected,
            f"log probabilities of shape (seeds, {', '.join(map(str, expected))})",
            f"{predictions.shape} of candidate {candidate}",
        )
        # A seed at a time: all of them in double precision can be more than memory holds.
        scores = np.stack([self.image_scores(metric, each) for each in predictions])
        if self.folds > 1 and self.other_epochs is not None and metric in _WITH_LUCK:
            scores -= self._of_images(self.other_epochs.luck(candidate, metric))
        return scores

    def _of_images(self, of_heads: OfHeads) -> Scores:
        """The value of the head that each image validated."""
        repeats = np.arange(len(self.fold_of))[:, None]
        return of_heads[:, repeats, self.fold_of]

    def _others(self, metric: str) -> OtherEpochs:
        if self.other_epochs is None:
            raise RunError(
                f"predictions after the last epoch, for {metric}",
                "those of the chosen epochs alone, which is what an earlier version kept",
                "begin the study anew in another run folder",
            )  # fmt: skip
        return self.other_epochs

    def seeds_of(self, candidate: int) -> Int64[np.ndarray, "seeds"]:
        """The seeds of which every trial of a candidate has finished."""
        return np.flatnonzero(np.isfinite(self.scores(candidate, "accuracy")).all(axis=(1, 2)))

    def seeds(self) -> int:
        """How many seeds were trained of every candidate, failed ones included."""
        return len(self.scores(self.candidates[0], "accuracy"))


Labels = Int64[np.ndarray, "images"]


def _accuracy(predictions: OneSeed, labels: Labels) -> OneSeedScores:
    hits = (predictions.argmax(axis=-1) == labels).astype(np.float64)
    return np.where(np.isnan(predictions).any(axis=-1), np.nan, hits)


def _log_loss(predictions: OneSeed, labels: Labels) -> OneSeedScores:
    of_label = np.take_along_axis(predictions, labels[None, :, None], axis=-1)[..., 0]
    return -np.maximum(of_label, _LEAST).astype(np.float64)


def _brier(predictions: OneSeed, labels: Labels) -> OneSeedScores:
    probabilities = np.exp(np.maximum(predictions, _LEAST).astype(np.float64))
    of_label = np.take_along_axis(probabilities, labels[None, :, None], axis=-1)[..., 0]
    return (probabilities**2).sum(axis=-1) - 2 * of_label + 1


_SCORES: dict[str, Callable[[OneSeed, Labels], OneSeedScores]] = {
    "accuracy": _accuracy,
    "log_loss": _log_loss,
    "brier": _brier,
    "final_log_loss": _log_loss,
    **{metric: partial(class_scores, metric) for metric in BY_CLASS},
}


def _require(right: bool, expected: str, found: str) -> None:
    if not right:
        raise RunError(expected, found, "read what was validated from the run folder anew")
