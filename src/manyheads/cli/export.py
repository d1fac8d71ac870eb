"""`manyheads export`: the best model of a study as a file for another program."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.core.job import Job
from manyheads.errors import SettingError

if TYPE_CHECKING:
    from manyheads.findings.quantisation_cost import QuantisationCost
    from manyheads.models.export.exporter import Exported


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "export",
        help="convert a model to another format, and verify it in its own runtime",
        description="Write the best model of a finished study or fit, backbone and head in one, "
        "for another program: keras (.keras), h5 (.h5), openvino (.xml with its .bin), onnx "
        "(.onnx), litert (.tflite) or saved_model (a folder). It takes uint8 RGB pixels, resized "
        "to the model's size, and gives probabilities. The file is then opened by the "
        "format's own runtime and compared with the model on validation images; one that predicts "
        "differently is not kept. The classes are in the file where it has a place for them, and "
        "in its side file (.json).",
        epilog="onnx needs: pip install 'manyheads[onnx]'; litert and saved_model need: "
        "pip install 'manyheads[export]'; openvino in int8 needs: "
        "pip install 'manyheads[quantize]'",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="run folder of a finished study or fit, or a model's file"
    )
    parser.add_argument(
        "--format", default="keras", metavar="NAME",
        help="keras, h5, openvino, onnx, litert or saved_model, or hub: a folder for the Hugging "
        "Face hub, with a model card (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--raw", action="store_true",
        help="leave out preprocessing and softmax: preprocessed float32 images in, logits out",
    )  # fmt: skip
    parser.add_argument(
        "--trainable", action="store_true",
        help="of keras: with layers that Keras trains further, for fine-tuning the backbone",
    )  # fmt: skip
    parser.add_argument(
        "--data", metavar="DATA",
        help="where the study's images lie now, if they were moved; of a model's file without its "
        "run folder, labelled images to calibrate by and to measure on",
    )  # fmt: skip
    smaller = parser.add_argument_group("smaller models (litert, onnx, openvino)")
    smaller.add_argument(
        "--quantize", metavar="KIND",
        help="int8 (a quarter of the size) or f16 (half of it). What that costs is measured on "
        "validation images, in the format's own runtime, and printed",
    )  # fmt: skip
    smaller.add_argument(
        "--calibration", default=200, metavar="N",
        help="training images that int8 is calibrated on, spread over the classes "
        "(default: %(default)s)",
    )  # fmt: skip
    smaller.add_argument(
        "--max-loss", default=1.0, metavar="POINTS",
        help="refuse the file if accuracy falls by more, in points, or log loss rises by more than "
        "0.05 for each point (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="the file to write, of saved_model a folder (default: RUN/export/best…)",
    )
    parser.add_argument(
        "--license", metavar="NAME",
        help="with hub: the licence of the model for the card, by the hub's name, such as mit "
        "(default: unknown)",
    )  # fmt: skip
    parser.add_argument(
        "--data-license", metavar="NAME",
        help="with hub: the licence of the images, such as cc0-1.0 (default: unknown)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli import narrow
    from manyheads.cli.screen import shown
    from manyheads.models.export.exporter import export_model
    from manyheads.models.quantised_record import Quantisation
    from manyheads.run.hand_over.hub_folder import HUB
    from manyheads.study.folder import RunFolder

    source = Path(args.model)
    if args.format == HUB:
        _export_hub(args, job)
        return
    if args.license or args.data_license:
        raise SettingError(
            "the `format` hub, with a licence for its card", args.format, "give `format` hub"
        )
    asked = Quantisation.asked(args.quantize, args.calibration, args.max_loss)
    with shown(job) as job:
        exported = export_model(
            source if source.is_file() else RunFolder(source),
            args.format, Path(args.out) if args.out else None, job,
            raw=args.raw, quantisation=asked, trainable=args.trainable, data=args.data,
        )  # fmt: skip
    if args.json:
        from manyheads.cli.result_tables import print_json

        print_json(_document(exported))
    else:
        narrow.print_lines(_lines(exported))
        if exported.cost is not None:
            _print_cost(exported.cost)


def _export_hub(args: argparse.Namespace, job: Job) -> None:
    from manyheads.cli import narrow
    from manyheads.cli.screen import shown
    from manyheads.core.text import size_words
    from manyheads.run.hand_over.hub_folder import write_hub_folder

    for name in ("raw", "trainable", "quantize"):
        if getattr(args, name):
            raise SettingError(
                f"the `format` hub without `{name}`", "both",
                f"leave out `{name}`, or give another `format`",
            )  # fmt: skip
    with shown(job) as told:
        made = write_hub_folder(
            args.model, args.out, licence=args.license, data_licence=args.data_license,
            data=args.data, job=told,
        )  # fmt: skip
    if args.json:
        from manyheads.cli.result_tables import print_json

        files = [{"path": str(file), "bytes": _bytes(file)} for file in made.files]
        models = [_document(each) for each in made.models]
        print_json(
            {"folder": str(made.folder), "files": files, "models": models,
             "left_out": made.left_out}
        )  # fmt: skip
        return
    folder = shlex.quote(str(made.folder))
    narrow.print_lines([
        *(f"{file} ({size_words(_bytes(file))})" for file in made.files),
        *(_lines(each)[-1] for each in made.models),
        *([f"left out: {made.left_out}"] if made.left_out else []),
        "Read README.md, the card, before it is public; nothing was sent.",
        f"Next     hf upload ORG/NAME {folder}",
    ])  # fmt: skip


def _lines(exported: Exported) -> list[str]:
    from manyheads.backbones.registry import NO_BACKBONE
    from manyheads.core.text import counted, size_words
    from manyheads.models.card import PREPROCESSED

    size, classes = exported.card.image.size, len(exported.card.classes)
    count = "n" if exported.check.any_batch else "1"
    check = exported.check
    plain = exported.card.input == PREPROCESSED
    kind = "float32 images, preprocessed" if plain else "uint8 RGB images"
    shape = f"{size}, {size}, 3"
    if exported.card.backbone == NO_BACKBONE.name:
        kind, shape = "float32 features", "features"
    of_float = "" if exported.cost is None else " in float32"
    return [
        *(f"{file} ({size_words(_bytes(file))})" for file in exported.files),
        f"takes {kind}: [{count}, {shape}]"
        + ("" if check.any_batch else ", one at a time")
        + f"; gives {exported.card.output}: [{count}, {classes}]",
        *([f"the classes are whole numbers: {order}"] if (order := _order(exported)) else []),
        f"checked{of_float}: {check.runtime} gives the same "
        f"{counted(check.images, 'label')}; probabilities differ by "
        f"{check.difference:.1e} at most ({check.images} {check.source})",
    ]


def _print_cost(cost: QuantisationCost) -> None:
    """What quantising cost: a table, and what it amounts to."""
    from manyheads.cli import narrow
    from manyheads.cli.closing import labelled_lines

    print()
    narrow.print_table(cost.table)
    print()
    narrow.print_lines(labelled_lines("Cost", *cost.sentences))


def _order(exported: Exported) -> str | None:
    from manyheads.data.label_names import outputs_words

    return outputs_words(exported.card.classes)


def _document(exported: Exported) -> dict[str, Any]:
    from dataclasses import asdict

    from manyheads.core.settings import plain

    card = exported.card
    return {
        "format": exported.format,
        "files": [{"path": str(file), "bytes": _bytes(file)} for file in exported.files],
        "classes": list(card.classes),
        "image_size": card.image.size,
        "preprocessing": card.preprocessing,
        "input": card.input,
        "output": card.output,
        "check": asdict(exported.check),
        **({} if card.quantised is None else {"quantised": plain(card.quantised)}),
    }


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
