"""`manyheads explain`: where a model looked."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.cli import options
from manyheads.cli.predict import image_files
from manyheads.core.job import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from manyheads.models.explain.explanation import Explanation, Explanations

_METHODS = ("occlusion", "cam")
_FOLDER = "explained"


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "explain",
        help="draw saliency maps: where a model looked in images",
        description="Draw saliency maps over the feature map, with one forward pass per image. "
        "occlusion: how far the log-odds of the class fall when a cell is left out; cam: what each "
        "cell adds to its logit (a class activation map). Each map is drawn over its image as a "
        "PNG; several images also come on a contact sheet. All images of a command share one "
        "colour scale.",
    )
    parser.add_argument("model", metavar="MODEL", help="run folder, or .keras or .h5 file")
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+", help="files, folders, globs or a table"
    )
    options.add_table(parser)
    parser.add_argument(
        "--out", metavar="FOLDER",
        help=f"new folder for the PNGs, never read as data (default: {_FOLDER}; with --json, none)",
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
        "--alpha", type=float, default=0.5, metavar="A",
        help="opacity of the map over its image, 0 to 1 (default: %(default)s)",
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
    out = Path(args.out or _FOLDER).expanduser()
    if args.out or not args.json:
        folder_for(out)
        check_output(out)
    files = image_files(args.images, options.table_settings(args))
    classifier = load(args.model)
    with shown(job) as job:
        explanations = classifier.explain(files, target=args.target, job=job)
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


def _print_json(explanations: Explanations, overlays: Sequence[Mapping[str, Path]]) -> None:
    from manyheads.cli import result_tables

    result_tables.print_json(
        [
            {
                "image": entry.image,
                "label": entry.label,
                "confidence": entry.confidence,
                "class": entry.target,
                "occlusion": None if entry.occlusion is None else entry.occlusion.tolist(),
                "cam": None if entry.cam is None else entry.cam.tolist(),
                "overlays": {method: str(file) for method, file in files.items()},
                **({"error": entry.error} if entry.error else {}),
            }
            for entry, files in zip(explanations, overlays, strict=True)
        ]
    )


def _print_table(explanations: Explanations) -> None:
    from manyheads.cli.narrow import print_table
    from manyheads.core.table import Table, TableColumn, names, words

    rows: list[tuple[str, ...]] = []
    for entry in explanations:
        if entry.error:
            rows.append((entry.image, f"unreadable: {entry.error}", "", "", "", ""))
            continue
        rows.append((
            entry.image, str(entry.label), f"{entry.confidence:.3f}", str(entry.target),
            *_strongest(entry),
        ))  # fmt: skip
    columns = [
        *names("image"), *words("class"), TableColumn("probability"),
        *words("explained", "counts most"), TableColumn("odds without it"),
    ]  # fmt: skip
    print_table(Table(columns=columns, rows=rows))


def _strongest(entry: Explanation) -> tuple[str, str]:
    """Where leaving a cell out costs the class most, and what is left of its odds."""
    row, column = divmod(int(entry.map().argmax()), entry.map().shape[1])
    place = f"row {row + 1}, column {column + 1}"
    return place, f"× {math.exp(-float(entry.map().max())):.2f}"


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
