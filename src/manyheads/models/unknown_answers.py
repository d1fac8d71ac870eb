"""Which images a model calls unknown, at a stated rate of false alarms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float32

from manyheads.core.job import SILENT, Job
from manyheads.core.settings import number
from manyheads.core.text import counted, percent
from manyheads.data.unreadable_images import share_of
from manyheads.errors import SettingError
from manyheads.models.prediction import Prediction
from manyheads.models.subnetwork_answers import Subnetworks
from manyheads.models.unlike_files import unlikeness_beside
from manyheads.stats.unlikeness import Unlikeness

if TYPE_CHECKING:
    from manyheads.models.classifier import Classifier

UNKNOWN = "unknown"
"""The label of an image that is called so; a row's `unknown` tells it from a class of that name."""
USUAL_RATE = "5%"
_MOST = 0.5


def rate_of(value: float | str | None) -> float | None:
    """A rate of false alarms such as 0.05 or `5%`, above 0, to 0.5; None stays None.

    Raises `SettingError`.
    """
    share = share_of("unknown", value)
    return None if share is None else number("unknown", share, 0.0, _MOST, open_low=True)


@dataclass(frozen=True)
class UnknownRule:
    """A model's unlikeness, and the share of images of its own classes that may be called unknown.

    Raises `SettingError` if too few images were held out of the model `file` to hold the rate.
    """

    unlikeness: Unlikeness
    rate: float
    file: Path

    def __post_init__(self) -> None:
        held_out, least = len(self.unlikeness.held_out), self.unlikeness.least_rate
        if self.unlikeness.needed(self.rate) > held_out:
            raise SettingError(
                f"`unknown` from {_ceiling(least)}, the least rate that the "
                f"{counted(held_out, 'held-out image')} of {self.file.name} can hold",
                f"{100 * self.rate:g} %", "give a higher rate, or train on more images",
            )  # fmt: skip

    def judged(self, row: Float32[np.ndarray, "features"]) -> tuple[float, bool]:
        """How unlike an image of these features is (`Unlikeness.unlike`), and if it is unknown."""
        score = float(self.unlikeness.scores(row[np.newaxis])[0])
        is_unknown = self.unlikeness.below(score) >= self.unlikeness.needed(self.rate)
        return self.unlikeness.unlike(score), is_unknown

    def applied(self, found: Prediction) -> Prediction:
        """A prediction that has its `features`, with what they say of the image instead of them."""
        if found.features is None:
            return found
        unlike, is_unknown = self.judged(found.features)
        judged = replace(found, unlike=unlike, unknown=is_unknown, features=None)
        if not is_unknown:
            return judged
        return replace(judged, label=UNKNOWN, labels=None if found.labels is None else ())

    @property
    def words(self) -> str:
        """What is called unknown, in brackets behind its number."""
        share = percent(1 - self.rate, _digits(1 - self.rate))
        count = counted(len(self.unlikeness.held_out), "held-out image")
        return f"more unlike the training images than {share} of {count}"

    @property
    def remark(self) -> str:
        """How many images of the model's own classes are called unknown, in a sentence."""
        low, high = self.unlikeness.alarms(self.rate)
        rate = percent(self.rate, _digits(self.rate))
        return (
            f"of images of the model's own classes about {rate} are called unknown: from "
            f"{percent(low)} to {percent(high)}, as the limit comes from "
            f"{counted(len(self.unlikeness.held_out), 'image')}"
        )


def unknown_rule(
    model: Classifier, rate: float | str | None, job: Job = SILENT
) -> UnknownRule | None:
    """What a model calls unknown at a `rate` of false alarms; None for no rate.

    Raises `SettingError` for a rate that is none, or that so few held-out images cannot hold, and
    `ModelError` for a model of which no held-out images are known.
    """
    share = rate_of(rate)
    if share is None:
        return None
    if model.unlikeness is None:
        model.unlikeness = unlikeness_beside(model.path, model.card, job)
    return UnknownRule(model.unlikeness, share, model.path)


class Asked(NamedTuple):
    """What is asked beside the class: the least confidence, subnetworks, what is unknown.

    With `features`, those of the image, to be judged by a rule later.
    """

    least: float = 0.0
    subnetworks: Subnetworks | None = None
    rule: UnknownRule | None = None
    features: bool = False


def _digits(share: float) -> int:
    """The digits behind the point that a share in percent needs, up to three."""
    return next((n for n in range(3) if abs(round(100 * share, n) - 100 * share) < 1e-9), 3)


def _ceiling(share: float) -> str:
    """A share in percent, rounded up to two digits, so that it is high enough."""
    return f"{np.ceil(10_000 * share - 1e-9) / 100:g} %"
