"""How many images a second become features? Every runtime on the same files, and the bound.

python -m benchmarks extraction      five minutes or so on two cores; with --quick, one or two
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.alternatives import measured
from benchmarks.bounds import measured_bounds
from benchmarks.machine import fresh_cache, parser, part, photographs, show, table, write_result

LAYOUTS = ("channels_last", "channels_first")


class Rate(NamedTuple):
    """Images a second, or (as text) why there is none.

    `difference` is the largest of any feature from manyheads' own.
    """

    what: str
    files: float | str
    bare: float
    difference: float


def main() -> None:
    args = parser("Images a second, beside the alternatives and the bound.").parse_args()
    data = photographs(args.data)
    bounds, lines = measured_bounds(args.quick)
    images, passes = (128, 2) if args.quick else (640, 4)
    with tempfile.TemporaryDirectory() as folder:
        rates = measured_rates(Path(folder), data, images, passes, args.quick)
    lines += report(rates, bounds.images, images)
    write_result(args.results, "extraction", lines)


def measured_rates(folder: Path, data: Path, images: int, passes: int, quick: bool) -> list[Rate]:
    """manyheads, then every alternative on the files that it took."""
    files, own = folder / "files", folder / "manyheads.npy"
    cache = fresh_cache(folder / "cache")
    ours = part(
        "parts.networks.manyheads", {"KERAS_BACKEND": "openvino", **cache},
        data=str(data), images=images, passes=passes, files=str(files), features=str(own),
    )  # fmt: skip
    shown = ", ".join(f"{name} {rate:.1f}" for name, rate in ours.items())
    show(f"manyheads: {shown}")
    rates = [
        Rate("manyheads", ours["files"], ours["bare"], 0),
        Rate("manyheads, with loading its program", ours["whole"], ours["bare"], 0),
    ]

    def measure(
        what: str, name: str, needs: tuple[str, ...], backend: str, **arguments: Any
    ) -> None:
        features = folder / "theirs.npy"
        answer = measured(
            what, f"parts.networks.{name}", needs, backend,
            files=str(files), passes=passes, features=str(features), **arguments,
        )  # fmt: skip
        if isinstance(answer, str):
            rates.append(Rate(what, answer, 0, 0))
        else:
            found = np.load(features)
            difference = float(np.abs(found - np.load(own)[: len(found)]).max())
            rates.append(Rate(what, answer["files"], answer["bare"], difference))

    for jit in (False,) if quick else (False, True):
        what = f"Keras on TensorFlow{', jit' if jit else ''}"
        measure(what, "tensorflow", ("tensorflow",), "tensorflow", jit=jit)
    for memory in ("channels_last",) if quick else ("channels_last", "contiguous_format"):
        what = f"Keras on PyTorch, {memory.removesuffix('_format').replace('_', ' ')}"
        measure(what, "torch", ("torch",), "torch", memory=memory)
    for layout in LAYOUTS[1:] if quick else LAYOUTS:
        what, model = f"ONNX Runtime, {layout.replace('_', ' ')}", str(folder / f"{layout}.onnx")
        needs = ("tensorflow", "tf2onnx", "onnxruntime")
        made = measured(
            f"{what}, export", "parts.networks.export_onnx", needs, layout=layout, target=model
        )
        if isinstance(made, str):
            rates.append(Rate(what, made, 0, 0))
        else:
            measure(what, "onnxruntime", needs, "openvino", layout=layout, model=model)
    measure("OpenVINO, plain", "openvino", (), "openvino")
    return rates


def report(rates: list[Rate], bound: float, images: int) -> list[str]:
    """The table."""
    ours = rates[0]
    rows: list[tuple[str, ...]] = [
        (
            "what",
            "files to features, images/s",
            "it ÷ bound",
            "manyheads ÷ it",
            "network alone, images/s",
            "manyheads ÷ it",
            "largest difference of a feature",
        ),
        ("bound: fastest sgemm ÷ the network's FLOP", f"{bound:.1f}", "1", "", "", "", ""),
    ]
    for what, files, bare, difference in rates:
        if isinstance(files, str):
            rows.append((what, files, "", "", "", "", ""))
            continue
        assert not isinstance(ours.files, str)
        rows.append(
            (
                what,
                f"{files:.1f}",
                f"{files / bound:.2f}",
                f"{ours.files / files:.2f}",
                f"{bare:.1f}",
                f"{ours.bare / bare:.2f}",
                f"{difference:.0e}" if difference else "",
            )
        )
    return [
        "## Extraction: Xception at 150 × 150",
        "",
        *table(rows),
        "",
        f"The same {images} images for all (as many of them as some 20 s allow), from JPEG files "
        "on disk to pooled features, float32, after a warm-up; probably the files are in the "
        "system's memory. manyheads writes its "
        "features to its cache, and its first row leaves out the loading of its program, as the "
        "others' rows do. The alternatives get batches of 32 that all cores decode ahead. The "
        "network alone takes pixels from memory.",
        "",
    ]


if __name__ == "__main__":
    main()
