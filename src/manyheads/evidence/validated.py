"""What a study's heads said of the images that validated them, and the scores of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64, Int64

from manyheads.errors import RunError
from manyheads.settings import choice

METRICS = ("accuracy", "log_loss", "brier")
# The log of the least positive float32: what a probability of 0 counts as.
_LEAST = np.float32(-103.278930)
_KEPT = 64  # scores of so many candidates stay in memory


@dataclass(frozen=True)
class Validated:
    """What a study's heads said of the images that validated them, each at its chosen epoch.

    `candidates` are numbers counted from 1, in the grid's order, and `names` each in words, such
    as `droprate 0.5`. Images of one of the `units` (the same content, or one group) belong
    together and are resampled together. `fold_of` is the fold, from 0 to `folds − 1`, that
    validated an image; a given split has one. `log_probabilities` are of a candidate, and NaN
    where a trial failed. Raises `RunError` for arrays that do not fit each other.
    """

    candidates: tuple[int, ...]
    names: tuple[str, ...]
    labels: Int64[np.ndarray, "images"]
    classes: tuple[str, ...]
    units: Int64[np.ndarray, "images"]
    fold_of: Int64[np.ndarray, "repeats images"]
    folds: int
    log_probabilities: Callable[[int], Float32[np.ndarray, "seeds repeats images classes"]]
    _scores: dict[int, dict[str, Float64[np.ndarray, "seeds repeats images"]]] = field(
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

    def name(self, candidate: int) -> str:
        """A candidate in words."""
        return self.names[self.candidates.index(candidate)]

    def scores(self, candidate: int, metric: str) -> Float64[np.ndarray, "seeds repeats images"]:
        """A score of every image: `accuracy` 0 or 1, `log_loss` in nats, or `brier` in [0, 2].

        NaN where a trial failed. Raises `SettingError` for another metric.
        """
        choice("metric", metric, METRICS)
        if candidate not in self._scores:
            if len(self._scores) >= _KEPT:
                self._scores.pop(next(iter(self._scores)))
            said = self.log_probabilities(candidate)
            expected = (*self.fold_of.shape, len(self.classes))
            _require(
                said.ndim == 4 and said.shape[1:] == expected,
                f"log probabilities of shape (seeds, {', '.join(map(str, expected))})",
                f"{said.shape} of candidate {candidate}",
            )
            self._scores[candidate] = _scores(said, self.labels)
        return self._scores[candidate][metric]

    def seeds_of(self, candidate: int) -> Int64[np.ndarray, "seeds"]:
        """The seeds of which every trial of a candidate has finished."""
        return np.flatnonzero(np.isfinite(self.scores(candidate, "log_loss")).all(axis=(1, 2)))

    def seeds(self) -> int:
        """How many seeds were trained of every candidate, failed ones included."""
        return len(self.scores(self.candidates[0], "log_loss"))


def _scores(
    said: Float32[np.ndarray, "seeds repeats images classes"], labels: Int64[np.ndarray, "images"]
) -> dict[str, Float64[np.ndarray, "seeds repeats images"]]:
    failed = np.asarray(np.isnan(said).any(axis=-1))
    whole = np.where(failed[..., None], 0, np.maximum(said, _LEAST)).astype(np.float64)
    of_label = np.take_along_axis(whole, labels[None, None, :, None], axis=-1)[..., 0]
    chances = np.exp(whole)
    tables = {
        "accuracy": (whole.argmax(axis=-1) == labels).astype(np.float64),
        "log_loss": -of_label,
        "brier": (chances**2).sum(axis=-1) - 2 * np.exp(of_label) + 1,
    }
    return {name: np.where(failed, np.nan, table) for name, table in tables.items()}


def _require(right: bool, expected: str, found: str) -> None:
    if not right:
        raise RunError(expected, found, "read what was validated from the run folder anew")
