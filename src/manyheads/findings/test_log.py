"""The record of when the test images were opened: for which model, and what it scored.

`test.json` in the run folder. Who opens them for one model after another, and takes the best, has
selected on them, and the best one's score is as optimistic as a validation score. That cannot be
forbidden; it can be written down, and every report can say it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from manyheads.core.records import read_record, write_record
from manyheads.core.text import counted
from manyheads.findings.finding import Finding
from manyheads.findings.held_out_scores import HeldOutScores
from manyheads.heads.hyperparameters import as_named
from manyheads.stats.intervals import Estimate
from manyheads.study.folder import RunFolder

FORMAT = 1


@dataclass(frozen=True)
class OpenedModel:
    """The model that was scored: the best head of a candidate, on the study's backbone.

    `candidate` and `trial` are counted from 1, as in the tables (candidate 0 is a fit's average of
    heads; trial 0 was trained anew, on all images of the folds); `parameters` is a SHA-256 over
    the head's arrays, by which the same model is known; `selected`: whether it is the one that
    the study's rule chose.
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
    """A score by its name, with its 95 % interval; its ends are None where nothing can be said."""

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
class Opening(Finding):
    """One opening of the test images, counted from 1; `opened` is the time in UTC (ISO 8601).

    `unreadable` counts the images that were left out, `seen` those scored whose content or group
    is among the training or validation images too: on these, scores are too good.
    """

    number: int
    opened: str
    model: OpenedModel
    unreadable: int
    seen: int
    scores: HeldOutScores

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was scored and how well, with 95 % intervals; then what limits that."""
        scores, model = self.scores, self.model
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
                "training or validation images: on these, scores are too good."
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
        named = ((each.name, getattr(self.scores, each.name)) for each in fields(self.scores))
        return tuple(
            TestScore(name, score.value, score.low, score.high)
            for name, score in named
            if isinstance(score, Estimate)
        )


@dataclass(frozen=True)
class _Log:
    openings: tuple[Opening, ...]


def openings(folder: RunFolder) -> list[Opening]:
    """All openings by this study, in order; raises `RunError` if the record cannot be read."""
    log = read_record(
        folder.openings, _Log, FORMAT, what="the record of opening the test images",
        prepare=_prepared, remedy="use the version of manyheads that wrote it, or restore the file",
    )  # fmt: skip
    return [] if log is None else list(log.openings)


def _prepared(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the present names of hyperparameters."""
    for entry in document["openings"]:
        entry["model"]["hyperparameters"] = as_named(entry["model"]["hyperparameters"])
    return document


def record_openings(folder: RunFolder, entries: Sequence[Opening]) -> None:
    """Write the record, whole or not at all; the caller holds the folder."""
    write_record(folder.openings, _Log(tuple(entries)), FORMAT)


def opening_warning(folder: RunFolder) -> str | None:
    """What every report says if the test images were opened for different models; None if not."""
    entries = openings(folder)
    if len(entries) < 2:
        return None
    models = ", ".join(
        f"candidate {entry.model.candidate} ({day_and_time(entry)})" for entry in entries
    )
    return (
        f"The test images were opened {len(entries)} times, for different models of this study: "
        f"{models}; the scores of later ones are no longer unbiased, nor is the best of them."
    )


def day_and_time(entry: Opening) -> str:
    """When an opening was, for people: `2026-11-24 07:30 UTC`."""
    return f"{entry.opened[:16].replace('T', ' ')} UTC"
