"""scikit-learn's MLPClassifier: the same network without dropout, which it does not have."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from benchmarks.machine import answer
from benchmarks.parts.shapes import BATCH, CLASSES, LEARNING_RATE, UNITS, samples, timed


def heads(epochs: int, threads: int | None) -> dict[str, float]:
    """Milliseconds of a head's epoch, after a first one, with `threads` of BLAS (None: all)."""
    x, y, val_x, val_y = samples()
    classifier: Any = MLPClassifier  # Pyright takes its defaults for its types
    model = classifier(
        (UNITS,), alpha=0, batch_size=BATCH, learning_rate_init=LEARNING_RATE, random_state=0
    )

    def one() -> None:
        model.partial_fit(x, y, classes=np.arange(CLASSES))
        model.score(val_x, val_y)

    with threadpool_limits(threads, user_api="blas"):
        return timed(one, epochs)


if __name__ == "__main__":
    answer(globals())
