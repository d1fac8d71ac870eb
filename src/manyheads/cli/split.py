"""`manyheads split`: write down how images are divided, as a manifest."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.cli import options
from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.core.table import Table
    from manyheads.data.dataset import Dataset
    from manyheads.data.shares import Counts


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "split",
        help="write the split into train, validation and test to a table",
        description="Split the images as every command does, stratified by class and by group, and "
        "write the split to a table with the columns path, label, split and group. The table keeps "
        "the split, whatever images are added later. Splits that the data set gives stay as they "
        "are; nothing is overwritten, and nothing in the data set is changed.",
        epilog="Example: manyheads split photos/ --out photos.csv, then manyheads sweep photos.csv",
    )
    options.add_data(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        required=True,
        help="the table to write (.csv); it must not be there yet",
    )
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli import narrow, result_tables
    from manyheads.core.label_sets import JOINER
    from manyheads.core.text import counted, option
    from manyheads.data.dataset import open_dataset
    from manyheads.data.manifest_writer import check_manifest_path, write_manifest
    from manyheads.data.shares import count_classes

    out = Path(args.out).expanduser()
    check_manifest_path(out)
    split, table = options.split_settings(args), options.table_settings(args)
    dataset = open_dataset(args.data, split=split, table=table, job=job)
    write_manifest(out, dataset, divided=True)
    counts = count_classes(dataset)
    if args.json:
        about = {"left_out": dataset.left_out, "remarks": list(dataset.remarks)}
        result_tables.print_json(
            {"manifest": str(out), "divided": _how(dataset), "counts": counts, **about}
        )
        return
    print(f"{dataset.name}: {counted(len(dataset), 'image')}, {dataset.what}; {_how(dataset)}")
    print()
    result_tables.print_table(_table(dataset, counts))
    print()
    several = option("label_separator", JOINER) if dataset.label_names else []
    command = shlex.join(["manyheads", "sweep", str(out), *several])
    narrow.print_lines([*_remarks(dataset, out), f"Manifest {out}", f"Next     {command}"])


def _how(dataset: Dataset) -> str:
    if dataset.divided is None:
        return "as its splits are given"
    by = "label" if dataset.label_names else "class"
    by = by if dataset.groups is None else f"{by} and group"
    what = "validation taken from train" if dataset.carved else "divided"
    return f"{what} by {by}, split seed {dataset.divided.seed}"


def _remarks(dataset: Dataset, out: Path) -> list[str]:
    from manyheads.data.duplicates import overlap_words
    from manyheads.data.trainable import (
        few_images_words,
        off_share_words,
        untested_words,
        unvalidated_words,
    )

    lines = [f"Left out {dataset.left_out}"] if dataset.left_out else []
    lines += [f"Note     {line}" for line in dataset.remarks]
    lines += [f"Overlap  {words}" for words in overlap_words(dataset, folds=False)]
    if words := unvalidated_words(dataset):
        lines.append(f"Classes  {words}")
    if words := untested_words(dataset):
        lines.append(f"Classes  {words}")
    if words := off_share_words(dataset):
        lines.append(f"Shares   {words}")
    if words := few_images_words(dataset):
        command = shlex.join(["manyheads", "sweep", str(out), "--folds", "5"])
        lines.append(f"Advice   {words}: {command}")
    if not len(dataset.rows("validation")):
        lines.append("Validation images are none: a command takes them from training again")
    return lines


def _table(dataset: Dataset, counts: Counts) -> Table:
    from manyheads.core.table import Table, names, numbers
    from manyheads.core.text import percent

    sizes = [len(dataset.rows(split)) for split in counts]
    total = len(dataset)

    def row(name: str, found: list[int]) -> tuple[str, ...]:
        return name, *(f"{number:,}" for number in found)

    found = {name: [of_class[name] for of_class in counts.values()] for name in dataset.outputs}
    return Table(
        columns=[*names("label" if dataset.label_names else "class"), *numbers(*counts, "all")],
        rows=[row(name, [*each, sum(each)]) for name, each in found.items()],
        totals=[
            row("all", [*sizes, total]),
            ("share", *(percent(size / total) for size in sizes), ""),
        ],
    )
