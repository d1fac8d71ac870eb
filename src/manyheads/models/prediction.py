"""What a model says of images: one prediction, and a sequence of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float32

from manyheads.core.table import Table, as_html, names, numbers, words

_SHOWN = 20  # predictions in a notebook


@dataclass(frozen=True)
class Uncertainty:
    """What a head's subnetworks say of its most probable class, for one image.

    From `low` to `high` lie 95 % of their probabilities for that class; `others` is the share of
    them that give another answer.
    """

    low: float
    high: float
    others: float


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image: its class, and a probability for every class.

    An image that cannot be read has no label; `error` says why. One with `abstained` has none
    either: its `confidence`, the greatest probability, is below what was asked for.
    """

    image: str
    label: str | None
    confidence: float
    probabilities: dict[str, float]
    error: str | None = None
    abstained: bool = False
    uncertainty: Uncertainty | None = None

    def most_probable(self, count: int) -> list[tuple[str, float]]:
        """So many classes with their probabilities, the greatest first."""
        # Sorting keeps equals in the order of the classes, as the label does.
        return sorted(self.probabilities.items(), key=lambda item: -item[1])[:count]

    def _repr_html_(self) -> str:
        return _as_table([self])


class Predictions(Sequence[Prediction]):
    """Predictions in the order of the images; `remarks` are lines on the files that were read."""

    def __init__(
        self, classes: Sequence[str], entries: Sequence[Prediction], remarks: Sequence[str] = ()
    ) -> None:
        self.classes = tuple(classes)
        self.remarks = tuple(remarks)
        self._entries = tuple(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index):
        return self._entries[index]

    @property
    def labels(self) -> list[str | None]:
        """The class of each image, None where it cannot be read or the model abstained."""
        return [entry.label for entry in self]

    @property
    def probabilities(self) -> Float32[np.ndarray, "images classes"]:
        """A row for each image; not-a-number where it cannot be read."""
        rows = [[entry.probabilities.get(name, np.nan) for name in self.classes] for entry in self]
        return np.array(rows, np.float32).reshape(len(self), len(self.classes))

    def _repr_html_(self) -> str:
        left = len(self) - _SHOWN
        more = [f"… and {left:,} more"] if left > 0 else []
        lines = "".join(f"<p>{escape(line)}</p>" for line in (*more, *self.remarks))
        return _as_table(self[:_SHOWN]) + lines

    def __repr__(self) -> str:
        more = [f"… and {len(self) - 5} more"] if len(self) > 5 else []
        return "\n".join(
            [f"<{len(self)} predictions>", *map(_in_words, self[:5]), *more, *self.remarks]
        )


def _in_words(entry: Prediction) -> str:
    if entry.error is not None:
        return f"{entry.image}: unreadable, {entry.error}"
    if entry.abstained:
        return f"{entry.image}: unsure ({entry.confidence:.2f})"
    return f"{entry.image}: {entry.label} ({entry.confidence:.2f})"


def _as_table(entries: Sequence[Prediction]) -> str:
    columns = [*names("image"), *words("class"), *numbers("probability"), *words("next")]
    rows: list[tuple[str, ...]] = []
    for entry in entries:
        if entry.error is not None:
            rows.append((entry.image, f"unreadable: {entry.error}", "", ""))
            continue
        label = "unsure" if entry.abstained else str(entry.label)
        following = entry.most_probable(3)[0 if entry.abstained else 1 :]
        others = ", ".join(f"{name} {value:.3f}" for name, value in following)
        rows.append((entry.image, label, f"{entry.confidence:.3f}", others))
    return as_html(Table(columns=columns, rows=rows))
