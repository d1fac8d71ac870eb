"""What does an accelerator give? Extraction, heads and commands, in one table.

    python -m benchmarks accelerator --out accelerator.md      some ten minutes at most

It needs no network and no registry. What is not installed is a row that says so. Every row is
printed and written as soon as it is known, so that a run which is cut keeps its rows.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.machine import facts, parser, table, write_result
from benchmarks.parts.accelerator_rows import Row

PARTS = ("extraction", "heads", "commands")


def main() -> None:
    options = parser("Extraction and heads on an accelerator, beside the alternatives.")
    options.add_argument("--only", choices=PARTS, help="one part of the table")
    args = options.parse_args()
    started, found = time.perf_counter(), [Row("part", "what", "value", "note")]
    file = args.results if args.results.suffix == ".md" else None
    for part in PARTS:
        if args.only in (None, part):
            for row in rows_of(part, quick=args.quick):
                print("  " + "  ".join(filter(None, row)), flush=True)
                found.append(row)
                if file is not None:
                    _write(file, found)
    took = f"{(time.perf_counter() - started) / 60:.1f} minutes in all."
    if file is None:
        write_result(args.results, "accelerator", [*table(found), "", took])
    else:
        _write(file, found, took)
        print(f"written to {file}")


def rows_of(part: str, *, quick: bool) -> Iterable[Row]:
    """The rows of a part, one after the other; one row says why there are none."""
    name = f"benchmarks.parts.accelerator_{part}"
    if importlib.util.find_spec(name) is None:
        return [Row(part, "all", "–", "this version has no such part")]
    return importlib.import_module(name).rows(quick=quick)


def _write(file: Path, rows: list[Row], last: str = "not finished") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = ["# accelerator", "", *facts(), "", *table(rows), "", last, ""]
    file.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
