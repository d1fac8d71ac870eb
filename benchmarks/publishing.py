"""Ten thousand candidates to each tracker that is installed here: seconds, and once more.

    python -m benchmarks.publishing                     10,000 candidates, two seeds
    python -m benchmarks.publishing --candidates 500

The study is made up, with the curves and predictions of a real one. Each tracker is told in a
process of its own, at an empty place, and then told again what it has already.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.machine import answer, parser, part, show, table, write_result
from benchmarks.parts.made_runs import made_run
from manyheads.publish.publishing import publish_run
from manyheads.publish.read_publication import read_publication
from manyheads.publish.trackers import TRACKERS
from manyheads.study.folder import RunFolder

SEEDS, EPOCHS, IMAGES = 2, 20, 200
CLASSES = tuple("abcdefghij")


def main() -> None:
    options = parser("Publishing many candidates to trackers of experiments.")
    options.add_argument("--candidates", type=int, default=10_000)
    args = options.parse_args()
    count = 500 if args.quick else args.candidates
    there = [name for name, kind in TRACKERS.items() if all(map(find_spec, kind.packages))]
    rows: list[Sequence[object]] = [
        ("to", "seconds", "of processor time", "new rows", "again: seconds", "unchanged rows")
    ]
    with tempfile.TemporaryDirectory() as name:
        run = str(Path(name, "photos"))
        made_run(Path(run), count, seeds=SEEDS, epochs=EPOCHS, images=IMAGES, classes=CLASSES)
        read = part("publishing.reading", run=run)
        rows.append(("reading alone", *(f"{value:.1f}" for value in read), count, "–", "–"))
        for each in there:
            found = part("publishing.told", run=run, to=each, folder=name)
            first, again = found
            rows.append(
                (each, f"{first['seconds']:.1f}", f"{first['worked']:.1f}", f"{first['new']:,}",
                 f"{again['seconds']:.1f}", f"{again['unchanged']:,}")
            )  # fmt: skip
            show(*map(str, rows[-1]))
    lines = [
        *table(rows), "",
        f"{count:,} candidates, {SEEDS} seeds, {EPOCHS} epochs, {IMAGES} validation images, "
        f"{len(CLASSES)} classes. Seconds include the reading and the imports.",
    ]  # fmt: skip
    write_result(args.results, "publishing", lines)


def reading(run: str) -> tuple[float, float]:
    """Seconds, and seconds of processor time, to read a run folder."""
    began, worked = time.perf_counter(), time.process_time()
    read_publication(RunFolder(run))
    return time.perf_counter() - began, time.process_time() - worked


def told(run: str, to: str, folder: str) -> list[dict[str, Any]]:
    """What it took to tell a tracker at an empty place, and to tell it again."""
    place = Path(folder, to)
    place.mkdir()
    os.chdir(place)
    os.environ["TRACKIO_DIR"] = str(place)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    found: list[dict[str, Any]] = []
    for _ in range(2):
        began, worked = time.perf_counter(), time.process_time()
        counts = publish_run(run, to).counts
        found.append({
            "seconds": time.perf_counter() - began, "worked": time.process_time() - worked,
            "new": counts.new, "unchanged": counts.unchanged,
        })  # fmt: skip
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ("reading", "told"):
        answer({"reading": reading, "told": told})
    else:
        main()
