"""The log of test evaluations: when, of which model, and its scores; `test.json` in a run folder.

Who evaluates several models on the test images and takes the best has selected on them, and its
score is as optimistic as a validation score. No program can prevent that; this log records every
evaluation, and every report shows repeated ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from manyheads.core.records import read_record, write_record
from manyheads.core.text import counted
from manyheads.findings.finding import Finding
from manyheads.findings.held_out_scores import HeldOutScores
from manyheads.findings.label_scores import LabelScores
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import as_named
from manyheads.stats.intervals import Estimate
from manyheads.study.folder import RunFolder

FORMAT = 1
# Keys that earlier versions wrote.
_RENAMED = {"openings": "evaluations", "opened": "evaluated_at"}


@dataclass(frozen=True)
class EvaluatedModel:
    """The model that was evaluated: the best head of a candidate, on the study's backbone.

    `candidate` and `trial` are counted from 1, as in the tables (candidate 0 is a fit's average of
    heads; trial 0 was trained anew, on all images of the folds); `parameters` is a SHA-256 over
    the head's arrays, which identifies the model; `selected`: whether the study's rule selected it.
    """

    candidate: int
    hyperparameters: dict[str, Any]
    trial: int
    seed: int
    epoch: int
    parameters: str
    selected: bool


@dataclass(frozen=True)
class TestScore:
    """A score by its name, with its 95 % interval; both ends are None if it has none."""

    score: str
    value: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        ends = (
            "" if self.low is None or self.high is None else f" [{self.low:.3f}, {self.high:.3f}]"
        )
        return f"{self.score.replace('_', ' ')} {self.value:.3f}{ends}"


@dataclass(frozen=True)
class TestEvaluation(Finding):
    """A test evaluation, numbered from 1; `evaluated_at` is the time in UTC (ISO 8601).

    `unreadable` counts the images that were left out, `seen` those scored whose content or group
    is also among the training or validation images: on these, scores are optimistic. Where an image
    may have several labels there are `label_scores` in the place of `scores`.
    """

    __test__ = False  # not a test, whatever pytest thinks of the name

    number: int
    evaluated_at: str
    model: EvaluatedModel
    unreadable: int
    seen: int
    scores: HeldOutScores | None
    label_scores: LabelScores | None = field(default=None, metadata={"told": "if set"})

    @property
    def measured(self) -> HeldOutScores | LabelScores:
        """The scores: of classes, or of several labels."""
        found = self.scores or self.label_scores
        assert found is not None
        return found

    @property
    def sentences(self) -> tuple[str, ...]:
        """The scores with their 95 % intervals and the model; then the limitations."""
        scores, model = self.measured, self.model
        accuracy, log_loss = (
            next(each for each in self.entries if each.score == name)
            for name in ("accuracy", "log_loss")
        )
        limits = []
        if self.number > 1:
            limits.append(
                f"This is test evaluation {self.number} of the study: its score is not unbiased."
            )
        if self.unreadable:
            limits.append(f"{counted(self.unreadable, 'unreadable image')} left out.")
        if self.seen:
            limits.append(
                f"{counted(self.seen, 'image')} of a content or group that is also among the "
                "training or validation images: on these, scores are optimistic."
            )
        return (
            f"On {counted(scores.images, 'test image')}: {accuracy}, {log_loss}.",
            f"Candidate {model.candidate}, seed {model.seed}, epoch {model.epoch}; evaluated on "
            f"{day_and_time(self)}.",
            *limits,
        )

    @property
    def entries(self) -> tuple[TestScore, ...]:
        """Every score of the whole test split."""
        scores = self.measured
        named = ((each.name, getattr(scores, each.name)) for each in fields(scores))
        return tuple(
            TestScore(name, score.value, score.low, score.high)
            for name, score in named
            if isinstance(score, Estimate)
        )


@dataclass(frozen=True)
class _Log:
    evaluations: tuple[TestEvaluation, ...]


def read_test_log(folder: RunFolder) -> list[TestEvaluation]:
    """All test evaluations of a study, in order; raises `RunError` if they cannot be read."""
    log = read_record(
        folder.test_log, _Log, FORMAT, what="the record of test evaluations", prepare=_prepared,
        renamed=_RENAMED, remedy="use the version of manyheads that wrote it, or restore the file",
    )  # fmt: skip
    return [] if log is None else list(log.evaluations)


def _prepared(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the present names of hyperparameters."""
    for entry in document["evaluations"]:
        entry["model"]["hyperparameters"] = as_named(entry["model"]["hyperparameters"])
    return document


def write_test_log(folder: RunFolder, entries: Sequence[TestEvaluation]) -> None:
    """Write the log, whole or not at all; the caller holds the folder."""
    write_record(folder.test_log, _Log(tuple(entries)), FORMAT)


def repeat_warning(folder: RunFolder) -> str | None:
    """The warning in every report if several models were evaluated on the test images, or None."""
    entries = read_test_log(folder)
    if len(entries) < 2:
        return None
    models = ", ".join(
        f"candidate {entry.model.candidate} ({day_and_time(entry)})" for entry in entries
    )
    return (
        f"{len(entries)} models of this study were evaluated on the test images: {models}; the "
        "scores after the first are not unbiased, nor is the best of them."
    )


def parameters_digest(parameters: Parameters) -> str:
    """SHA-256 over a head's arrays, by which it is known, in hexadecimal."""
    total = hashlib.sha256()
    for name, array in parameters._asdict().items():
        total.update(f"{name} {array.shape}\n".encode())
        total.update(array.astype("<f4").tobytes())
    return total.hexdigest()


def day_and_time(entry: TestEvaluation) -> str:
    """When an evaluation was, for people: `2026-11-24 07:30 UTC`."""
    return f"{entry.evaluated_at[:16].replace('T', ' ')} UTC"
