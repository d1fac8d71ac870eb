"""What does quantising cost: how much smaller and faster is it, and how much worse?

    python -m benchmarks quantize                       half an hour on two quiet cores
    python -m benchmarks.quantize --backbone efficientnet_lite0 --format onnx

The default head on each backbone, trained on the lesson's photographs at 150 pixels. Scores are of
the 341 validation photographs, in the format's own runtime; differences are quantised minus
float32, with 95 % intervals for images drawn anew. Milliseconds are of one image alone.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.fine_tuning import subset
from benchmarks.machine import manyheads, parser, photographs, show, table, write_result
from manyheads import Study
from manyheads.findings.wording import difference_words
from manyheads.models.quantised_record import F16, INT8
from manyheads.stats.intervals import Estimate

BACKBONES = ("xception", "efficientnet_lite0")
FORMATS = ("onnx", "openvino", "litert")
_HEAD = (
    "backbone", "format", "numbers", "MB (float32)", "ms (float32)", "accuracy, points",
    "log loss", "same labels",
)  # fmt: skip


def main() -> None:
    options = parser("Size, time and loss of quantised exports.")
    options.add_argument("--backbone", nargs="+", default=BACKBONES)
    options.add_argument("--format", nargs="+", default=FORMATS)
    options.add_argument("--kind", nargs="+", default=(INT8, F16))
    options.add_argument("--images", type=int, help="training images of each class (default: all)")
    args = options.parse_args()
    data = photographs(args.data, real=True)
    rows: list[tuple[object, ...]] = [_HEAD]
    with tempfile.TemporaryDirectory() as folder:
        if args.images:
            data = subset(data, Path(folder, "data"), args.images)
        for backbone in args.backbone[:1] if args.quick else args.backbone:
            study = Study(
                data, backbone=backbone, droprate=0.5, image_size=150, seeds=3, epochs=30,
                out=Path(folder, backbone),
            ).run()  # fmt: skip
            for kind, name in itertools.product(args.kind, args.format):
                cost = measured(study.path, name, kind)
                rows.append(row(backbone, name, kind, cost))
                show(*rows[-1])
                about = (
                    f"Scores on {cost['images']:,} {cost['source']}, times on {cost['processor']}."
                )
                # After each, so that whoever stops it keeps what was measured.
                write_result(args.results, "quantize", [about, "", *table(rows)])


def measured(run: Path, name: str, kind: str) -> dict[str, Any]:
    """What the whole command says that quantising costs, whatever the loss."""
    done = manyheads(
        "export", run, "--format", name, "--quantize", kind, "--max-loss", "100", "--json"
    )
    return json.loads(done.output)["quantised"]["cost"]


def row(backbone: str, name: str, kind: str, cost: dict[str, Any]) -> tuple[object, ...]:
    """A line of the table."""
    accuracy, log_loss = (
        difference_words(each["metric"], Estimate(**each["difference"]), unit=False)
        for each in cost["scores"]
    )
    return (
        backbone, name, kind, f"{cost['size'] / 1e6:.1f} ({cost['float32_size'] / 1e6:.1f})",
        f"{cost['milliseconds']:.1f} ({cost['float32_milliseconds']:.1f})", accuracy, log_loss,
        f"{100 * cost['equal_labels']['value']:.1f} %",
    )  # fmt: skip


if __name__ == "__main__":
    main()
