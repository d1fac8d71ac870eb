"""What `manyheads check` finds with a backbone: near-duplicates and suspicious labels."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.cli import options
from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.backbones.registry import BackboneSpec
    from manyheads.backbones.weights import Weights
    from manyheads.core.table import Table
    from manyheads.data.checks import CheckReport
    from manyheads.data.data_settings import ImageSettings
    from manyheads.data.dataset import Dataset
    from manyheads.features.extraction import Features
    from manyheads.findings.labels import SuspiciousLabels
    from manyheads.findings.similar import SimilarImages

_ROWS = 10


@dataclass(frozen=True)
class DataFindings:
    """What was found, of what was asked for."""

    similar: SimilarImages | None = None
    labels: SuspiciousLabels | None = None
    groups: str = ""  # what was written of them, in words
    folds: str = ""  # the option that keeps them together, if there is room for folds

    @property
    def document(self) -> dict[str, Any]:
        """As plain data."""
        from manyheads.core.settings import plain

        both = {"similar": self.similar, "labels": self.labels}
        return {name: plain(found) for name, found in both.items() if found is not None}

    def added(self, report: CheckReport) -> CheckReport:
        """The report, with what was found among its problems."""
        from manyheads.findings import suspect_lines

        spoiling = suspect_lines.spoiling_problems(self.similar) if self.similar else ()
        return report.with_problems(
            spoiling, suspect_lines.lesser_problems(self.similar, self.labels)
        )


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
    options.add_images(parser, "the backbone's own")


def check_arguments(args: argparse.Namespace) -> None:
    """Raise what can be said before any image is read."""
    from manyheads.core.destinations import file_for
    from manyheads.errors import SettingError
    from manyheads.findings.similar import check_nearer

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
    if args.nearer is not None:
        args.nearer = check_nearer(args.nearer)
        if not args.similar:
            raise SettingError("--similar with --nearer", "none", "add it, or leave out --nearer")
    if args.labels:
        from manyheads.findings.labels import require_cleanlab

        require_cleanlab()
    if args.similar or args.labels:
        _prepared(args)


def _prepared(args: argparse.Namespace) -> tuple[BackboneSpec, ImageSettings]:
    from manyheads.backbones.compiled import check_precision

    spec, image = options.backbone(args), options.image_settings(args)
    spec.check_size(image.size)
    check_precision(args.precision, args.runtime)
    return spec, image


def find(args: argparse.Namespace, dataset: Dataset, job: Job) -> DataFindings:
    """Extract what is missing and look for what was asked for; write the gallery."""
    from manyheads.report.gallery import write_gallery

    if not (args.similar or args.labels):
        return DataFindings()
    if not args.similar:
        dataset = dataset.without(dataset.rows("test").tolist())
    features = _features(args, dataset, job)
    similar = labels = None
    if args.similar:
        from manyheads.findings.similar import NEARER, find_similar

        nearer = NEARER if args.nearer is None else args.nearer
        similar = find_similar(dataset, features, nearer=nearer, job=job)
    if args.labels:
        from manyheads.findings.labels import find_suspicious

        labels = find_suspicious(dataset, features, job=job)
    if args.gallery is not None:
        image = options.image_settings(args)
        write_gallery(
            args.gallery, dataset, similar, labels,
            exif=image.exif, depth=image.depth, job=job,
        )  # fmt: skip
    groups = folds = ""
    if args.write_groups is not None and similar is not None:
        groups, folds = _write_groups(args.write_groups, dataset, similar)
    return DataFindings(similar, labels, groups, folds)


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


def _features(args: argparse.Namespace, dataset: Dataset, job: Job) -> Features:
    from manyheads.backbones.weights import cached, resolve
    from manyheads.features.extraction import extract
    from manyheads.run.estimate import remember_extraction

    spec, image = _prepared(args)
    weights = cached(spec) if args.weights is None else resolve(spec, args.weights, job=job)
    if weights is None:
        job.note(f"Fetching the weights of {spec.name}, once …")
        weights = resolve(spec, None, job)
    job.note(_cost_words(args, spec, weights, image, dataset))
    features = extract(
        dataset, spec, weights, image,
        runtime=args.runtime, precision=args.precision, job=job,
    )  # fmt: skip
    remember_extraction(features.recipe, features.passes, features.seconds)
    return features


def _cost_words(
    args: argparse.Namespace,
    spec: BackboneSpec,
    weights: Weights,
    image: ImageSettings,
    dataset: Dataset,
) -> str:
    """Such as `Cost       3,409 backbone passes for 3,409 images, about 1:25 (measured …)`."""
    from manyheads.features.cache import FeatureCache
    from manyheads.features.extraction import recipe_of
    from manyheads.run.estimate import Cost, estimate_extraction
    from manyheads.study.space import counted

    recipe = recipe_of(spec, weights, image, args.runtime, args.precision)
    with FeatureCache(recipe) as cache:
        missing = cache.missing(dataset.contents)
    seconds, measured = estimate_extraction(recipe, missing)
    cost = Cost(passes=missing, extraction=seconds, measured=measured)
    images = counted(len(dataset.contents), "image")
    return f"Cost       {cost.words(images=f' for {images}')}"


def show(found: DataFindings) -> None:
    """Print the most telling of what was found."""
    from manyheads.cli import result_tables
    from manyheads.study.space import counted

    if (similar := found.similar) is not None:
        print(
            f"\nNearly identical: {counted(similar.found, 'pair')} in "
            f"{counted(len(similar.clusters), 'set')}, of "
            f"{counted(similar.images, 'different image')}"
        )
        if similar.pairs:
            result_tables.print_table(_pair_table(similar))
            _print_rest(similar.found)
    if (labels := found.labels) is not None:
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
