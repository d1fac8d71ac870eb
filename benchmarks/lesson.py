"""How much faster is the lesson? Its own Keras script beside manyheads, in one run.

    python -m benchmarks.lesson                    about a quarter of an hour on two cores
    python -m benchmarks.lesson --images 64 --extract 64 --epochs 2     a trial of the benchmark

The script is not run for its hours: its rates are measured on some hundred images and multiplied
by the passes that its four dropout rates of thirty epochs take.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.machine import (
    fresh_cache,
    gib,
    manyheads,
    parser,
    part,
    photographs,
    table,
    write_result,
)  # fmt: skip
from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.data.dataset import open_dataset

RATES, EPOCHS = (0.0, 0.2, 0.5, 0.8), 30


def main() -> None:
    options = parser("The lesson's Keras script beside manyheads.")
    options.add_argument("--images", type=int, default=320, help="images for the script's rates")
    options.add_argument("--extract", type=int, default=960, help="images for the extraction")
    options.add_argument("--epochs", type=int, default=20, help="epochs for the heads")
    args = options.parse_args()
    data = photographs(args.data)
    weights = str(resolve(registry.get("xception")).path)
    lines = [
        *sweeps(data, weights, args.images),
        *extraction(data, weights, args.extract),
        *heads(args.epochs),
    ]
    write_result(args.results, "lesson", lines)


def sweeps(data: Path, weights: str, images: int) -> list[str]:
    """The whole lesson by its script, and by `manyheads sweep`, cold and warm."""
    dataset = open_dataset(data)
    train, held = len(dataset.rows("train")), len(dataset.rows("validation"))
    script = part("keras_parts.script", data=str(data), weights=weights, images=images)
    times = len(RATES) * EPOCHS
    hours = times * (train / script["training"] + held / script["evaluation"])
    with tempfile.TemporaryDirectory() as folder:
        cache = fresh_cache(Path(folder, "cache"))
        cold = manyheads(*sweep(data, Path(folder, "cold")), **cache)
        warm = manyheads(*sweep(data, Path(folder, "warm")), **cache)
        again = manyheads(*sweep(data, Path(folder, "warm")), **cache)
    rows = [
        ("what", "seconds", "the script's / it", "memory at its peak"),
        ("the lesson's Keras script on TensorFlow (projected)", f"{hours:,.0f}", "1", ""),
    ]
    for name, done in (("cold", cold), ("warm", warm), ("finished before", again)):
        ratio = f"{hours / done.seconds:,.0f}"
        rows.append((f"`manyheads sweep`, {name}", f"{done.seconds:.1f}", ratio, gib(done.peak)))
    return [
        "## The lesson: four dropout rates, thirty epochs, one seed",
        "",
        *table(rows),
        "",
        f"The script: {script['training']:.1f} images/s in training and {script['evaluation']:.1f} "
        f"in evaluation, decoding included, measured on {images} images at batches of 32; times "
        f"{times * (train + held):,} passes = {len(RATES)} rates × {EPOCHS} epochs × ({train:,} "
        f"training + {held} validation images).",
        "",
        "Cold: an empty cache but for Xception's downloaded weights, the engine's loops not yet "
        "compiled, the photographs probably in the system's file cache (they are for the script "
        "too). Warm: another run folder, features in the cache. Seconds of the whole command; "
        "asked are a ratio of 150 cold, and less than 2 GiB. Memory is resident, of all processes "
        "together.",
        "",
    ]


def sweep(data: Path, out: Path) -> list[str | Path]:
    """The lesson's sweep as a command."""
    return [
        "sweep", data, "--droprate", *map(str, RATES), "--learning-rate", "0.001",
        "--size-inner", "100", "--epochs", str(EPOCHS), "--seeds", "1", "--image-size", "150",
        "--interpolation", "nearest", "--out", out,
    ]  # fmt: skip


def extraction(data: Path, weights: str, images: int) -> list[str]:
    """Images a second, end to end and of the network alone."""
    with tempfile.TemporaryDirectory() as folder:
        cache = fresh_cache(Path(folder, "cache"))
        ours = part("parts.extraction", cache, data=str(data), images=images)
    theirs = part("keras_parts.extraction", files=ours["files"], weights=weights)
    fastest = max(theirs["loader"], theirs["tf.data"])
    rows = [
        ("what", "images/s", "it / fastest of Keras"),
        ("manyheads, files to kept features", ours["sustained"]),
        ("manyheads, the same, with loading its program", ours["whole"]),
        ("Keras on TensorFlow, `predict` by the lesson's loader", theirs["loader"]),
        ("Keras on TensorFlow, `predict` by tf.data", theirs["tf.data"]),
    ]
    bare = [
        ("manyheads, network alone", ours["bare"]),
        ("Keras on TensorFlow, network alone", theirs["bare"]),
    ]
    shown = [(name, f"{rate:.1f}", f"{rate / fastest:.2f}") for name, rate in rows[1:]]
    shown += [(name, f"{rate:.1f}", f"{rate / theirs['bare']:.2f}") for name, rate in bare]
    return [
        "## Extraction: Xception at 150 × 150",
        "",
        *table([rows[0], *shown]),
        "",
        f"The same {len(ours['files'])} photographs for each, decoding included, after a warm-up; "
        "asked are 1.4. The rows of the network alone take pixels from memory, and compare with "
        "each other.",
        "",
    ]


def heads(epochs: int) -> list[str]:
    """Milliseconds of a head's epoch."""
    keras = part("keras_parts.heads", epochs=epochs)["epoch"]
    rows = [("what", "ms", "Keras's / it"), ("Keras on TensorFlow, one head", f"{keras:.0f}", "1")]
    for count in (4, 20):
        fused = part("parts.heads", heads=count, epochs=epochs)["epoch"]
        rows.append((f"fused, a bank of {count}", f"{fused:.1f}", f"{keras / fused:.1f}"))
    return [
        "## Training: an epoch of a head on features",
        "",
        *table(rows),
        "",
        "2,048 features, 100 inner units, 10 classes, 3,068 training and 341 validation samples, "
        f"batches of 32, {epochs} epochs; generated numbers, after a first epoch for warmth.",
    ]


if __name__ == "__main__":
    main()
