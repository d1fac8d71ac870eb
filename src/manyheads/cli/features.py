"""`manyheads features`: features in one file, from one machine to others."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.cli import backbone_options, options
from manyheads.cli.parser import Parser
from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.features.packing import Unpacked
    from manyheads.run.packs import Packed


def add(commands) -> Parser:
    """Add the command, with those below it, to the parser's `commands`."""
    parser = commands.add_parser(
        "features",
        help="pack features in one file, and unpack them on another machine",
        description="Pass features on as one file: whoever has it trains without the backbone, and "
        "without the images.",
    )
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, help="what to do with them"
    )
    _add_pack(actions)
    _add_unpack(actions)
    parser.commands = actions.choices
    return parser


def _add_pack(actions) -> None:
    parser = actions.add_parser(
        "pack",
        help="write the features of a data set, or of a study's images, to one file",
        description="Write the features of images to one file (.safetensors), with the recipe that "
        "they were computed by, the SHA-256 of each image's file, labels and splits. Features that "
        "are not in the cache are computed first. The file is a data set of its own: manyheads "
        "sweep FILE trains on it.",
        epilog="Example: manyheads features pack photos/ --backbone xception --image-size 150 "
        "--out photos.safetensors",
    )
    parser.add_argument(
        "source", metavar="SOURCE",
        help=f"run folder of a study, whose backbone, labels and splits it is then; or a "
        f"{options.DATA_HELP}",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="FILE", required=True,
        help="the pack to write (.safetensors); it must not be there yet",
    )  # fmt: skip
    group = parser.add_argument_group("what goes into it")
    group.add_argument(
        "--storage", default="f32", metavar="NAME",
        help="precision of the features: f32, exactly those of the cache, or f16, half the size "
        "(default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--labels", action=argparse.BooleanOptionalAction, default=True,
        help="include names, labels, splits and groups; without them a pack can only be unpacked "
        "(default: --labels)",
    )  # fmt: skip
    group.add_argument(
        "--test", action="store_true",
        help="include the test images (default: leave them out, so that nobody selects by them)",
    )  # fmt: skip
    group.add_argument(
        "--licence", default="", metavar="TEXT",
        help="a note on what may be done with the images and features",
    )  # fmt: skip
    options.add_division(parser)
    backbone_options.add_images(parser, "the backbone's own")
    parser.add_argument("--data", metavar="DATA", help="where a study's data set lies, if moved")
    options.add_strict(parser)
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def _add_unpack(actions) -> None:
    parser = actions.add_parser(
        "unpack",
        help="put the features of a pack into the cache",
        description="Put the features of a pack into this machine's feature cache. Later commands "
        "on the same images, with the same backbone and image settings, need no backbone pass for "
        "them: an image is known by the SHA-256 of its file. What is in the cache already stays, "
        "and a pack that differs from it is refused.",
    )
    parser.add_argument("file", metavar="FILE", help="a pack (.safetensors)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    (_pack if args.action == "pack" else _unpack)(args, job)


def _pack(args: argparse.Namespace, job: Job) -> None:
    from manyheads.cli import narrow, result_tables
    from manyheads.cli.screen import shown
    from manyheads.data.dataset import open_dataset
    from manyheads.run.packs import PackSettings, is_study, pack_data, pack_study, pack_target

    settings = PackSettings(
        storage=args.storage, labels=args.labels, test=args.test, licence=args.licence
    )
    out = pack_target(Path(args.out).expanduser())
    with shown(job) as job:
        if is_study(args.source):
            backbone_options.require_none_of_images(
                args, "a study alone, whose backbone and images are known", "leave it out"
            )
            packed = pack_study(
                args.source, out, settings, data=args.data, strict=args.strict, job=job
            )
        else:
            extraction = options.extraction_settings(args)
            split, table = options.split_settings(args), options.table_settings(args)
            dataset = open_dataset(args.source, split=split, table=table, job=job)
            packed = pack_data(dataset, extraction, out, settings, strict=args.strict, job=job)
    if args.json:
        pack = packed.pack
        result_tables.print_json(
            {
                "file": str(packed.path),
                "bytes": packed.path.stat().st_size,
                "images": len(pack.contents),
                "features": pack.features.shape[1],
                "recipe": pack.recipe,
                "test_images_left_out": packed.test,
                "unreadable": packed.unreadable,
                "backbone_passes": packed.passes,
            }
        )
    else:
        narrow.print_lines(_pack_lines(packed))


def _pack_lines(packed: Packed) -> list[str]:
    from manyheads.core.text import counted, size_words
    from manyheads.data.splits import SPLITS

    pack, dataset = packed.pack, packed.dataset
    splits = ", ".join(f"{split} {len(dataset.rows(split)):,}" for split in SPLITS)
    classes = dataset.what
    size = size_words(packed.path.stat().st_size)
    what = "with names, labels and splits" if pack.listing else "without names and labels"
    path = shlex.quote(str(packed.path))
    test = counted(packed.test, "test image")
    return [
        f"Images     {dataset.name}: {counted(len(dataset), 'image')}, {classes}; {splits}",
        f"Features   {pack.words}",
        *([f"Left out   {test}, so that nobody selects by them; `test` packs them too"]
          if packed.test else []),
        *(f"Unreadable {name}: {reason}" for name, reason in packed.unreadable.items()),
        f"Pack       {packed.path} ({size}; {what})",
        *([] if pack.licence else ["Licence    none stated; `licence` notes one"]),
        f"Next       manyheads {'sweep' if pack.listing else 'features unpack'} {path}",
    ]  # fmt: skip


def _unpack(args: argparse.Namespace, job: Job) -> None:
    from manyheads.cli import narrow, result_tables
    from manyheads.cli.screen import shown
    from manyheads.features.packing import unpack

    with shown(job) as job:
        found = unpack(Path(args.file).expanduser(), job)
    if args.json:
        result_tables.print_json(
            {
                "images": len(found.pack.contents),
                "features": found.pack.features.shape[1],
                "recipe": found.recipe.digest,
                "added": found.added,
                "known": found.known,
            }
        )
    else:
        narrow.print_lines(_unpack_lines(found))


def _unpack_lines(found: Unpacked) -> list[str]:
    from manyheads.core.text import counted

    recipe = found.recipe
    known = f"; {found.known:,} were there and are the same" if found.known else ""
    return [
        f"Features   {found.pack.words}",
        f"Cache      {counted(found.added, 'image')} added{known}",
        *([f"Note       they were computed on {recipe.device}: studies on another device do not "
           "take them"] if recipe.device != "cpu" else []),
        f"Next       manyheads sweep PHOTOS {shlex.join(_recipe_options(found))}",
    ]  # fmt: skip


def _recipe_options(found: Unpacked) -> list[str]:
    """The options of a study that takes these features."""
    from manyheads.backbones import hub, preprocessing_modes
    from manyheads.core.text import option
    from manyheads.data.data_settings import ImageSettings

    recipe, image = found.recipe, found.recipe.image
    words = option("backbone", recipe.backbone)
    if preprocessing_modes.is_named(recipe.preprocessing) and not hub.is_hub(recipe.backbone):
        words += option("preprocessing", recipe.preprocessing)
    words += option("image_size", image.size)
    words += option("interpolation", image.interpolation)
    words += option("resize", image.resize) if image.resize else []
    words += [] if image.exif else ["--no-exif"]
    words += option("depth", image.depth) if image.depth else []
    words += option("decode", image.decode) if image.decode != ImageSettings.decode else []
    others = {"device": "cpu", "runtime": "openvino", "precision": "f32"}
    for name, usual in others.items():
        value = getattr(recipe, name)
        words += option(name, value) if value != usual else []
    return words
