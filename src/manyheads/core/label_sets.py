"""Label sets: which labels an image has, where it may have several, and how a set is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Bool, Int64

from manyheads.errors import DataError

JOINER = ";"
"""What stands between the labels of a set as text; no label holds it."""

NO_LABELS = "(none)"
"""The set of an image without any label, as text; no label is called so."""


@dataclass(frozen=True)
class LabelSets:
    """The labels by name, sorted, and the sets of them that images have, as texts.

    Where images have several labels, what is a class elsewhere is a set here.
    """

    labels: tuple[str, ...]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, labels: Sequence[str], texts: Sequence[str]) -> Self | None:
        """The sets of these `texts`; None without `labels`, which is one class per image."""
        return cls(tuple(labels), tuple(texts)) if labels else None

    @cached_property
    def members(self) -> Bool[np.ndarray, "sets labels"]:
        """Which labels each set has."""
        place = {label: number for number, label in enumerate(self.labels)}
        found = np.zeros((len(self.texts), len(self.labels)), np.bool_)
        for number, text in enumerate(self.texts):
            found[number, [place[label] for label in labels_in(text)]] = True
        return found

    def positives(self, numbers: Int64[np.ndarray, "images"]) -> Int64[np.ndarray, "labels"]:
        """How many of the images whose sets have these `numbers` have each label."""
        counts = np.bincount(numbers, minlength=len(self.texts))
        return counts @ self.members.astype(np.int64)


def require_one_label(label_names: Sequence[str], what: str, remedy: str = "") -> None:
    """Raise `DataError` if images have several labels, for `what` is made for one class each."""
    if label_names:
        raise DataError(
            f"one class per image, for {what}", f"several labels ({len(label_names):,} in all)",
            remedy or "use `manyheads sweep`, or give a table with one label per image",
        )  # fmt: skip


def set_text(labels: Iterable[str]) -> str:
    """A set of labels as text: sorted, each once, such as `long;shirt`; `(none)` for no label."""
    return JOINER.join(sorted(set(labels))) or NO_LABELS


def labels_in(text: str) -> list[str]:
    """The labels of a set that `set_text` wrote."""
    return [] if text == NO_LABELS else text.split(JOINER)
