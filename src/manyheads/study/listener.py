"""What a study tells of itself while it is at work."""

from __future__ import annotations

from manyheads.heads.bank import HeadEnd, Metrics
from manyheads.study.space import Trial
from manyheads.study.work import Work


class Listener:
    """Hears how a study goes, told by position; every method does nothing here."""

    def downloading(self, done: int, total: int, /) -> None:
        """`done` of `total` bytes of the backbone's weights are fetched."""

    def extracting(self, done: int, total: int, /) -> None:
        """`done` of `total` backbone passes are made."""

    def training(self, work: Work, /) -> None:
        """Training begins, goes on, or comes to its next rung; `work` tells all along how far."""

    def retraining(self, done: int, total: int, /) -> None:
        """`done` of at most `total` epochs are trained, of heads that a finished study asks for."""

    def epoch(self, trial: Trial, epoch: int, metrics: Metrics, /) -> None:
        """A trial has finished an epoch."""

    def ended(self, trial: Trial, end: HeadEnd, /) -> None:
        """A trial has ended, or has come to its rung."""

    def opening(self) -> None:
        """The test images are scored and about to be recorded as opened; an error prevents it."""

    def note(self, text: str, /) -> None:
        """Something that a person should know."""
