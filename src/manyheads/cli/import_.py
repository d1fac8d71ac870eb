"""`manyheads import`: a model that Keras has saved, made a model of manyheads."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from manyheads.backbones.preprocessing_modes import MODES_HELP, is_named
from manyheads.cli import backbone_options, options
from manyheads.cli.parser import Names
from manyheads.core.job import Job
from manyheads.data.data_settings import INTERPOLATIONS

if TYPE_CHECKING:
    from manyheads.models.importing.import_check import ImportCheck
    from manyheads.models.importing.imported import Imported


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "import",
        help="import a model saved by Keras 2 or 3",
        description="Import a model saved by Keras 2 or 3: a frozen backbone, pooling, and a head "
        "of one or two dense layers, in whatever way it was built. Only arrays and layer names are "
        "read and nothing in the file is run, so a .h5 of Keras 2 that Keras 3 cannot open is read "
        "too. predict, explain and export then work with it.",
    )
    parser.add_argument("file", metavar="FILE", help=".keras or .h5, of Keras 2 or 3")
    names = parser.add_mutually_exclusive_group(required=True)
    names.add_argument(
        "--classes", nargs="+", action=Names, metavar="NAME",
        help="the classes in the order of the outputs (Keras's loader sorts the folders' names)",
    )  # fmt: skip
    names.add_argument(
        "--classes-from", metavar="WHERE",
        help="the folder of class folders that it was trained on, text with a name or `0 name` per "
        "line, a .csv of numbers and names, or JSON: a list, class_indices, numbers to names, or a "
        "model's side file",
    )  # fmt: skip
    parser.add_argument("--out", required=True, metavar="FILE", help="the .keras file to write")
    parser.add_argument(
        "--backbone", metavar="NAME",
        help="backbone of the model (default: as its layers are named, else xception)",
    )  # fmt: skip
    parser.add_argument(
        "--image-size",
        metavar="PIXELS",
        help="side of its input images (default: as the file says)",
    )
    parser.add_argument(
        "--interpolation", default="nearest", metavar="NAME",
        help=f"how its images were resized: {', '.join(INTERPOLATIONS)} (default: %(default)s, as "
        "the lesson's loader does)",
    )  # fmt: skip
    parser.add_argument(
        "--exif", action=argparse.BooleanOptionalAction, default=False,
        help="apply the EXIF orientation (default: --no-exif, as the lesson's loader)",
    )  # fmt: skip
    parser.add_argument(
        "--preprocessing", metavar="MODE",
        help="preprocessing of its input, where its own layers do none: "
        f"{MODES_HELP} (default: that of keras.applications for the backbone)",
    )  # fmt: skip
    parser.add_argument(
        "--check", nargs="+", metavar="IMAGE", default=(),
        help="images (files, folders, globs) on which predictions are compared with Keras's own of "
        "FILE (default: generated images)",
    )  # fmt: skip
    backbone_options.add_depth(parser)
    options.add_table(parser)
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli.predict import image_files
    from manyheads.cli.screen import shown
    from manyheads.core.settings import whole
    from manyheads.models.importing.class_names import read_names
    from manyheads.models.importing.imported import import_model

    size = args.image_size
    with shown(job) as job:
        imported = import_model(
            args.file,
            args.out,
            classes=args.classes or read_names(args.classes_from),
            backbone=args.backbone,
            image_size=None if size is None else whole("image_size", size, 32, 2048),
            interpolation=args.interpolation,
            exif=args.exif,
            depth=args.depth,
            preprocessing=args.preprocessing,
            check=image_files(list(args.check), options.table_settings(args)),
            job=job,
        )
    if args.json:
        _print_json(imported)
    else:
        _print_table(imported)


def _print_table(imported: Imported) -> None:
    from manyheads.cli.narrow import print_lines
    from manyheads.core.text import size_words
    from manyheads.models.card import card_path

    rows = _rows(imported)
    width = max(len(what) for what, _ in rows)
    print_lines([f"{what:<{width}}  {found}" for what, found in rows])
    print()
    for file in (imported.model, card_path(imported.model)):
        print(f"{file} ({size_words(file.stat().st_size)})")


def _rows(imported: Imported) -> list[tuple[str, str]]:
    card, image = imported.card, imported.card.image
    same = "ImageNet's, so cached features serve it" if imported.imagenet else "its own"
    turned = "turned as recorded" if image.exif else "EXIF ignored"
    return [
        ("backbone", f"{card.backbone}; weights {card.weights[:12]}…, {same}"),
        ("images", f"{image.size} × {image.size}, {image.interpolation}, {turned}"),
        ("pixels", _pixel_words(imported)),
        ("head", _head_words(imported)),
        ("classes", f"{len(card.classes)}: {', '.join(card.classes)}"),
        ("check", _check_words(imported.check)),
    ]


def _pixel_words(imported: Imported) -> str:
    words = imported.card.preprocessing
    how = words if is_named(words) else f"{words}, as usual for {imported.card.backbone}"
    return f"{how}; by layers in the file" if imported.inside else how


def _head_words(imported: Imported) -> str:
    last = f"Dense {len(imported.card.classes)}"
    inner = f"Dense {imported.size_inner} relu → Dropout {imported.droprate:g} → "
    words = (inner if imported.size_inner else "") + last
    if imported.output == "softmax":
        words += " (its softmax is applied to the logits)"
    if imported.output in ("sigmoid", "log-odds"):
        second = imported.card.classes[1]
        words += f" (of one output, taken for the log-odds of {second}; the first class has 0)"
    if imported.folded:
        words += " (layers without an activation between them, made one)"
    if not imported.described and imported.size_inner:
        words += " (arrays alone: relu and no dropout are taken for granted)"
    return words


def _check_words(check: ImportCheck | None) -> str:
    if check is None:
        return "only arrays: the file does not describe its layers"
    if check.difference is None:
        return f"only arrays: Keras cannot open the file ({check.reason})"
    from manyheads.core.text import counted

    kind = "given" if check.given else "generated"
    close = "exactly" if not check.difference else f"to {check.difference:.1g}"
    return (
        f"equal to Keras's own probabilities on {counted(check.images, f'{kind} image')}, {close}"
    )


def _print_json(imported: Imported) -> None:
    from manyheads.cli import result_tables
    from manyheads.core.settings import plain
    from manyheads.models.card import card_path

    document = plain(imported)
    document |= {"source": str(imported.source), "model": str(imported.model)}
    result_tables.print_json({**document, "side_file": str(card_path(imported.model))})
