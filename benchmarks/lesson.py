"""How much faster is the lesson? Its own Keras script beside manyheads, in one run.

    python -m benchmarks lesson      five minutes or so on two cores; with --quick, two

The script is not run for its hours: one whole epoch with validation is, and multiplied.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.alternatives import measured
from benchmarks.machine import (
    Run,
    fresh_cache,
    gib,
    manyheads,
    parser,
    photographs,
    show,
    table,
    write_result,
)  # fmt: skip

RATES, EPOCHS = (0.0, 0.2, 0.5, 0.8), 30
QUICK_IMAGES = 320


def main() -> None:
    args = parser("The lesson's Keras script beside manyheads.").parse_args()
    data = photographs(args.data)
    images = QUICK_IMAGES if args.quick else None
    script = measured(
        "the lesson's script", "parts.script.epoch", ("tensorflow",), data=str(data), images=images
    )
    runs = sweeps(data)
    whole = script if isinstance(script, str) else script["epoch"] * len(RATES) * EPOCHS
    write_result(args.results, "lesson", report(whole, runs, images))


def sweeps(data: Path) -> dict[str, Run]:
    """The lesson by `manyheads sweep`: with nothing prepared, with features, and finished."""
    with tempfile.TemporaryDirectory() as folder:
        cache = fresh_cache(Path(folder, "cache"))
        runs = {}
        for name, out in (("cold", "cold"), ("warm", "warm"), ("finished before", "warm")):
            runs[name] = manyheads(*sweep(data, Path(folder, out)), **cache)
            show(f"manyheads sweep, {name}: {runs[name].seconds:.1f} s")
    return runs


def sweep(data: Path, out: Path) -> list[str | Path]:
    """The lesson's sweep as a command."""
    return [
        "sweep", data, "--droprate", *map(str, RATES), "--learning-rate", "0.001",
        "--size-inner", "100", "--epochs", str(EPOCHS), "--learning-rate-schedule", "constant",
        "--select", "best_accuracy", "--seeds", "1", "--image-size", "150",
        "--interpolation", "nearest", "--out", out,
    ]  # fmt: skip


def report(script: float | str, runs: dict[str, Run], images: int | None) -> list[str]:
    """The table; `script` is its seconds for the whole lesson, or why there is no such figure."""
    times = len(RATES) * EPOCHS
    known = not isinstance(script, str)
    shown = f"{script:,.0f}" if known else script
    rows = [
        ("what", "seconds", "the script's ÷ it", "memory at its peak"),
        ("the lesson's Keras script on TensorFlow", shown, "1" if known else "", ""),
    ]
    for name, run in runs.items():
        ratio = f"{script / run.seconds:,.0f}" if known else ""
        rows.append((f"`manyheads sweep`, {name}", f"{run.seconds:.1f}", ratio, gib(run.peak)))
    lines = ["## The lesson: four dropout rates, thirty epochs, one seed", "", *table(rows), ""]
    if known:
        how = (
            "one whole epoch with validation"
            if images is None
            else f"an epoch, projected from {images} images of each split"
        )
        lines += [
            f"The script: {script / times:.1f} s for {how}, after a warm-up, decoding included; "
            f"times {times} epochs.",
            "",
        ]
    return [
        *lines,
        "Cold: an empty cache but for Xception's downloaded weights, the engine's loops not yet "
        "compiled, the images probably in the system's memory (they are for the script too). "
        "Warm: another run folder, features in the cache. Seconds of the whole command. Memory is "
        "resident, of all processes together.",
    ]


if __name__ == "__main__":
    main()
