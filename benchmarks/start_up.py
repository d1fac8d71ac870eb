"""How long until something happens? Whole commands, from nothing to their end.

python -m benchmarks.start_up     about five minutes on two cores
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.lesson import sweep
from benchmarks.machine import (
    Run,
    fresh_cache,
    gib,
    manyheads,
    middle,
    parser,
    photographs,
    table,
    write_result,
)  # fmt: skip


def main() -> None:
    options = parser("How long commands take from nothing.")
    options.add_argument("--times", type=int, default=5, help="how often the quick ones are run")
    args = options.parse_args()
    data = photographs(args.data)
    image = sorted((data / "validation").glob("*/*"))[0]
    with tempfile.TemporaryDirectory() as folder:
        cache, run = fresh_cache(Path(folder, "cache")), Path(folder, "run")
        manyheads(*sweep(data, run), **cache)
        rows = [
            ("`manyheads --help`", [manyheads("--help", **cache) for _ in range(args.times)]),
            ("`manyheads predict` on one image, cold", [manyheads("predict", run, image, **cache)]),
            (
                "`manyheads predict` on one image, warm",
                [manyheads("predict", run, image, **cache) for _ in range(args.times)],
            ),
            (
                "the lesson's sweep (one seed), features in the cache",
                [
                    manyheads(*sweep(data, Path(folder, f"warm-{number}")), **cache)
                    for number in range(min(3, args.times))
                ],
            ),
            (
                "the same sweep, finished before",
                [manyheads(*sweep(data, run), **cache) for _ in range(args.times)],
            ),
        ]
    shown = [(name, *_figures(runs)) for name, runs in rows]
    lines = [
        *table([("command", "seconds", "fastest to slowest", "memory at its peak"), *shown]),
        "",
        "The median of whole commands. Cold: the model's program is not compiled yet; Xception's "
        "weights are there.",
    ]
    write_result(args.results, "start-up", lines)


def _figures(runs: list[Run]) -> tuple[str, str, str]:
    seconds = [run.seconds for run in runs]
    spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
    return f"{middle(seconds):.2f}", spread, gib(max(run.peak for run in runs))


if __name__ == "__main__":
    main()
