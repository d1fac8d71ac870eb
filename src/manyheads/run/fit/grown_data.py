"""The images of a former run as they are now: what has changed, and how they are divided.

The law. An image that the run had stays in the split that it had there: what trained goes on to
train, its test images stay test images, and images that judged its model from outside (the
validation images of a sweep without folds) stay apart, unless they are to be trained on. New images
of a unit (a group, or one content) with any of these join most of them. All other new images go
where the data set gives a split for them, or are divided as the run's were: by its shares, its rule
and its seed, as if there were no others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted
from manyheads.data.changes import Changes, Listed
from manyheads.data.columns import Categorical, Rows
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.label_changes import LabelChanges
from manyheads.data.manifest_writer import given_splits
from manyheads.data.splits import SPLITS, assign_splits
from manyheads.errors import DataError
from manyheads.run.fit.former_run import FIT_ANEW, FormerRun
from manyheads.run.fit.growth import HELD_OUT, DataChanges


@dataclass(frozen=True)
class GrownData:
    """The `dataset` as it is now, divided by the law above, and how it came to be.

    `source`, `split` and `table` are what was opened. The splits are those of every data set, and
    `HELD_OUT` of images that judge both models.
    """

    former: FormerRun
    source: str
    split: SplitSettings
    table: TableSettings
    dataset: Dataset
    found: Changes

    @cached_property
    def to_fit(self) -> Dataset:
        """The images of the fit: all but those that are held out."""
        return self.dataset.without(self.judges.tolist()) if len(self.judges) else self.dataset

    @property
    def judges(self) -> Rows:
        """The images that are held out, to judge both models."""
        return self.dataset.splits.where(HELD_OUT)

    @cached_property
    def added(self) -> Rows:
        """The images that the former run did not have."""
        known = self.former.split_of
        return np.flatnonzero([key not in known for key in Listed.of(self.dataset).keys])

    @cached_property
    def changes(self) -> DataChanges:
        """What has changed, in numbers."""
        found = self.found
        return DataChanges(
            kept=len(found.same),
            added=len(found.added) + len(found.replaced),
            removed=len(found.removed) + len(found.replaced),
            relabelled=len([pair for pair in found.relabelled if pair in set(found.same)]),
            renamed=found.renamed,
            new=found.new_classes,
            gone=tuple(found.gone_classes),
            several_labels=self.former.several_labels,
        )

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """The first lines of the plan: what it begins from, what has changed and what stays."""
        former, changes = self.former, self.changes
        kind = "a sweep" if former.fitted is None else "a fit"
        lines = [
            ("From", f"{former.name}: {kind} on {counted(len(former.listed.names), 'image')}"),
            ("Changed", changes.words),
            ("Kept", f"{counted(changes.kept, 'image')} of {former.name}, {self._kept_words}"),
        ]
        if len(self.judges):
            lines.append(("Judges", (
                f"{counted(len(self.judges), 'validation image')} that neither model is trained on"
            )))  # fmt: skip
        return tuple(lines)

    @property
    def _kept_words(self) -> str:
        return f"in their split{' and fold' if self.former.fold_of else ''} of then"


def open_grown(
    former: FormerRun,
    source: str,
    *,
    split: SplitSettings,
    table: TableSettings,
    train_on_validation: bool = False,
    job: Job = SILENT,
) -> GrownData:
    """The data set at `source`, divided as the images of the `former` run were.

    With `train_on_validation` the validation images of a sweep are trained on too. Raises what
    `open_dataset` raises, and `DataError` where the two share no image, or an image may have
    several labels in one of them alone.
    """
    dataset = open_dataset(source, split=split, table=table, job=job)
    if bool(dataset.label_names) != former.several_labels:
        kinds = "one class per image", "several labels per image"
        raise DataError(
            f"{kinds[former.several_labels]} at {source}, as in {former.name}",
            kinds[not former.several_labels], FIT_ANEW,
        )  # fmt: skip
    kind = LabelChanges if former.several_labels else Changes
    found = kind.between(former.listed, Listed.of(dataset))
    if not found.same:
        raise DataError(
            f"images of {former.name} at {source}",
            f"none of its {counted(len(former.listed.names), 'image')} among "
            f"{len(dataset):,} there",
            "name the data set that it was fitted to, as it is now, or fit anew",
        )  # fmt: skip
    judging = former.has_judges and not train_on_validation
    splits = _splits(former, dataset, split, judging=judging)
    divided = replace(dataset, splits=splits, divided=None, carved=False)
    return GrownData(former, source, split, table, divided, found)


def _splits(
    former: FormerRun, dataset: Dataset, split: SplitSettings, *, judging: bool
) -> Categorical:
    known = former.split_of
    splits = [known.get(key, "") for key in Listed.of(dataset).keys]
    of_unit: defaultdict[int, Counter[str]] = defaultdict(Counter)
    units = dataset.units.tolist()
    for unit, name in zip(units, splits, strict=True):
        if name:
            of_unit[unit][name] += 1
    names = (*SPLITS, HELD_OUT)
    for row, unit in enumerate(units):
        if not splits[row] and unit in of_unit:
            had = of_unit[unit]
            splits[row] = max(names, key=lambda name: had[name])
    new = np.flatnonzero([not name for name in splits])
    if len(new):
        for row, name in zip(new.tolist(), _divided(dataset, new, split), strict=True):
            splits[row] = HELD_OUT if judging and name == "validation" else name
    if not judging:
        splits = ["validation" if name == HELD_OUT else name for name in splits]
    codes = np.array([names.index(name) for name in splits], np.int32)
    used = names if judging else SPLITS
    return Categorical(used, codes)


def _divided(dataset: Dataset, new: Rows, split: SplitSettings) -> list[str]:
    """The splits of new images: those that are given, and else by the rule, by themselves."""
    given = given_splits(dataset)
    names = [""] * len(new) if given is None else list(given.take(new))
    rule, free = split, np.flatnonzero([not name for name in names])
    if given is not None and "validation" not in given.names:  # it is taken from training
        free = np.flatnonzero([name == "train" for name in names])
        rule = replace(split, test=0.0)
    if len(free):
        rows = new[free]
        groups = None if dataset.groups is None else dataset.groups.take(rows)
        sets = dataset.label_sets
        members = None if sets is None else sets.members
        found = assign_splits(
            dataset.labels[rows], dataset.digests.take(rows), groups, rule, members
        )
        for place, name in zip(free.tolist(), found, strict=True):
            names[place] = name
    return names


def manifest_path(out: Path, dataset: Dataset) -> Path:
    """Where the division of a fit from a former run is written down, in its run folder."""
    name = "".join(each if each.isalnum() or each in "-_." else "-" for each in dataset.name)
    return out / "division" / f"{name}.csv"
