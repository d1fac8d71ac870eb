"""What the average of a fit said of images that were left out of its training, in a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from manyheads.core.places import atomic_path
from manyheads.stats import metrics
from manyheads.stats.metrics import Labels, LogProbabilities

FILE = "held_out_answers.npz"


def keep_answers(path: Path, answers: LogProbabilities, scored: Bool[np.ndarray, "images"]) -> None:
    """Write the `answers` of a fit to its folder `path`, and which of the images are `scored`.

    Images are in the order of `read_images` of its studies.
    """
    with atomic_path(path / FILE) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, answers=answers.astype(np.float32), scored=scored)


def kept_answers(
    path: Path, labels: Labels, accuracy: float
) -> tuple[LogProbabilities, Bool[np.ndarray, "images"]] | None:
    """The answers of the fit in `path`, and which images are scored, whose `labels` these are.

    None of a fit of an earlier version, for a damaged file, and for one that does not give the
    `accuracy` on record: it is of another budget's model.
    """
    try:
        with (path / FILE).open("rb") as file, np.load(file, allow_pickle=False) as kept:
            answers, scored = kept["answers"], kept["scored"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if answers.ndim != 2 or not len(answers) == len(scored) == len(labels) or not scored.any():
        return None
    hits = metrics.predicted(answers) == labels
    return (answers, scored) if np.isclose(hits[scored].mean(), accuracy) else None
