"""The parts of a report that were measured: comparisons, candidates, calibration, classes, tests.

Shares such as accuracy are in [0, 1], log losses in nats, intervals at 95 % unless the words beside
them say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64

from manyheads.findings.held_out_scores import ClassRecall
from manyheads.findings.selection import RuleOptimism
from manyheads.stats.calibration import Calibration
from manyheads.stats.comparisons import Comparisons
from manyheads.stats.confidence import Reliability, RiskCoverage
from manyheads.stats.intervals import Estimate
from manyheads.stats.winner import WinnerScore
from manyheads.study.select import MeanDeviation

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Epochs = Float64[np.ndarray, "epochs"]

CURVES = {
    "val_accuracy": "Validation accuracy",
    "val_loss": "Validation log loss",
    "accuracy": "Training accuracy",
    "loss": "Training log loss",
}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A family of comparisons in the order to show them, with the `names` of its candidates.

    `words` says how they were made: on which images and over which trials. `hints` are sentences on
    what would settle those that are undecided.
    """

    family: Comparisons
    names: Mapping[int, str]
    words: str = ""
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What to expect of the selected setting on new images; `words` says how that is known.

    The scores by the metrics `of_model` are at the epochs of the model that the study hands over.
    """

    words: str
    scores: tuple[WinnerScore, ...]
    of_model: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A metric by epoch, from 1: the mean over trials, the lowest and the highest; all finite."""

    mean: Epochs
    low: Epochs
    high: Epochs


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One setting: its words, its scores by the names of `SCORES`, its curves by those of `CURVES`.

    `number` is that in `results.csv`, from 1 in the grid's order, and `chosen` the epoch that the
    rule of selection chose, as a mean over trials. Curves are needed of the `bounds.DRAWN` best and
    of the selected one only.
    """

    number: int
    name: str
    trials: int
    scores: Mapping[str, MeanDeviation] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    chosen: float | None = None
    selected: bool = False


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How epoch and candidate were chosen by a `rule`, and by how much each rule is optimistic.

    `words` says how; `procedure` is what the study's whole procedure scores on held-out images, by
    metric, empty where that was not measured.
    """

    words: str
    rule: str = ""
    optimism: tuple[RuleOptimism, ...] = ()
    procedure: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """Whether confidence means what it says, on the images that `measured_on` names."""

    measured_on: str
    diagram: Reliability
    calibration: Calibration
    risk: RiskCoverage | None = None


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
    """An image that the model gets wrong; `thumbnail` is a JPEG from `thumbnails.thumbnail`.

    `name` is its path in the data set. It is `doubtful` if its label is probably wrong. Where an
    image may have several labels, `label` and `predicted` are those that it has and that are said,
    `missed` those that are not said, `wrongly` those that it has not; `loss` is its log loss, in
    nats, and its confidence that of the least sure label.
    """

    name: str
    label: str
    predicted: str
    confidence: float
    thumbnail: bytes
    doubtful: bool = False
    missed: tuple[str, ...] = ()
    wrongly: tuple[str, ...] = ()
    loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class WrongImages:
    """Of the images that `measured_on` names, `count` are wrong; `shown` are all or some.

    Of `several` labels per image, an image with any wrong label is wrong.
    """

    measured_on: str
    count: int
    shown: tuple[WrongImage, ...]
    several: bool = False


class LogEntry(NamedTuple):
    """When a test evaluation was, and of which model."""

    when: str
    model: str


@dataclass(frozen=True, kw_only=True)
class TestRecord:
    """Every test evaluation in order, and the scores of the last.

    Scores are by metric; `expected` is what was to be expected of the model's setting without these
    images.
    """

    __test__ = False  # not a test, whatever pytest thinks of the name

    measured_on: str
    evaluations: tuple[LogEntry, ...]
    scores: Mapping[str, Estimate] = field(default_factory=dict)
    at_train_shares: Mapping[str, Estimate] = field(default_factory=dict)
    expected: Mapping[str, Estimate] = field(default_factory=dict)
