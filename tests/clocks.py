"""A clock for tests."""

from __future__ import annotations


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """The present moment."""
        return self.now
