"""`manyheads extract`: fill the feature cache, and train nothing yet."""

from __future__ import annotations

import argparse

from manyheads.cli import backbone_options, options
from manyheads.core.job import Job


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "extract",
        help="compute the backbone's features of all images, and cache them",
        description="Run the backbone on every image whose features are not in the cache yet. "
        "Later commands with the same backbone and image settings find them there.",
    )
    options.add_data(parser)
    backbone_options.add_images(parser, "the backbone's own")
    options.add_strict(parser)
    options.add_max_unreadable(parser)
    options.add_workers(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="print what it will take, and do nothing"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.backbones.weights import cached
    from manyheads.cli import narrow, result_tables
    from manyheads.cli.screen import shown
    from manyheads.core.text import counted
    from manyheads.data.dataset import open_dataset
    from manyheads.data.unreadable_images import require_readable, share_of
    from manyheads.features.stage_times import stage_words
    from manyheads.run.data_check import extracted, planned_extraction
    from manyheads.run.planned_study import left_out_lines
    from manyheads.workers.opening import workers_asked

    extraction, workers = options.extraction_settings(args), workers_asked(args.workers)
    most = share_of("max_unreadable", args.max_unreadable)
    split, table = options.split_settings(args), options.table_settings(args)
    with shown(job) as job:
        dataset = open_dataset(args.data, split=split, table=table, job=job)
        if args.dry_run:
            weights = cached(extraction.spec, extraction.weights, job)
            planned = planned_extraction(dataset, extraction, weights, workers)
            narrow.print_lines([f"{label:<10} {text}" for label, text in planned.lines])
            return
        features = extracted(dataset, extraction, job, workers)
    unreadable = {dataset.name_of(i): reason for i, reason in features.unreadable.items()}
    if args.json:
        result_tables.print_json(
            {
                "data": dataset.name,
                "images": len(dataset),
                "backbone_passes": features.passes,
                "seconds": features.seconds,
                "stages": features.stages,
                "features": features.matrix.shape[1],
                "unreadable": unreadable,
                "left_out": dataset.left_out,
                "remarks": [*dataset.remarks, *features.remarks],
                "recipe": features.recipe.digest,
            }
        )
    else:
        narrow.print_lines([
            f"{dataset.name}: {counted(len(dataset), 'image')}, "
            f"{counted(features.matrix.shape[1], 'feature')} each; "
            f"{counted(features.passes, 'backbone pass')} in {features.seconds:.1f} s",
            *([f"{'Stages':<10} {words}"] if (words := stage_words(features.stages)) else []),
            *(f"{label:<10} {text}" for label, text in left_out_lines(dataset)),
            *(f"unreadable: {name}: {reason}" for name, reason in unreadable.items()),
            *features.remarks,
        ])  # fmt: skip
    require_readable(unreadable, len(dataset), strict=args.strict, most=most)
