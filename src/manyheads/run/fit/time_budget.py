"""The time of a fit: how much of its budget is used, and how much is left."""

from __future__ import annotations

import time
from dataclasses import dataclass

from manyheads.core.job import Clock

ENDING = 1.0  # seconds in which a command starts, prints its results and ends
LATEST = 1.1  # times the budget: a fit that is known to end later is given up


@dataclass(frozen=True)
class TimeBudget:
    """`seconds` from the moment `began`, by `clock`."""

    seconds: float
    began: float
    clock: Clock = time.monotonic

    @property
    def used(self) -> float:
        """Seconds since it began."""
        return self.clock() - self.began

    @property
    def left(self) -> float:
        """Seconds until the results are to be there; negative once it is too late."""
        return self.seconds - ENDING - self.used

    @property
    def deadline(self) -> float:
        """When the results are to be there, by `clock`."""
        return self.began + self.seconds - ENDING

    @property
    def latest(self) -> float:
        """When they are to be there at the latest, by `clock`, or the fit is given up."""
        return self.began + self.seconds * LATEST - ENDING
