"""`manyheads explain`: where a model looked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.cli import options
from manyheads.cli.predict import image_files
from manyheads.core.job import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from manyheads.models.explain.explanation import Explanations

_METHODS = ("occlusion", "cam")
_FOLDER = "explained"


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "explain",
        help="draw saliency maps: where a model looked in images",
        description="Draw saliency maps over the feature map, with one forward pass per image. "
        "occlusion: how far the log-odds of the class fall when a cell is left out; cam: what each "
        "cell adds to its logit (a class activation map). The table says which part of the image "
        "counts most, and the probability without it. Each map is drawn over its image as a PNG "
        "beside the photograph; several images also come on a contact sheet. All images of a "
        "command share one colour scale.",
    )
    parser.add_argument("model", metavar="MODEL", help="run folder, or .keras or .h5 file")
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+", help="files, folders, globs or a table"
    )
    options.add_table(parser)
    parser.add_argument(
        "--out", metavar="FOLDER",
        help="new folder for the PNGs, never read as data (default: "
        f"RUN/{_FOLDER}, or beside the model's file; with --json, none)",
    )  # fmt: skip
    parser.add_argument(
        "--class", metavar="NAME", dest="target",
        help="the class to explain (default: the predicted one)",
    )  # fmt: skip
    parser.add_argument(
        "--method",
        choices=_METHODS,
        metavar="NAME",
        help="draw only this map, occlusion or cam (default: both)",
    )
    parser.add_argument(
        "--alpha", type=float, default=0.8, metavar="A",
        help="opacity of the map's strongest colour, 0 to 1 (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the maps' values as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli.screen import shown
    from manyheads.core.destinations import folder_for
    from manyheads.core.settings import number
    from manyheads.data.outputs import check_output, mark_output
    from manyheads.models.classifier import load
    from manyheads.report.contact_sheet import write_sheets
    from manyheads.report.overlays import write_overlays

    number("alpha", args.alpha, 0, 1)
    methods = _METHODS if args.method is None else (args.method,)
    out = _folder(args)
    if args.out or not args.json:
        folder_for(out)
        check_output(out)
    files = image_files(args.images, options.table_settings(args))
    classifier = load(args.model)
    with shown(job) as job:
        explanations = classifier.explain(list(map(str, files)), target=args.target, job=job)
        limits = {method: explanations.limit(method) for method in methods}
        overlays: list[dict[str, Path]] = [{} for _ in explanations]
        sheets: list[Path] = []
        if explanations.readable and (args.out or not args.json):
            mark_output(out)
            how: Any = {"alpha": args.alpha, "job": job}
            overlays = write_overlays(out, explanations, methods, limits, **how)
            if len(explanations.readable) > 1:
                sheets = write_sheets(out, explanations, methods, limits, **how)
    if args.json:
        _print_json(explanations, overlays)
        return
    _print_table(explanations)
    _print_files(out, overlays, sheets, limits)


def _folder(args: argparse.Namespace) -> Path:
    """Where the PNGs go."""
    if args.out:
        return Path(args.out).expanduser()
    model = Path(args.model).expanduser()
    return (model if model.is_dir() else model.parent) / _FOLDER


def _print_json(explanations: Explanations, overlays: Sequence[Mapping[str, Path]]) -> None:
    from manyheads.cli import result_tables

    result_tables.print_json(
        [
            {
                "image": entry.image,
                "label": entry.label,
                "confidence": entry.confidence,
                "class": entry.target,
                "class_probability": None if entry.error else entry.probability,
                "without": None if entry.without is None else entry.without.tolist(),
                "occlusion": None if entry.occlusion is None else entry.occlusion.tolist(),
                "cam": None if entry.cam is None else entry.cam.tolist(),
                "overlays": {method: str(file) for method, file in files.items()},
                **({"error": entry.error} if entry.error else {}),
            }
            for entry, files in zip(explanations, overlays, strict=True)
        ]
    )


def _print_table(explanations: Explanations) -> None:
    from manyheads.cli.narrow import print_lines, print_table
    from manyheads.core.table import Table, TableColumn, names, words

    others = any(entry.target != entry.label for entry in explanations.readable)
    rows: list[tuple[str, ...]] = []
    for entry in explanations:
        if entry.error:
            empty = ("",) * (4 if others else 3)
            rows.append((entry.image, f"unreadable: {entry.error}", *empty))
            continue
        explained = (str(entry.target), f"{entry.probability:.3f}") if others else ()
        answer = (str(entry.label), f"{entry.confidence:.3f}")[: 1 if others else 2]
        part, left = entry.strongest or ("no single part", None)
        without = "" if left is None else f"{left:.3f}"
        rows.append((entry.image, *answer, *explained, part, without))
    columns = [
        *names("image"), *words("class", *(["explained"] if others else [])),
        TableColumn("probability"), *words("counts most"), TableColumn("without it"),
    ]  # fmt: skip
    print_table(Table(columns=columns, rows=rows))
    if len(explanations) == 1 and explanations.readable:
        print_lines(["", explanations[0].words])


def _print_files(
    out: Path,
    overlays: Sequence[Mapping[str, Path]],
    sheets: Sequence[Path],
    limits: Mapping[str, float],
) -> None:
    from manyheads.report.overlays import scale_words
    from manyheads.study.space import counted

    count = sum(map(len, overlays))
    if not count:
        return
    print(f"\nOverlays  {counted(count, 'file')} in {out}")
    if sheets:
        more = f" … {sheets[-1].name}" if len(sheets) > 1 else ""
        print(f"Sheet     {sheets[0]}{more}")
    for method, limit in limits.items():
        print(f"Colours   {method}: {scale_words(method, limit)}")
