"""Run the benchmarks, each in a process of its own: `python -m benchmarks --help`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.machine import ROOT, parser, table
from benchmarks.registry import BENCHMARKS, chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is named, or all; 1 if one of them failed."""
    options = parser("Measures manyheads beside its alternatives, and both beside the bounds.")
    options.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="; ".join(
            f"{each.name}: {each.question}{'' if each.by_default else ' (only when named)'}"
            for each in BENCHMARKS
        ),
    )
    args = options.parse_args(arguments)
    try:
        benchmarks = chosen(args.names)
    except KeyError as error:
        known = ", ".join(each.name for each in BENCHMARKS)
        options.error(f"expected one of {known}, found {error}")
    passed_on = ["--out", str(args.results.absolute())]
    passed_on += ["--data", str(args.data.absolute())] if args.data else []
    passed_on += ["--quick"] if args.quick else []
    rows, failed = [("benchmark", "minutes", "")], False
    for each in benchmarks:
        print(f"\n### {each.name}: {each.question}", flush=True)
        started = time.perf_counter()
        command = [sys.executable, "-m", f"benchmarks.{each.name}", *passed_on]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        minutes = (time.perf_counter() - started) / 60
        rows.append((each.name, f"{minutes:.1f}", f"ended with {code}" if code else ""))
        failed = failed or code != 0
    print("\n" + "\n".join(table(rows)))
    return int(failed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
