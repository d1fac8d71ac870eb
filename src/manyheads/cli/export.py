"""`manyheads export`: the best model of a study as a file for another program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.core.job import Job

if TYPE_CHECKING:
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
        "pip install 'manyheads[export]'",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="run folder of a finished study or fit, or a model's file"
    )
    parser.add_argument(
        "--format", default="keras", metavar="NAME",
        help="keras, h5, openvino, onnx, litert or saved_model (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--raw", action="store_true",
        help="leave out preprocessing and softmax: preprocessed float32 images in, logits out",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="the file to write, of saved_model a folder (default: RUN/export/best…)",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli import narrow
    from manyheads.cli.screen import shown
    from manyheads.models.export.exporter import export_model
    from manyheads.study.folder import RunFolder

    source = Path(args.model)
    with shown(job) as job:
        exported = export_model(
            source if source.is_file() else RunFolder(source),
            args.format, Path(args.out) if args.out else None, job,
            raw=args.raw,
        )  # fmt: skip
    if args.json:
        from manyheads.cli.result_tables import print_json

        print_json(_document(exported))
    else:
        narrow.print_lines(_lines(exported))


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
    return [
        *(f"{file} ({size_words(_bytes(file))})" for file in exported.files),
        f"takes {kind}: [{count}, {shape}]"
        + ("" if check.any_batch else ", one at a time")
        + f"; gives {exported.card.output}: [{count}, {classes}]",
        *([f"the classes are whole numbers: {order}"] if (order := _order(exported)) else []),
        f"checked: {check.runtime} gives the same "
        f"{counted(check.images, 'label')}; probabilities differ by "
        f"{check.difference:.1e} at most ({check.images} {check.source})",
    ]


def _order(exported: Exported) -> str | None:
    from manyheads.data.label_names import outputs_words

    return outputs_words(exported.card.classes)


def _document(exported: Exported) -> dict[str, Any]:
    from dataclasses import asdict

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
    }


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
