"""`manyheads backbones`: the catalogue of backbones, with what each costs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.core.table import Table
    from manyheads.run.backbone_list import BackboneList

_NOTES = (
    "MB of weights; GFLOP per image; images/s as the last extraction here measured them; – is not "
    "known yet.",
    "Licences are those of the weights, as their publishers state them; what they allow is for you "
    "to check.",
    "Names with hf: are fetched from the Hugging Face hub when they are first used; any other ONNX "
    "network there may be named so too.",
)


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "backbones",
        help="list backbones: image size, features, size, arithmetic, licence, speed here",
        description="List the backbones that are worth a try, by the names that other commands "
        "take: their own image size, features, megabytes, GFLOP per image, the licence of their "
        "weights, how many images per second the last extraction here took, and whether the "
        "weights are in the cache. Nothing is fetched.",
    )
    parser.add_argument(
        "--all", action="store_true", help="list every name, not only those that are recommended"
    )
    parser.add_argument(
        "--image-size", type=int, metavar="PIXELS",
        help="tell GFLOP and images per second for images of this size (default: each at its own)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:  # noqa: ARG001 - over at once
    """Run the command."""
    from manyheads.cli import narrow, result_tables
    from manyheads.core.settings import plain
    from manyheads.run.backbone_list import list_backbones

    found = list_backbones(everything=args.all, image_size=args.image_size)
    if args.json:
        result_tables.print_json({"backbones": plain(found.entries)})
        return
    narrow.print_table(_table(found))
    remarks = [f"{each.name}: {each.remark}." for each in found.entries if each.remark]
    others = [] if args.all else ["--all lists every name that needs no hub."]
    narrow.print_lines(["", *remarks, *_NOTES, *others])


def _table(found: BackboneList) -> Table:
    from manyheads.core.table import Table, names, numbers, phrases
    from manyheads.core.text import NOTHING, decimal

    return Table(
        columns=[
            *names("backbone"), *numbers("image\nsize", "features", "MB", "GFLOP"),
            *numbers("images/s\nhere"), *phrases("licence", "cached"),
        ],
        rows=[
            (
                each.name,
                f"{each.image_size}",
                decimal(each.features, 0),
                decimal(each.megabytes, 1),
                decimal(each.gflop, 2 if (each.gflop or 0) < 10 else 1),
                decimal(each.images_per_second, 1),
                each.licence or NOTHING,
                "yes" if each.cached else "no",
            )
            for each in found.entries
        ],
    )  # fmt: skip
