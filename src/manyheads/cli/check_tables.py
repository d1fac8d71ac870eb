"""What `manyheads check` finds with a backbone: near-duplicates and suspicious labels."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from manyheads.cli import backbone_options, options

if TYPE_CHECKING:
    from manyheads.core.job import Job
    from manyheads.core.table import Table
    from manyheads.data.dataset import Dataset
    from manyheads.findings.labels import SuspiciousLabels
    from manyheads.findings.similar import SimilarImages
    from manyheads.run.data_check import CheckSettings, DataCheck, ExtractionSettings

_ROWS = 10


class WrittenGroups(NamedTuple):
    """In words, the groups that were written, and the option that divides them into folds."""

    groups: str = ""
    folds: str = ""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser."""
    group = parser.add_argument_group("near-duplicates and labels, from a backbone's features")
    group.add_argument(
        "--similar", action="store_true",
        help="find near-duplicates within and across splits",
    )  # fmt: skip
    group.add_argument(
        "--nearer", metavar="SHARE",
        help="how close near-duplicates are, as a fraction of the distance to the tenth-nearest "
        "neighbour of each (default: 0.333)",
    )  # fmt: skip
    group.add_argument(
        "--labels", action="store_true",
        help="find probable label errors, by heads trained on all other images (confident "
        "learning); in training and validation images only, so that the test images stay unseen",
    )  # fmt: skip
    group.add_argument(
        "--gallery", metavar="FILE", type=Path,
        help="write a page (.html) of what --similar and --labels find, outside of DATA",
    )  # fmt: skip
    group.add_argument(
        "--write-groups", metavar="FILE", type=Path,
        help="write DATA as a new table (.csv) in which each set that --similar finds is a group, "
        "so that folds, and splits that are not given, keep it together: `manyheads sweep FILE`",
    )  # fmt: skip
    backbone_options.add_images(parser, "the backbone's own")


def settings(args: argparse.Namespace) -> tuple[CheckSettings, ExtractionSettings | None]:
    """What `args` ask for; raises what can be said before any image is read."""
    from manyheads.core.destinations import file_for
    from manyheads.data.data_settings import ImageSettings
    from manyheads.errors import SettingError
    from manyheads.findings.similar import NEARER, check_nearer
    from manyheads.run.data_check import CheckSettings

    if args.gallery is not None and not (args.similar or args.labels):
        expected = "--similar or --labels with --gallery"
        raise SettingError(expected, "neither", "add what the gallery is to show")
    if args.gallery is not None:
        file_for(args.gallery, "--gallery")
    if args.write_groups is not None:
        file_for(args.write_groups, "--write-groups")
        from manyheads.data.manifest_writer import check_manifest_path

        check_manifest_path(args.write_groups)
        if not args.similar:
            raise SettingError("--similar with --write-groups", "none", "add it")
    if args.nearer is not None and not args.similar:
        raise SettingError("--similar with --nearer", "none", "add it, or leave out --nearer")
    exif = ImageSettings.exif if args.exif is None else args.exif
    asked = CheckSettings(
        image=ImageSettings(exif=exif, depth=args.depth),
        similar=args.similar,
        nearer=NEARER if args.nearer is None else check_nearer(args.nearer),
        labels=args.labels,
    )
    seen = args.similar or args.labels
    return asked, options.extraction_settings(args) if seen else None


def write(
    args: argparse.Namespace, dataset: Dataset, checked: DataCheck, job: Job
) -> WrittenGroups:
    """Write the gallery and the groups that `args` ask for."""
    if args.gallery is not None:
        from manyheads.report.gallery import write_gallery

        image = backbone_options.image_settings(args)
        write_gallery(
            args.gallery, dataset, checked.similar, checked.labels,
            exif=image.exif, depth=image.depth, job=job,
        )  # fmt: skip
    if args.write_groups is not None and checked.similar is not None:
        return WrittenGroups(*_write_groups(args.write_groups, dataset, checked.similar))
    return WrittenGroups()


def document(checked: DataCheck) -> dict[str, Any]:
    """What a backbone saw, as plain data."""
    from manyheads.core.settings import plain

    both = {"similar": checked.similar, "labels": checked.labels}
    return {name: plain(found) for name, found in both.items() if found is not None}


def _write_groups(path: Path, dataset: Dataset, similar: SimilarImages) -> tuple[str, str]:
    """Write the manifest; in words, what is in it, and the option that divides it into folds."""
    from manyheads.data.duplicates import torn_groups
    from manyheads.data.folds import most_folds
    from manyheads.data.manifest_writer import given_splits, write_manifest
    from manyheads.findings.groups import cluster_rows, joined_groups
    from manyheads.study.space import counted

    groups = joined_groups(dataset, cluster_rows(dataset, similar))
    grouped = replace(dataset, groups=groups)
    write_manifest(path, grouped)
    inside = sum(bool(name) for name in groups)
    words = (
        f"{path}: {counted(inside, 'image')} of {len(groups):,} in "
        f"{counted(len({*groups} - {''}), 'group')}"
    )
    splits = given_splits(dataset)
    torn = 0 if splits is None else len(torn_groups(replace(grouped, splits=splits)))
    most = min(5, most_folds(grouped))
    folds = f" --folds {most}" if most > 1 else ""
    if torn:
        only = f", and only folds ({folds.strip()}) do not" if folds else ""
        words += f"; the given splits tear {torn:,} of them{only}"
    return words, folds


def show(checked: DataCheck) -> None:
    """Print the most telling of what was found."""
    from manyheads.cli import result_tables
    from manyheads.study.space import counted

    if (similar := checked.similar) is not None:
        print(
            f"\nNearly identical: {counted(similar.found, 'pair')} in "
            f"{counted(len(similar.clusters), 'set')}, of "
            f"{counted(similar.images, 'different image')}"
        )
        if similar.pairs:
            result_tables.print_table(_pair_table(similar))
            _print_rest(similar.found)
    if (labels := checked.labels) is not None:
        print(
            f"\nSuspicious labels: {len(labels.suspicious):,} of {labels.judged:,} training and "
            "validation images"
        )
        if labels.too_small:
            print(f"not judged, too few images: {', '.join(labels.too_small)}")
        if labels.suspicious:
            result_tables.print_table(_label_table(labels))
            _print_rest(len(labels.suspicious))


def _print_rest(found: int) -> None:
    if found > _ROWS:
        print(f"… {found - _ROWS:,} more: --gallery FILE.html shows them, --json lists them")


def _pair_table(similar: SimilarImages) -> Table:
    from manyheads.core.table import Table, names, numbers, words
    from manyheads.core.text import decimal

    return Table(
        columns=[*numbers("similarity"), *names("image", "and"), *words("split", "label")],
        rows=[
            (
                decimal(pair.similarity),
                *pair.names,
                " and ".join(dict.fromkeys(pair.splits)),
                " and ".join(dict.fromkeys(pair.labels)),
            )
            for pair in similar.pairs[:_ROWS]
        ],
    )


def _label_table(labels: SuspiciousLabels) -> Table:
    from manyheads.core.table import Table, TableColumn, names, words
    from manyheads.core.text import percent

    return Table(
        columns=[
            *names("image"), *words("label"), TableColumn("believed"), *words("looks like"),
            TableColumn("believed"),
        ],
        rows=[
            (
                each.name,
                each.label,
                percent(each.given),
                each.suggested,
                percent(each.confidence, 0),
            )
            for each in labels.suspicious[:_ROWS]
        ],
    )  # fmt: skip
