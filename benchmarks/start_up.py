"""How long until something happens? Whole commands, from nothing to their end.

python -m benchmarks start_up     three or four minutes on two cores

Of the lesson's sweep with cached features it also tells what is no training: the command's time
less the time from the first head's start to the last head's end.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.generated import generated_photographs
from benchmarks.lesson import sweep as lesson_sweep
from benchmarks.machine import (
    Run,
    fresh_cache,
    gib,
    manyheads,
    middle,
    parser,
    photographs,
    run,
    show,
    table,
    write_result,
)  # fmt: skip


def main() -> None:
    args = parser("How long commands take from nothing.").parse_args()
    times = 3 if args.quick else 7
    data = generated_photographs(80, 20)
    image = sorted((data / "validation").glob("*/*"))[0]
    with tempfile.TemporaryDirectory() as folder:
        cache, out = fresh_cache(Path(folder, "cache")), Path(folder, "run")
        sweep = [
            "sweep", data, "--droprate", "0.5", "--seeds", "1", "--epochs", "2",
            "--image-size", "150", "--out", out,
        ]  # fmt: skip
        predict = ["predict", out, image]
        asked: tuple[tuple[str, list[str | Path], int], ...] = (
            ("`manyheads --help`", ["--help"], times),
            ("`manyheads sweep` on 100 images, cold", sweep, 1),
            ("the same command, finished before", sweep, times),
            ("`manyheads predict` on one image, cold", predict, 1),
            ("`manyheads predict` on one image, warm", predict, times),
        )
        rows = []
        for name, command, count in asked:
            runs = [manyheads(*command, **cache) for _ in range(count)]
            rows.append((name, *_figures([run.seconds for run in runs]), _peak(runs)))
            show(*rows[-1])
    rows += _warm_lesson(photographs(args.data), times)
    lines = [
        *table([("command", "seconds", "fastest to slowest", "memory at its peak"), *rows]),
        "",
        "The median of whole commands, on generated images; the lesson's, if they are there, on "
        "the photographs. Cold: the model's program is not "
        "compiled yet; Xception's weights are there. Warm: the features are cached. Training goes "
        "from the first head's start, which loads the compiled loops, to the last one's end.",
    ]
    write_result(args.results, "start-up", lines)


def _warm_lesson(data: Path, times: int) -> list[tuple[str, ...]]:
    """Rows of the lesson's sweep into fresh folders, and of what of it is no training."""
    command = [sys.executable, "-m", "benchmarks.parts.timed"]
    with tempfile.TemporaryDirectory() as folder:
        cache = fresh_cache(Path(folder, "cache"))
        runs = [
            run([*command, *map(str, lesson_sweep(data, Path(folder, str(n))))], cache)
            for n in range(times + 1)
        ][1:]  # the first extracts
    seconds = [run.seconds for run in runs]
    rest = [run.seconds - json.loads(run.output.splitlines()[-1])["training"] for run in runs]
    rows = [
        ("the lesson's `manyheads sweep`, warm", *_figures(seconds), _peak(runs)),
        ("of that, outside training", *_figures(rest), ""),
    ]
    for row in rows:
        show(*row)
    return rows


def _figures(seconds: list[float]) -> tuple[str, str]:
    return f"{middle(seconds):.2f}", f"{min(seconds):.2f}–{max(seconds):.2f}"


def _peak(runs: list[Run]) -> str:
    return gib(max(run.peak for run in runs))


if __name__ == "__main__":
    main()
