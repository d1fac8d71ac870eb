"""Does a fit keep its budget? Whole commands, from their start to their exit.

    python -m benchmarks budgets     about three hours on two cores; with --quick, eight minutes

Fits to 60, to 280 and to all of the lesson's photographs, first with an empty cache, as a new user
has it, then with what that left. A budget that is too small is refused, which also takes time.
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import (
    ChildFailed,
    manyheads,
    parser,
    photographs,
    show,
    table,
    write_result,
)
from manyheads.core.text import counted

BUDGETS = ("30s", "60s", "5m", "30m")
QUICK = BUDGETS[:2]
IMAGES = ("60", "280", "all")
LATEST = 1.1


def main() -> None:
    options = parser("Whether fits keep their budgets.")
    options.add_argument("--budgets", nargs="+", help="only these")
    options.add_argument("--images", nargs="+", choices=IMAGES, default=IMAGES, help="only these")
    options.add_argument("--backbone", nargs="+", default=["xception"], help="or auto")
    args = options.parse_args()
    data = photographs(args.data)
    budgets = args.budgets or (QUICK if args.quick else BUDGETS)
    rows = [("images", "budget", "cache", "seconds", "of the budget", "outcome")]
    with tempfile.TemporaryDirectory() as folder:
        for images in args.images:
            for budget in budgets:
                place = Path(folder, f"{images}-{budget}")
                place.mkdir()
                source = subset(data, None if images == "all" else int(images), place / "table.csv")
                for cache in ("empty", "filled"):
                    outcome = measured(source, budget, place, cache, args.backbone)
                    rows.append((images, budget, cache, *outcome))
                    show(*rows[-1])
    shares = [float(row[4]) for row in rows[1:]]
    lines = [
        *table(rows),
        "",
        f"The longest took {max(shares):.2f} of its budget; {LATEST:g} is promised. Empty: nothing "
        "in the cache, so that weights are fetched, each backbone is built, and the engine's loops "
        "are compiled. Filled: the same command in another run folder. "
        "The accuracy is that to be expected on new images, by nested cross-validation.",
    ]
    write_result(args.results, "budgets", lines)


def subset(data: Path, count: int | None, target: Path) -> Path:
    """`data`, or a table of about `count` of its photographs, each class by its share."""
    if count is None:
        return data
    of_class: dict[str, list[Path]] = defaultdict(list)
    for image in sorted(data.glob("*/*/*")):
        of_class[image.parent.name].append(image)
    total = sum(map(len, of_class.values()))
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label"))
        for name, images in of_class.items():
            wanted = max(3, round(count * len(images) / total))
            writer.writerows((image, name) for image in images[:: len(images) // wanted][:wanted])
    return target


def measured(
    data: Path, budget: str, place: Path, cache: str, backbones: Sequence[str]
) -> tuple[str, str, str]:
    """Seconds of a fit, their share of the budget, and what came of it."""
    changes = {
        "MANYHEADS_CACHE": str(place / "cache"), "NUMBA_CACHE_DIR": str(place / "cache/numba"),
    }  # fmt: skip
    command = ["fit", data, "--budget", budget, "--out", place / cache, "--json"]
    command += ["--backbone", *backbones]
    started = time.perf_counter()
    try:
        run = manyheads(*command, **changes)
    except ChildFailed as failure:
        seconds = time.perf_counter() - started
        refused = re.search(r"expected (a budget of at least [\w.]+)", str(failure))
        if refused is None:
            raise
        outcome = f"refused: {refused[1]}"
    else:
        seconds, document = run.seconds, json.loads(run.output)
        outcome = words(document)
    limit = float(budget[:-1]) * (60 if budget.endswith("m") else 1)
    return f"{seconds:.1f}", f"{seconds / limit:.2f}", outcome


def words(document: dict) -> str:
    """Such as `448 px, 20 settings, 8 heads: accuracy 0.78`."""
    size = document["chosen"]["size"]
    settings = sum(each["size"] == size for each in document["tried"])
    accuracy = document["expected"]["scores"]["accuracy"]["value"]
    sizes = len({each["size"] for each in document["tried"]})
    return (
        f"{size} px of {counted(sizes, 'size')} tried, {counted(settings, 'setting')}, "
        f"{counted(document['heads'], 'head')}: accuracy {accuracy:.2f}"
    )


if __name__ == "__main__":
    main()
