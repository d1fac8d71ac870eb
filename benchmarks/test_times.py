"""How long do the tests take? Writes a table by file, the longest first.

    python -m benchmarks.test_times                 all tests that the machine's change would run
    python -m benchmarks.test_times --report FILE   from what `pytest --junit-xml FILE` has written

Seconds are of the processes that ran the tests, set-up included: where two of them share two cores,
the suite takes about half.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.machine import ROOT, parser, table, write_result

_ROWS = 60


def main() -> None:
    options = parser("How long the tests take, by file.")
    options.add_argument("--report", type=Path, help="a JUnit report that pytest has written")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = args.report or Path(folder) / "report.xml"
        if args.report is None:
            marks = "not slow" if args.quick else ""
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--dist", "worksteal",
                 "-m", marks, "--junit-xml", str(report)],
                cwd=ROOT, check=True,
            )  # fmt: skip
        suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
    found = lines(suite)
    if args.report is not None:
        found += ["", "From a report of pytest: what else ran beside the tests is not known here."]
    write_result(args.results, "test-times", found)


def lines(suite: ElementTree.Element) -> list[str]:
    """The table of a JUnit report's test suite."""
    seconds: dict[str, float] = defaultdict(float)
    longest: dict[str, float] = defaultdict(float)
    tests: dict[str, int] = defaultdict(int)
    for case in suite.iter("testcase"):
        name, took = _file(case.get("classname", "")), float(case.get("time", 0))
        seconds[name] += took
        longest[name] = max(longest[name], took)
        tests[name] += 1
    ordered = sorted(seconds, key=lambda name: -seconds[name])
    rows: list[list[object]] = [["file", "tests", "seconds", "the longest"]]
    rows += [
        [name, tests[name], f"{seconds[name]:.1f}", f"{longest[name]:.1f}"]
        for name in ordered[:_ROWS]
    ]
    rest = sum(seconds[name] for name in ordered[_ROWS:])
    return [
        f"{sum(tests.values()):,} tests; {sum(seconds.values()):,.0f} s of their processes, "
        f"{float(suite.get('time', 0)):,.0f} s of the clock.",
        "",
        *table(rows),
        "",
        f"The other {max(0, len(ordered) - _ROWS)} files together: {rest:,.1f} s.",
    ]


def _file(classname: str) -> str:
    """`tests/unit/data/test_splits.py` of a test's dotted name, which may end with a class."""
    parts = classname.split(".")
    if parts[-1][:1].isupper():
        parts.pop()
    return f"{'/'.join(parts)}.py"


if __name__ == "__main__":
    main()
