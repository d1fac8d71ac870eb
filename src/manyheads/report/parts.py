"""The parts of a report that were measured: comparisons, candidates, calibration, classes, tests.

Shares such as accuracy are in [0, 1], log losses in nats, intervals at 95 % unless the words beside
them say otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from jaxtyping import Float64

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Epochs = Float64[np.ndarray, "epochs"]
Outcome = Literal["better", "worse", "equivalent", "undecided"]

# The scores of a candidate or a model, and the words for them.
SCORES = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
}
# What is compared at the end of training.
ENDS = {"final_log_loss": "final log loss", "gap": "gap to the training loss"}
LESS_IS_BETTER = ("log_loss", "brier", "ece", "final_log_loss", "gap")
CURVES = {
    "val_accuracy": "Validation accuracy",
    "val_loss": "Validation log loss",
    "accuracy": "Training accuracy",
    "loss": "Training log loss",
}


class Interval(NamedTuple):
    """An estimate and its 95 % interval; an end that is not known is infinite."""

    value: float
    low: float
    high: float


class Spread(NamedTuple):
    """Mean and standard deviation over trials; the deviation of one trial is NaN."""

    mean: float
    deviation: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two candidates, by name, in a metric of `SCORES` or `ENDS`: the first minus the second.

    `outcome` is of the first; `p` is Holm's; `settled_by` says what would settle an open question.
    Raises `ValueError` for a difference that is not a finite number; its interval may be endless.
    """

    first: str
    second: str
    metric: str
    difference: Interval
    outcome: Outcome
    p: float | None = None
    settled_by: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.difference.value) or any(map(math.isnan, self.difference)):
            raise ValueError(f"a difference between {self.first!r} and {self.second!r}")


@dataclass(frozen=True, kw_only=True)
class Comparisons:
    """Comparisons in the order to show them, and by metric the margin of what makes a difference.

    `words` says how they were made: on which images and over which trials. `hints` are sentences on
    what would settle those that are undecided.
    """

    entries: tuple[Comparison, ...]
    margins: Mapping[str, float]
    words: str = ""
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Best:
    """The candidates that may be the best in a metric, `count` out of `compared`.

    `names` are those of all, or of some and how many more; `cheapest` is one of them, or empty
    where all cost the same.
    """

    metric: str
    names: str
    count: int
    compared: int
    cheapest: str = ""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A score of the selected setting: `naive` on the images that chose it, and on new images.

    `of_model` tells that it is at the epochs of the model that the study hands over.
    """

    metric: str
    naive: float
    estimate: Interval
    of_model: bool = True


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What to expect of the selected setting on new images; `words` says how that is known."""

    words: str
    scores: tuple[Expected, ...]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A metric by epoch, from 1: the mean over trials, the lowest and the highest; all finite."""

    mean: Epochs
    low: Epochs
    high: Epochs


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One setting: its words, its scores by the names of `SCORES`, its curves by those of `CURVES`.

    Curves are needed of the `bounds.DRAWN` best and of the selected one only.
    """

    name: str
    trials: int
    scores: Mapping[str, Spread] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    selected: bool = False


@dataclass(frozen=True, kw_only=True)
class Score:
    """A model's score, by its name in `SCORES`; `reweighted` is at the classes' training shares.

    `expected` is what was to be expected of its setting without these images.
    """

    metric: str
    estimate: Interval
    reweighted: Interval | None = None
    expected: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class Optimism:
    """By how much the validation score of a rule's chosen epoch flatters; `used` by this study."""

    rule: str
    metric: str
    value: float
    used: bool = False


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How epoch and candidate were chosen, what that flatters, and the whole procedure's score.

    `words` says how; `procedure` is what the study's whole procedure scores on images that had no
    part in choosing, empty where that was not measured.
    """

    words: str
    optimism: tuple[Optimism, ...] = ()
    procedure: tuple[Score, ...] = ()


class Bin(NamedTuple):
    """A bin of reliability: mean confidence, accuracy with its interval, and number of images."""

    confidence: float
    accuracy: float
    low: float
    high: float
    images: int


@dataclass(frozen=True, kw_only=True)
class RiskCoverage:
    """The share of wrong answers among the most confident `coverage` of the images, ascending."""

    coverage: Float64[np.ndarray, "points"]
    risk: Float64[np.ndarray, "points"]


class BeforeAfter(NamedTuple):
    """A score before and after temperature scaling."""

    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Whether confidence means what it says, on the images that `measured_on` names."""

    measured_on: str
    bins: tuple[Bin, ...]
    temperature: float
    log_loss: BeforeAfter
    ece: BeforeAfter
    risk: RiskCoverage | None = None


@dataclass(frozen=True, kw_only=True)
class ClassRecall:
    """A class: its images among those measured on, and its recall if it has any."""

    name: str
    images: int
    recall: Interval | None


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Recalls, and how often which class was taken for which.

    `confusion` `[classes, classes]` is sparse: rows are labels, columns answers, entries images.
    """

    measured_on: str
    recalls: tuple[ClassRecall, ...]
    confusion: csr_array


@dataclass(frozen=True, kw_only=True)
class WrongImage:
    """An image that the model gets wrong; `thumbnail` is a JPEG from `thumbnails.thumbnail`."""

    name: str
    label: str
    predicted: str
    confidence: float
    thumbnail: bytes


@dataclass(frozen=True, kw_only=True)
class WrongImages:
    """Of the images that `measured_on` names, `count` are wrong; `shown` are all or some."""

    measured_on: str
    count: int
    shown: tuple[WrongImage, ...]


class Opening(NamedTuple):
    """When the test images were opened, and for which model."""

    when: str
    model: str


@dataclass(frozen=True, kw_only=True)
class TestRecord:
    """What the test images said of one model, and every time that they were opened, in order."""

    __test__ = False  # not a test, whatever pytest thinks of the name

    measured_on: str
    model: str
    when: str
    scores: tuple[Score, ...]
    openings: tuple[Opening, ...]
