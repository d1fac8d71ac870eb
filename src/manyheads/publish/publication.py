"""What a tracker is told of a finished study or fit: plain values, the same for every tracker.

A publication is the study as a whole, a row for each candidate, and files. Nothing in it depends on
the tracker, and nothing on when it is published: equal studies give equal publications, so that a
tracker can tell what it has already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from manyheads.core.settings import digest

Value = str | int | float | bool
RowState = Literal["done", "pruned", "failed"]

MOST_ROWS = 10_000
"""Candidates that are published at most, the best."""
CURVES = 100
"""Candidates that have learning curves in a tracker, the best."""
CURVE = "curves/"
"""What the names of curves begin with, as trackers group them."""
_LONGEST = 250  # letters of a parameter: the least limit among trackers


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """A candidate of a study, or an option of a fit.

    `number` is the candidate's in results.csv, or the option's place, from 1; `key` is unique in
    its study and stays when the study grows. `metrics` are finite. `curves` are by name the means
    over trials after each epoch, from the first; empty but for the best `CURVES` rows.
    """

    key: str
    number: int
    name: str
    state: RowState
    parameters: Mapping[str, Value]
    metrics: Mapping[str, float]
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """A digest, 16 hexadecimal digits, of all that is told of it."""
        told = [self.name, self.state, dict(self.parameters), dict(self.metrics), dict(self.curves)]
        return digest([self.number, *told])[:16]


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A finished study or fit as a tracker shows it.

    `key` is a digest, 64 hexadecimal digits, of what the study asks of which data: it stays the
    same when the study grows by seeds, repeats or candidates, and in another run folder. `metric`,
    "accuracy", "log_loss", "balanced_accuracy" or "macro_f1", is what the rows are ranked by, the
    best first. `parameters` and
    `metrics` are of the whole, `tags` say what it was made of. `ended` are the seconds since 1970
    when it last came to something. `left_out` says what is not published, and why.
    """

    key: str
    kind: Literal["study", "fit"]
    name: str
    data: str
    metric: str
    parameters: Mapping[str, Value]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    sentences: tuple[str, ...]
    rows: tuple[PublishedRow, ...]
    files: tuple[Path, ...]
    ended: float
    left_out: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name with eight digits of the key: two studies of one name stay apart."""
        return f"{self.name}-{self.key[:8]}"

    @property
    def content(self) -> str:
        """A digest, 16 hexadecimal digits, of all that is told of it, but for the files."""
        told = [dict(self.parameters), dict(self.metrics), dict(self.tags), list(self.sentences)]
        return digest([self.name, *told, [row.content for row in self.rows]])[:16]

    @property
    def text(self) -> str:
        """The sentences, and what was left out, as paragraphs of Markdown."""
        return "\n\n".join([*self.sentences, *self.left_out])


def varying(rows: Sequence[PublishedRow]) -> dict[str, list[Value]]:
    """The parameters that differ between `rows` with their values; where none does, the numbers."""
    values: dict[str, list[Value]] = {}
    for row in rows:
        for name, value in row.parameters.items():
            values.setdefault(name, []).append(value)
    differing = {n: v for n, v in values.items() if len(set(v)) > 1 or len(v) < len(rows)}
    return differing or {n: v for n, v in values.items() if not isinstance(v[0], str)}


def told(value: object) -> Value:
    """A setting as a tracker keeps it: a number or a truth value as it is, else text, shortened."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        text = " ".join(map(str, value))
    else:
        text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
