"""Callbacks of a running study."""

from __future__ import annotations

from manyheads.heads.bank import HeadEnd, Metrics
from manyheads.study.space import Trial
from manyheads.study.work import Work


class Listener:
    """Callbacks of a running study, with positional arguments. The defaults do nothing."""

    def downloading(self, done: int, total: int, /) -> None:
        """`done` of `total` bytes of the backbone's weights are fetched."""

    def extracting(self, done: int, total: int, /) -> None:
        """`done` of `total` backbone passes are made."""

    def training(self, work: Work, /) -> None:
        """Training begins, goes on, or comes to its next rung; `work` stays up to date."""

    def retraining(self, done: int, total: int, /) -> None:
        """`done` of at most `total` epochs are trained, of heads of a finished study."""

    def epoch(self, trial: Trial, epoch: int, metrics: Metrics, /) -> None:
        """A trial has finished an epoch."""

    def ended(self, trial: Trial, end: HeadEnd, /) -> None:
        """A trial has ended, or has come to its rung."""

    def recording(self) -> None:
        """A test evaluation is about to be recorded; an error raised here prevents it."""

    def note(self, text: str, /) -> None:
        """A message for the user."""
