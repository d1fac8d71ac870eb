"""What in a data set may spoil a study, one line each, the most serious first."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from manyheads.core.text import counted, option
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.data.duplicates import Identical
from manyheads.data.label_names import alike_numbers
from manyheads.data.name_rules import likeness
from manyheads.data.remarks import cut_remark, depth_remark
from manyheads.data.shares import BALANCED_RULE, unequal_words
from manyheads.data.table_files import MISSING
from manyheads.data.trainable import unvalidated_words
from manyheads.errors import DataError

if TYPE_CHECKING:
    from manyheads.data.checks import CheckReport

_DOUBTFUL = frozenset(
    (
        "na", "none", "missing", "unlabelled", "unlabeled", "n.a.", "(null)", "<null>", "(none)",
        "<none>", "(blank)", "?", "-", "--", ".", *(text.casefold() for text in MISSING),
    )
)  # fmt: skip
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
        *_number_twins(report.classes),
        *_doubtful_classes(report, dataset),
        *_unvalidated(dataset),
        *_small_classes(report),
        *_unequal(report),
        *_shifts(report),
        *_repeats(report.identical),
        *_left_out(dataset),
        *dataset.remarks,
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
    # Those with different labels are named as such.
    if found := [same for same in identical if same.within_split and not same.differs_in_label]:
        yield f"{_sets(found)} of identical images within a split: {_example(found)}"


def _torn(groups: Sequence[str]) -> Iterator[str]:
    if groups:
        yield (
            f"{counted(len(groups), 'group')} with images in more than one split: "
            f"{_some(groups)}; scores on the later split are too good"
        )


def _unreadable(report: CheckReport) -> Iterator[str]:
    if bad := report.unreadable:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        names = "; ".join(f"{entry.name}: {entry.reason}" for entry in bad[:3])
        yield f"{counted(len(bad), 'file')} that cannot be read: {names}{more}"


def _case_twins(classes: Sequence[str]) -> Iterator[str]:
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name in classes:
        names[likeness(name)].append(name)
    alike = [found for found in names.values() if len(found) > 1]
    case = [found for found in alike if len({name.casefold() for name in found}) == 1]
    if case:
        yield f"classes that differ only in case: {_some(_pairs(case))}"
    if others := [found for found in alike if found not in case]:
        yield f"classes that differ only in case, white space or line ends: {_some(_pairs(others))}"


def _pairs(alike: Sequence[Sequence[str]]) -> list[str]:
    return [" and ".join(map(repr, found)) for found in alike]


def _number_twins(classes: Sequence[str]) -> Iterator[str]:
    if twins := [" and ".join(map(repr, found)) for found in alike_numbers(classes)]:
        yield f"classes that are one number, written in several ways: {_some(twins)}"


def _doubtful_classes(report: CheckReport, dataset: Dataset) -> Iterator[str]:
    """Names that mean no label in some tables and a class in others."""
    doubtful = [name for name in report.classes if name.casefold() in _DOUBTFUL]
    if doubtful and report.layout == "manifest":
        images = sum(counts.get(name, 0) for name in doubtful for counts in report.counts.values())
        yield (
            f"{' and '.join(map(repr, doubtful))} taken as a class ({counted(images, 'image')}); "
            f"if {'it means' if len(doubtful) == 1 else 'they mean'} no label, leave these out "
            # The option makes the list another one, so what is left out already is named too.
            f"with `missing_labels` {shlex.join([*doubtful, *dataset.missing])}"
        )


def _unvalidated(dataset: Dataset) -> Iterator[str]:
    if words := unvalidated_words(dataset):
        yield words


def _small_classes(report: CheckReport) -> Iterator[str]:
    for split, counts in report.counts.items():
        small = [f"{name} {count}" for name, count in counts.items() if count < _FEW[split]]
        if small:
            yield f"classes with fewer than {_FEW[split]} {split} images: {_some(small)}"


def _unequal(report: CheckReport) -> Iterator[str]:
    if report.sizes is not None:  # several labels, each judged by itself
        return
    if words := unequal_words(report.counts.get("train", {})):
        asked = [*option("class_weight", "none", "balanced"), *option("select", BALANCED_RULE)]
        yield (
            f"classes of very unequal size to train on: {words}; accuracy hardly depends on the "
            f"small ones: `manyheads sweep` {' '.join(asked)} tells whether weights help"
        )


def _shifts(report: CheckReport) -> Iterator[str]:
    for shift in report.shifts:
        if shift.matters:
            name = shift.largest_class
            first, second = (
                100 * report.shares[split][name] for split in (shift.first, shift.second)
            )
            yield (
                f"class shares differ between {shift.first} and {shift.second}, by more than "
                f"chance: {name} is {first:.1f} % of one and {second:.1f} % of the other; "
                "their scores are not comparable"
            )


def _left_out(dataset: Dataset) -> Iterator[str]:
    for reason, count in dataset.ignored.counts.items():
        if reason.harmless:
            continue
        shown = [dataset.below(str(path)) for path in dataset.ignored.first(reason, 3)]
        more = f" and {count - 3:,} more" if count > 3 else ""
        remedy = f"; {reason.remedy}" if reason.remedy else ""
        yield f"{reason.counted(count)} left out: {', '.join(shown)}{more}{remedy}"


def _rotated(report: CheckReport, settings: ImageSettings) -> Iterator[str]:
    if report.rotated and not settings.exif:
        count = counted(report.rotated, "image")
        yield f"{count} with an EXIF orientation that is ignored: they are used as stored"


def _sets(found: Sequence[Identical]) -> str:
    return counted(len(found), "set")


def _example(found: Sequence[Identical]) -> str:
    return " = ".join(found[0].names[:3])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
