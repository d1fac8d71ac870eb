"""What in a data set may spoil a study, one line each, the most serious first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from manyheads.data.dataset import Dataset
from manyheads.data.duplicates import Identical
from manyheads.data.remarks import cut_remark, depth_remark
from manyheads.errors import DataError
from manyheads.settings import ImageSettings

if TYPE_CHECKING:
    from manyheads.data.checks import CheckReport

_FEW = {"train": 20, "validation": 10, "test": 10}


def spoiling_problems(
    report: CheckReport, dataset: Dataset, unreadable: Collection[int]
) -> tuple[str, ...]:
    """The lines for what makes scores wrong, or training impossible.

    `unreadable` are the indices of the images that the report calls so.
    """
    return (
        *_untrainable(dataset.without(unreadable)),
        *_conflicts(report.identical),
        *_leaks(report.identical),
        *_torn(report.torn_groups),
    )


def lesser_problems(
    report: CheckReport, dataset: Dataset, settings: ImageSettings
) -> tuple[str, ...]:
    """The lines for whatever else needs attention."""
    return (
        *_unreadable(report),
        *depth_remark(report.deep, report.bits, settings),
        *_case_twins(report.classes),
        *_small_classes(report),
        *_shifts(report),
        *_repeats(report.identical),
        *_left_out(report, dataset),
        *_rotated(report, settings),
        *cut_remark(report.cut),
    )


def _untrainable(readable: Dataset) -> Iterator[str]:
    try:
        readable.require_trainable()
    except DataError as error:
        yield f"no heads can be trained: {error}"


def _conflicts(identical: Sequence[Identical]) -> Iterator[str]:
    if found := [same for same in identical if same.differs_in_label]:
        labels = " and ".join(sorted(set(found[0].labels)))
        yield (
            f"{_sets(found)} of identical images with different labels: "
            f"{_example(found)} ({labels}); at least one label of each is wrong"
        )


def _leaks(identical: Sequence[Identical]) -> Iterator[str]:
    if found := [same for same in identical if same.across_splits]:
        splits = " and ".join(sorted(set(found[0].splits)))
        yield (
            f"{_sets(found)} of identical images in more than one split: "
            f"{_example(found)} ({splits}); scores on the later split are too good"
        )


def _repeats(identical: Sequence[Identical]) -> Iterator[str]:
    if found := [same for same in identical if same.within_split]:
        yield f"{_sets(found)} of identical images within a split: {_example(found)}"


def _torn(groups: Sequence[str]) -> Iterator[str]:
    if groups:
        yield (
            f"{_count(len(groups), 'group')} with images in more than one split: "
            f"{_some(groups)}; scores on the later split are too good"
        )


def _unreadable(report: CheckReport) -> Iterator[str]:
    if bad := report.unreadable:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        names = "; ".join(f"{entry.name}: {entry.reason}" for entry in bad[:3])
        yield f"{_count(len(bad), 'file')} that cannot be read: {names}{more}"


def _case_twins(classes: Sequence[str]) -> Iterator[str]:
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name in classes:
        names[name.casefold()].append(name)
    if twins := [" and ".join(map(repr, found)) for found in names.values() if len(found) > 1]:
        yield f"classes that differ only in case: {_some(twins)}"


def _small_classes(report: CheckReport) -> Iterator[str]:
    for split, counts in report.counts.items():
        small = [f"{name} {count}" for name, count in counts.items() if count < _FEW[split]]
        if small:
            yield f"classes with fewer than {_FEW[split]} {split} images: {_some(small)}"


def _shifts(report: CheckReport) -> Iterator[str]:
    for shift in report.shifts:
        if shift.matters:
            name = shift.largest_class
            first, second = (
                100 * report.shares[split][name] for split in (shift.first, shift.second)
            )
            yield (
                f"class shares differ between {shift.first} and {shift.second}: {name} is "
                f"{first:.1f} % of one and {second:.1f} % of the other; "
                "their scores are not comparable"
            )


def _left_out(report: CheckReport, dataset: Dataset) -> Iterator[str]:
    names = dict(zip(dataset.ignored, report.ignored, strict=True))
    empty = [name for path, name in names.items() if path.is_dir()]
    others = [name for path, name in names.items() if not path.is_dir()]
    if empty:
        yield f"{_count(len(empty), 'class folder')} without images left out: {_some(empty)}"
    if others:
        yield f"{_count(len(others), 'file')} beside the images left out: {_some(others)}"


def _rotated(report: CheckReport, settings: ImageSettings) -> Iterator[str]:
    if report.rotated and not settings.exif:
        count = _count(report.rotated, "image")
        yield f"{count} turned by the camera, and the recorded orientation is not honoured"


def _sets(found: Sequence[Identical]) -> str:
    return _count(len(found), "set")


def _example(found: Sequence[Identical]) -> str:
    return " = ".join(found[0].names[:3])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
