"""What a fit from a former run came to beside it: `growth.json` in the run folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from manyheads.core.records import read_record, write_record
from manyheads.core.text import capital, counted, joined
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.findings.finding import Finding
from manyheads.findings.held_out_comparison import ComparedScore, HeldOutComparison

FORMAT = 1
FILE = "growth.json"
HELD_OUT = "held-out"
"""The split of images that judge two models, and the folder that lists those of a fit."""


@dataclass(frozen=True, kw_only=True)
class DataChanges:
    """How the images of a run and those of now differ, by their content.

    `kept` counts those of now that the run had, `added` the others; `removed` those that only the
    run had; `relabelled` those of `kept` under another label. `renamed` has the present names of
    classes that are called otherwise, `new` the images of each new class, and `gone` are classes
    that there are no more. Where an image may have `several_labels`, all of that is of labels.
    """

    kept: int
    added: int
    removed: int
    relabelled: int
    renamed: dict[str, str]
    new: dict[str, int]
    gone: tuple[str, ...]
    several_labels: bool = field(default=False, metadata={"told": "if changed"})

    @property
    def words(self) -> str:
        """Such as `40 images added, 2 relabelled; class 'scarf' is new (40 images)`."""
        return "; ".join(filter(None, [self._counts(), *self._classes()]))

    def _counts(self) -> str:
        counts = {"added": self.added, "removed": self.removed, "relabelled": self.relabelled}
        told = [(what, count) for what, count in counts.items() if count]
        words = [
            f"{counted(count, 'image') if place == 0 else f'{count:,}'} {what}"
            for place, (what, count) in enumerate(told)
        ]
        return joined(words)

    def _classes(self) -> Iterator[str]:
        kind = "label" if self.several_labels else "class"
        for name, images in self.new.items():
            yield f"{kind} {name!r} is new ({counted(images, 'image')})"
        for name in self.gone:
            yield f"{kind} {name!r} is gone"
        for old, new in self.renamed.items():
            yield f"{kind} {old!r} is now called {new!r}"


@dataclass(frozen=True, kw_only=True)
class Growth(Finding):
    """A fit from the finished run in `source`: what has changed, and whether the model is better.

    `data`, `split` and `table` are what the fit was asked to open; `held_out` counts the images
    that no head of it trained on, as they judged the former model. `comparison` is None where
    the two cannot be compared, for a `reason`; `notes` limit it. `added` is the score on images
    that the former run did not have, by its whole model and by a head of the fit that left them
    out.
    """

    source: str
    data: str
    split: SplitSettings
    table: TableSettings
    changes: DataChanges
    held_out: int
    comparison: HeldOutComparison | None
    added: ComparedScore | None
    reason: str
    notes: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The verdict, or why there is none, and what limits it."""
        if self.comparison is None:
            return (f"No verdict: {self.reason}.", *self.notes)
        first, *others = self.comparison.sentences
        return (first, *self._of_added(), *others, *self.notes)

    def _of_added(self) -> Iterator[str]:
        if self.added is not None:
            several = self.changes.several_labels
            judged = ", by the labels that both know" if several else " of classes that both know"
            yield (
                f"On {counted(self.added.images, 'added image')}{judged}: "
                f"{self.added.words}. The former run answers with its whole model and this one "
                "with a head that left the image out, which favours the former."
            )

    @property
    def entries(self) -> tuple[ComparedScore, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The scores on the images that both runs held out."""
        return () if self.comparison is None else self.comparison.entries

    @property
    def changed(self) -> str:
        """What has changed, as a sentence."""
        return f"{capital(self.changes.words)}."


def write_growth(path: Path, growth: Growth) -> None:
    """Write `growth.json` to the run folder `path`, whole or not at all."""
    write_record(path / FILE, growth, FORMAT)


def read_growth(path: Path) -> Growth | None:
    """What the fit in the folder `path` came to beside a former run; None if it began from none.

    Raises `RunError` for a record that cannot be read.
    """
    return read_record(
        path / FILE, Growth, FORMAT, what="the record of a fit from a former run",
        remedy="use the version of manyheads that wrote it, or begin anew in another run folder",
    )  # fmt: skip
