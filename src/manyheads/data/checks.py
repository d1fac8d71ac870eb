"""Look at every image of a data set and say what may spoil a study on it; change nothing."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from manyheads.core.job import SILENT, Job
from manyheads.core.threads import map_in_threads
from manyheads.data.check_problems import lesser_problems, spoiling_problems
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.data.duplicates import Identical, find_identical, torn_groups
from manyheads.data.images import ImageFacts, inspect_image
from manyheads.data.remarks import Remarks
from manyheads.data.shares import Counts, ShareShift, class_shares, count_classes, share_shifts
from manyheads.errors import ImageError

MOST_NAMED = 10_000
"""How many of the files that are left out are named."""

_DEFAULT = ImageSettings()


@dataclass(frozen=True)
class Extent:
    """The least, median and greatest of a length in pixels; zeros if no image could be read."""

    least: int
    median: float
    greatest: int


@dataclass(frozen=True)
class Unreadable:
    """A file that is no usable image, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class CheckReport:
    """What `check_dataset` found; all of it plain values that `settings.plain` makes JSON of.

    `counts` and `shares` are by split and class and include unreadable files; `formats` and
    `modes` count the readable images by Pillow's names; `rotated` counts the images whose
    recorded orientation is not upright, `deep` those with more than 8 bits a channel, of which none
    uses more than `bits`, and `cut` those whose files lack their end, but no pixel; `left_out` is
    the line on files and folders that are not used, and `ignored` names the first of them, at most
    `MOST_NAMED`. `identical` are sets of files with the same bytes. `problems` are one line each,
    the most serious first; empty if there is nothing to say. The first `spoiling` of them make
    scores wrong, or training impossible. Where an image may have several labels, `classes` are
    labels, and `sizes` the images of each split.
    """

    name: str
    root: str
    layout: str
    images: int
    classes: tuple[str, ...]
    counts: Counts
    shares: dict[str, dict[str, float]]
    shifts: tuple[ShareShift, ...]
    widths: Extent
    heights: Extent
    formats: dict[str, int]
    modes: dict[str, int]
    rotated: int
    unreadable: tuple[Unreadable, ...]
    identical: tuple[Identical, ...]
    torn_groups: tuple[str, ...]
    ignored: tuple[str, ...]
    left_out: str = ""
    deep: int = 0
    bits: int = 0
    cut: int = 0
    problems: tuple[str, ...] = ()
    spoiling: int = 0
    sizes: dict[str, int] | None = field(default=None, metadata={"told": "if set"})

    def with_problems(self, spoiling: Iterable[str], lesser: Iterable[str]) -> CheckReport:
        """This report with more problems, each kind behind those of its seriousness."""
        first = (*self.problems[: self.spoiling], *spoiling)
        problems = (*first, *self.problems[self.spoiling :], *lesser)
        return replace(self, problems=problems, spoiling=len(first))


def check_dataset(
    dataset: Dataset,
    settings: ImageSettings = _DEFAULT,
    *,
    job: Job = SILENT,
) -> CheckReport:
    """Decode every image and report counts, shares, sizes, unreadable and identical files.

    Nothing on the disk is changed. Raises `Interrupted` when `job` is stopped.
    """
    facts, unreadable = _looked_at(dataset, settings.depth, job)
    counts, several = count_classes(dataset), bool(dataset.label_names)
    sizes = {split: len(dataset.rows(split)) for split in counts}
    report = CheckReport(
        name=dataset.name,
        root=str(dataset.root),
        layout=dataset.layout,
        images=len(dataset),
        classes=dataset.outputs,
        counts=counts,
        shares=class_shares(counts, sizes),
        shifts=() if several else share_shifts(counts),
        widths=_extent(facts.widths),
        heights=_extent(facts.heights),
        formats=dict(facts.formats.most_common()),
        modes=dict(facts.modes.most_common()),
        rotated=facts.rotated,
        unreadable=tuple(unreadable.values()),
        identical=find_identical(dataset),
        torn_groups=torn_groups(dataset),
        ignored=tuple(dataset.below(str(path)) for path in dataset.ignored[:MOST_NAMED]),
        left_out=dataset.left_out,
        deep=facts.remarks.deep,
        bits=facts.remarks.bits,
        cut=facts.remarks.cut,
        sizes=sizes if several else None,
    )
    return report.with_problems(
        spoiling_problems(report, dataset, unreadable), lesser_problems(report, dataset, settings)
    )


class _Facts:
    """The facts of all readable images, some bytes for each."""

    def __init__(self) -> None:
        self.widths, self.heights = array("i"), array("i")
        self.formats: Counter[str] = Counter()
        self.modes: Counter[str] = Counter()
        self.rotated = 0
        self.remarks = Remarks()

    def add(self, fact: ImageFacts) -> None:
        self.widths.append(fact.width)
        self.heights.append(fact.height)
        self.formats[fact.format] += 1
        self.modes[fact.mode] += 1
        self.rotated += fact.rotated
        self.remarks.add(fact.bits, fact.cut)


def _looked_at(
    dataset: Dataset, depth: int | None, job: Job
) -> tuple[_Facts, dict[int, Unreadable]]:
    facts, unreadable = _Facts(), {}
    look = partial(_look, dataset, depth)
    found = map_in_threads(look, range(len(dataset)), what="checking the images", job=job)
    for index, fact in enumerate(found):
        if isinstance(fact, ImageFacts):
            facts.add(fact)
        else:
            unreadable[index] = fact
        job.progress("checking", index + 1, len(dataset))
    return facts, unreadable


def _look(dataset: Dataset, depth: int | None, index: int) -> ImageFacts | Unreadable:
    name = dataset.name_of(index)
    try:
        return inspect_image(dataset.paths[index], name, depth)
    except ImageError as error:
        return Unreadable(name, error.found)


def _extent(lengths: Sequence[int]) -> Extent:
    if not lengths:
        return Extent(0, 0.0, 0)
    return Extent(min(lengths), float(np.median(lengths)), max(lengths))
