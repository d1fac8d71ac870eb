"""How long until something happens? Whole commands, from nothing to their end.

python -m benchmarks start_up     one or two minutes on two cores
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.generated import generated_photographs
from benchmarks.machine import (
    Run,
    fresh_cache,
    gib,
    manyheads,
    middle,
    parser,
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
        cache, run = fresh_cache(Path(folder, "cache")), Path(folder, "run")
        sweep = [
            "sweep", data, "--droprate", "0.5", "--seeds", "1", "--epochs", "2",
            "--image-size", "150", "--out", run,
        ]  # fmt: skip
        predict = ["predict", run, image]
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
            rows.append((name, *_figures(runs)))
            show(*rows[-1])
    lines = [
        *table([("command", "seconds", "fastest to slowest", "memory at its peak"), *rows]),
        "",
        "The median of whole commands, on generated images. Cold: the model's program is not "
        "compiled yet; Xception's weights are there.",
    ]
    write_result(args.results, "start-up", lines)


def _figures(runs: list[Run]) -> tuple[str, str, str]:
    seconds = [run.seconds for run in runs]
    spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
    return f"{middle(seconds):.2f}", spread, gib(max(run.peak for run in runs))


if __name__ == "__main__":
    main()
