"""What a model says of images: one prediction, and a sequence of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from jaxtyping import Float32

from manyheads.core.label_sets import NO_LABELS
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
    either: its `confidence`, the greatest probability, is below what was asked for. Where unknown
    images are asked for, `unlike` is the share of held-out images that are less unlike the training
    images than this one, and one that is `unknown` has that as its label, whatever its confidence.
    `features` are those that the prediction was made of, where whoever asks may judge them later.

    Of a model of several labels, `labels` are those whose probability is above their threshold, the
    `label` is these joined, such as `long;shirt` or `(none)`, and the confidence that of the least
    sure of them: the least probability, over all labels, of what is said of it.
    """

    image: str
    label: str | None
    confidence: float
    probabilities: dict[str, float]
    error: str | None = None
    abstained: bool = False
    uncertainty: Uncertainty | None = None
    unlike: float | None = None
    unknown: bool = False
    features: Float32[np.ndarray, "features"] | None = field(
        default=None, repr=False, compare=False
    )
    labels: tuple[str, ...] | None = None

    @property
    def says_no_class(self) -> bool:
        """Whether its label is none of the model's classes, though the image could be read."""
        return self.abstained or self.unknown

    @property
    def word(self) -> str:
        """Its label as tables show it: `unsure` where it abstained."""
        return "unsure" if self.abstained and not self.unknown else str(self.label)

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
        """The class of each image, None where it cannot be read or the model abstained.

        An image that is called unknown has that as its label.
        """
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


def answer_and_next(entry: Prediction, count: int) -> tuple[str, list[tuple[str, float]]]:
    """What a model says of an image that it could read, and the next of its `count` most probable.

    Of several labels, those are the most probable ones that it does not say.
    """
    if entry.labels is None:
        return entry.word, entry.most_probable(count)[0 if entry.says_no_class else 1 :]
    ranked = entry.most_probable(len(entry.probabilities))
    said = [f"{name} {value:.3f}" for name, value in ranked if name in entry.labels]
    others = [each for each in ranked if each[0] not in entry.labels]
    label = entry.word if entry.says_no_class else ", ".join(said) or NO_LABELS
    return label, others[: max(0, count - 1)]


def _in_words(entry: Prediction) -> str:
    if entry.error is not None:
        return f"{entry.image}: unreadable, {entry.error}"
    if entry.unknown:
        best = entry.most_probable(1)[0][0]
        return f"{entry.image}: {entry.word} (else {best}, {entry.confidence:.2f})"
    return f"{entry.image}: {entry.word} ({entry.confidence:.2f})"


def _as_table(entries: Sequence[Prediction]) -> str:
    columns = [*names("image"), *words("class"), *numbers("probability"), *words("next")]
    rows: list[tuple[str, ...]] = []
    for entry in entries:
        if entry.error is not None:
            rows.append((entry.image, f"unreadable: {entry.error}", "", ""))
            continue
        label, following = answer_and_next(entry, 3)
        others = ", ".join(f"{name} {value:.3f}" for name, value in following)
        rows.append((entry.image, label, f"{entry.confidence:.3f}", others))
    return as_html(Table(columns=columns, rows=rows))
