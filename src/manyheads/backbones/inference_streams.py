"""How many inference streams suit this machine: measured once for each program, then remembered.

A stream is a share of the cores that computes a batch by itself. OpenVINO guesses a good number;
where an extraction is long enough to repay it, the guess is put to the test.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np

from manyheads.core.machine import cores
from manyheads.core.measurements import remember, remembered

WORTHWHILE = 20_000  # images from which on measuring, a few seconds, costs less than a hundredth
_CLEARLY = 1.02  # a faster setting replaces OpenVINO's own from here on

_FILE = "streams.json"
_log = logging.getLogger(__name__)

Measured = tuple[float, np.ndarray]
"""Images a second of a setting, and the features of the probe."""


def best_streams(known_as: str, guess: int, measure: Callable[[int], Measured], images: int) -> int:
    """The number of streams for the program `known_as` on this machine: remembered, or measured.

    `measure` times a number of streams. OpenVINO's `guess` stands where `images` are too few to
    repay measuring, where nothing is clearly faster, and against every number that changes a bit
    of the features: an extraction may go on with another number than it began with.
    """
    known, most = remembered(_FILE).get(known_as), cores()
    if isinstance(known, int) and 1 <= known <= most:
        return known
    if images < WORTHWHILE:
        return guess
    others = sorted({1, max(1, most // 2), most} - {guess})
    rate, wanted = measure(guess)
    best, needed = guess, rate * _CLEARLY
    for streams in others:
        rate, features = measure(streams)
        _log.info("%d streams: %.1f images a second", streams, rate)
        if rate > needed and np.array_equal(features, wanted):
            best, needed = streams, rate
    remember(_FILE, known_as, best)
    return best


def timed(run: Callable[[int], np.ndarray], images: int, seconds: float = 1.0) -> Measured:
    """Images a second of `run(n)`, which passes the probe of `images` n times, over `seconds`."""
    features = run(1)
    passes, elapsed = 1, 0.0
    while elapsed < seconds:
        passes *= 2
        started = time.perf_counter()
        run(passes)
        elapsed = time.perf_counter() - started
    return passes * images / elapsed, features
