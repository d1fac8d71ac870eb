"""What a reader of scores must know of the images and heads that they were measured on."""

from __future__ import annotations

from collections.abc import Iterator

from manyheads.data.dataset import Dataset
from manyheads.data.duplicates import Identical, find_identical, torn_groups
from manyheads.data.shares import class_shares, count_classes, share_shifts
from manyheads.findings.study_findings import Findings
from manyheads.findings.test_log import repeat_warning
from manyheads.report.content import DataWarning
from manyheads.study.division import few_words, validation_counts
from manyheads.study.space import counted


def data_warnings(findings: Findings, dataset: Dataset) -> Iterator[DataWarning]:
    """The warnings, the most serious first."""
    if repeated := repeat_warning(findings.folder):
        yield DataWarning(text=repeated)
    identical = find_identical(dataset)
    across = [each for each in identical if each.across_splits]
    if across:
        text = f"The same image lies in different splits, {len(across):,} times"
        flattered = ": what trains on one is judged by the other."
        in_folds = "; folds keep such images together."
        yield _of(across, text + (flattered if findings.settings.folds is None else in_folds))
    unsure = [each for each in identical if each.differs_in_label]
    if unsure:
        yield _of(unsure, f"The same image with different labels, {len(unsure):,} times.")
    torn = torn_groups(dataset)
    if torn:
        yield DataWarning(
            text=f"{counted(len(torn), 'group')} of images in more than one split.", examples=torn
        )
    yield from _shifts(dataset)
    if (one_class := findings.collapsed_words) is not None:
        yield DataWarning(text=one_class)
    if few := few_words(dataset, findings.settings.folds):
        what = "that are" if findings.settings.folds is None else "with few images:"
        yield DataWarning(text=f"Classes {what} {few}.")
    expected = validation_counts(findings.settings.folds, dataset)[1]
    left_out = expected - len(findings.validated.labels)
    if left_out:
        yield DataWarning(text=f"{counted(left_out, 'image')} could not be read and took no part.")
    failed = sum(entry.failed for entry in findings.result.in_order)
    if failed:
        yield DataWarning(
            text=f"{counted(failed, 'trial')} diverged; their seeds are left out of comparisons."
        )


def _of(found: list[Identical], text: str) -> DataWarning:
    return DataWarning(text=text, examples=tuple(" = ".join(each.names) for each in found))


def _shifts(dataset: Dataset) -> Iterator[DataWarning]:
    if dataset.label_names:  # the shares of labels do not sum to one
        return
    counts = count_classes(dataset)
    shares = class_shares(counts)
    for shift in share_shifts(counts):
        if shift.matters:
            name = shift.largest_class
            first, second = (100 * shares[split][name] for split in (shift.first, shift.second))
            yield DataWarning(
                text="Class shares differ between splits, by more than chance: "
                f"{name} is {first:.1f} % of {shift.first} and {second:.1f} % of "
                f"{shift.second}. Scores on the two are not comparable as they are."
            )
