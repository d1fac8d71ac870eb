"""Names of checkpoints, by the lesson's kind of pattern."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from manyheads.core.settings import plain
from manyheads.errors import SettingError
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.study.history import METRICS
from manyheads.study.training import BestHead

MAX_CHECKPOINTS = 20
MODEL_SUFFIXES = (".keras", ".h5")
PROGRAMS = (".xml", ".onnx", ".tflite")  # of models that OpenVINO opens, and Keras does not

_LONGEST = 200  # of the 255 characters that file systems allow; drafts and side files add some


def checkpoint_names(pattern: str, heads: Sequence[BestHead]) -> list[tuple[BestHead, str]]:
    """The file name of each head, all different.

    `pattern` may use {epoch}, {accuracy}, {loss}, {val_accuracy}, {val_loss}, {candidate}, {seed},
    {trial} and every hyperparameter, with formats as in Python; it may end with .keras or .h5.
    Where names would be equal, the later ones get their candidate's number. Raises `SettingError`
    for any other field, and for what is no file name.
    """
    names: list[tuple[BestHead, str]] = []
    taken: set[str] = set()
    for best in heads:
        stem, suffix = _formatted(pattern, best.about)
        # Some file systems take names that differ in case alone for one.
        while stem.casefold() in taken:
            stem = f"{stem}_candidate-{best.candidate:03d}"
        taken.add(stem.casefold())
        names.append((best, stem + suffix))
    return names


def check_pattern(pattern: str) -> None:
    """Raise `SettingError` unless `pattern` can name a checkpoint."""
    # Of the types that the values will have: {val_loss:d} must fail before training, not after.
    numbers = dict.fromkeys(METRICS, 0.5)
    places = dict.fromkeys(("epoch", "candidate", "seed", "trial"), 1)
    _formatted(pattern, {**plain(Hyperparameters()), **numbers, **places})


def _formatted(pattern: str, known: dict[str, Any]) -> tuple[str, str]:
    try:
        name = string.Formatter().vformat(pattern, (), known)
    except (LookupError, ValueError, AttributeError, TypeError, MemoryError) as error:
        raise SettingError(
            f"a checkpoint pattern of the fields {', '.join(known)}",
            f"{pattern!r} ({error})",
            "use for example 'xception_v3_{epoch:02d}_{val_accuracy:.3f}'",
        ) from error
    if not name.strip() or name.startswith(".") or not name.isprintable() or set(name) & set("/\\"):
        raise SettingError("a checkpoint pattern that gives a file name", repr(name), "change it")
    if len(name.encode()) > _LONGEST:
        raise SettingError(
            f"a checkpoint pattern that gives at most {_LONGEST} bytes",
            f"{len(name.encode()):,}",
            "make it shorter",
        )
    for suffix in MODEL_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return name, ".keras"
