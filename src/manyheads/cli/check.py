"""`manyheads check`: what a data set holds, and what may spoil a study on it."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from manyheads.cli import check_tables, options
from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.core.table import Table
    from manyheads.data.checks import CheckReport
    from manyheads.data.data_settings import TableSettings
    from manyheads.data.dataset import Dataset
    from manyheads.run.data_check import DataCheck


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "check",
        help="check every image of a data set for what may spoil a study",
        description="Decode every image and report classes, counts and shares by split, sizes, "
        "unreadable files, identical images within and across splits, and identical images with "
        "different labels. --similar and --labels also find near-duplicates and probable label "
        "errors, from a backbone's features. Every file is read, and nothing is changed.",
    )
    options.add_data(parser)
    check_tables.add(parser)
    options.add_workers(parser)
    parser.add_argument(
        "--exit-code", action="store_true", help="exit with 1 if there is a problem"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli import narrow, result_tables
    from manyheads.cli.screen import shown
    from manyheads.core.settings import plain
    from manyheads.data.dataset import open_dataset
    from manyheads.data.image_groups import with_group_column
    from manyheads.data.trainable import few_images_words
    from manyheads.errors import DataError
    from manyheads.run.data_check import check_data
    from manyheads.workers.opening import workers_asked

    asked, extraction = check_tables.settings(args)
    workers = workers_asked(args.workers)
    split = options.split_settings(args)
    table = options.table_settings(args)
    with shown(job) as job:
        dataset = open_dataset(args.data, split=split, table=table, reread=True, job=job)
        if args.gallery is not None:
            from manyheads.report.gallery import check_gallery_path

            check_gallery_path(args.gallery, dataset)
        checked = check_data(dataset, asked, extraction, job, workers)
        written = check_tables.write(args, dataset, checked, job)
    report = checked.report.with_problems((), _unused(dataset, with_group_column(table, split)))
    if args.json:
        result_tables.print_json(plain(report) | check_tables.document(checked))
    else:
        _print(report, checked, exif=asked.image.exif)
        if advice := few_images_words(dataset):
            given = [*split.group_arguments, *table.arguments, "--folds", "5"]
            command = shlex.join(["manyheads", "sweep", args.data, *given])
            narrow.print_lines(["", f"Advice   {advice}: {command}"])
        if args.gallery is not None:
            print(f"\nGallery  {args.gallery}")
        if written.groups:
            print(f"\nGroups   {written.groups}")
            print(f"Next     manyheads sweep {shlex.quote(str(args.write_groups))}{written.folds}")
    if report.problems and args.exit_code:
        raise DataError(
            "a data set without problems", f"{len(report.problems)}: {report.problems[0]}",
            "mend them, or leave out --exit-code",
        )  # fmt: skip


def _unused(dataset: Dataset, table: TableSettings) -> list[str]:
    """Columns of a table that a user may take for splits or groups, and that are not read."""
    from manyheads.data.table_files import unused_columns

    if dataset.layout != "manifest":
        return []
    return [
        f"the column {name!r} is not read: if it has the {role}s, add --{role}-column {name!r}"
        for role, name in unused_columns(dataset.root, table)
    ]


def _print(report: CheckReport, checked: DataCheck, *, exif: bool) -> None:
    from manyheads.cli import narrow, result_tables
    from manyheads.core.text import counted

    noun = "class" if report.sizes is None else "label"
    images, classes = counted(report.images, "image"), counted(len(report.classes), noun)
    narrow.print_lines([f"{report.name}: {images}, {classes}, {report.layout}", ""])
    result_tables.print_table(_class_table(report))
    print()
    for name, extent in (("width", report.widths), ("height", report.heights)):
        print(f"{name:8} {extent.least} to {extent.greatest} pixels, median {extent.median:g}")
    lines = [f"formats  {_counts(report.formats)}; modes {_counts(report.modes)}"]
    if report.rotated:
        how, otherwise = (
            ("applied to", "--no-exif ignores") if exif else ("ignored of", "--exif applies")
        )
        images = counted(report.rotated, "image")
        lines.append(f"rotated  EXIF orientation {how} {images} ({otherwise} it)")
    if report.left_out:
        lines.append(f"left out {report.left_out}")
    narrow.print_lines(lines)
    check_tables.show(checked)
    print()
    if not report.problems:
        print("No problems found.")
        return
    print(f"{counted(len(report.problems), 'problem')}, the most serious first:")
    narrow.print_lines([f"- {problem}" for problem in report.problems])


def _class_table(report: CheckReport) -> Table:
    from manyheads.core.table import Table, names, numbers
    from manyheads.core.text import percent

    splits = [split for split, counts in report.counts.items() if sum(counts.values())]
    cells = {
        name: [
            cell
            for split in splits
            for cell in (
                f"{report.counts[split].get(name, 0):,}",
                percent(report.shares[split].get(name, 0.0)),
            )
        ]
        for name in report.classes
    }
    sizes = report.sizes or {s: sum(report.counts[s].values()) for s in splits}
    totals = [cell for split in splits for cell in (f"{sizes[split]:,}", "")]
    of, all_ = ("class", "all") if report.sizes is None else ("label", "images")
    return Table(
        columns=[*names(of), *numbers(*(title for split in splits for title in (split, "share")))],
        rows=[(name, *shown) for name, shown in cells.items()],
        totals=[(all_, *totals)],
    )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
