"""What every benchmark shares: the machine it ran on, children to measure, and the result file."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import hardware

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
_STARTED = hardware.activity()

_COMMAND = "import sys; from manyheads.cli.main import main; sys.exit(main())"
_GLANCES = 0.02, 0.5  # seconds between two looks at a child's memory: at first, at most


@dataclass(frozen=True)
class Run:
    """What a command took: seconds, and bytes at its peak, its own children included."""

    seconds: float
    peak: int
    output: str


class ChildFailed(SystemExit):
    """A child ended with an error; uncaught, it ends the benchmark with what the child said."""


def run(command: Sequence[str], changes: Mapping[str, str] | None = None) -> Run:
    """Run a command from the project's root to its end, and watch its memory (on Linux)."""
    calm = {"TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as complaints:
        started = time.perf_counter()
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **calm, **(changes or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=complaints,
            text=True,
        )
        with _watched(child.pid) as peak:
            code = child.wait()
            seconds = time.perf_counter() - started
        if code:
            complaints.seek(0)
            said = complaints.read()[-2000:]
            raise ChildFailed(f"{' '.join(command[:4])} … ended with {code}:\n{said}")
        output.seek(0)
        return Run(seconds, max(peak), output.read())


def manyheads(*arguments: str | Path, **changes: str) -> Run:
    """Run the command `manyheads` as a whole process."""
    return run([sys.executable, "-P", "-c", _COMMAND, *map(str, arguments)], changes)


def part(name: str, environment: Mapping[str, str] | None = None, **arguments: Any) -> Any:
    """The answer of "module.function" in `benchmarks`, called in a process of its own.

    So neither memory nor threads of what is compared come together.
    """
    module, _, function = name.rpartition(".")
    command = [sys.executable, "-m", f"benchmarks.{module}", function, json.dumps(arguments)]
    tensorflow = {"KERAS_BACKEND": "tensorflow"} | dict(environment or {})
    return json.loads(run(command, tensorflow).output.splitlines()[-1])


def answer(functions: Mapping[str, Any]) -> None:
    """What a module does when `part` calls it: print the answer of the function that is named."""
    print(json.dumps(functions[sys.argv[1]](**json.loads(sys.argv[2]))))


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument(
        "--data",
        type=Path,
        help="photographs in train/ and validation/ (default: clothing/ below MANYHEADS_DATA, or "
        "else generated images)",
    )
    made.add_argument(
        "--out", dest="results", type=Path, default=RESULTS, help="folder of the result files"
    )
    made.add_argument(
        "--quick", action="store_true", help="fewer and shorter measurements: an indication"
    )
    return made


def photographs(given: Path | None, *, real: bool = False) -> Path:
    """The folder of photographs: `--data`, the one below `MANYHEADS_DATA`, or generated images.

    Ends the benchmark if they must be `real` and there are none.
    """
    below = os.environ.get("MANYHEADS_DATA")
    if given is None and below:
        given = Path(below) / "clothing"
    if given is None and real:
        sys.exit("expected the clothing photographs; give --data or set MANYHEADS_DATA")
    if given is None:
        from benchmarks.generated import generated_photographs

        return generated_photographs()
    if not (given / "train").is_dir():
        sys.exit(f"expected images in {given / 'train'}, found none; give another --data")
    return given.absolute()


def fresh_cache(folder: Path) -> dict[str, str]:
    """Environment of a cache that holds nothing but Xception's weights, so that none download.

    The compiled loops of the fused engine are made again too.
    """
    from manyheads.backbones import registry
    from manyheads.backbones.weights import resolve

    kept = resolve(registry.get("xception")).path
    (folder / "weights").mkdir(parents=True)
    shutil.copyfile(kept, folder / "weights" / kept.name)
    return {"MANYHEADS_CACHE": str(folder), "NUMBA_CACHE_DIR": str(folder / "numba")}


def write_result(folder: Path, name: str, lines: Iterable[str]) -> None:
    """Print a result, and write it with the machine it was measured on."""
    text = "\n".join([f"# {name}", "", *facts(), "", *lines, ""])
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{datetime.date.today()}-{name}.md"
    file.write_text(text, encoding="utf-8")
    print(f"written to {file}")


def table(rows: Sequence[Sequence[object]]) -> list[str]:
    """A Markdown table; the first row is its head."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]


def show(*cells: object) -> None:
    """Print what was measured as soon as it is known."""
    print("  " + "  ".join(map(str, cells)), flush=True)


def facts() -> list[str]:
    """The date and commit, the machine, the versions, and whether others were busy meanwhile."""
    lines = [
        f"{datetime.datetime.now().astimezone():%Y-%m-%d %H:%M %Z}, commit {_commit()}",
        *hardware.processor(),
        ", ".join(hardware.versions()),
        *hardware.disturbance(_STARTED, hardware.activity()),
    ]
    return [f"- {line}" for line in lines]


def gib(count: int) -> str:
    """Bytes as GiB."""
    return f"{count / 2**30:.2f} GiB"


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """Memory of a process and its descendants, looked at ever less often, so as not to disturb."""
    seen, ended = [0], threading.Event()

    def watch() -> None:
        pause = _GLANCES[0]
        while not ended.wait(pause):
            seen.append(_memory(pid))
            pause = min(1.2 * pause, _GLANCES[1])

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def _memory(root: int) -> int:
    """Resident bytes of a process and all its descendants; shared pages count for each."""
    parents, sizes = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            pid, stat = int(entry.name), (entry / "stat").read_text().rpartition(")")[2].split()
            parents[pid], sizes[pid] = int(stat[1]), int(stat[21]) * os.sysconf("SC_PAGE_SIZE")
    family, total = {root}, sizes.get(root, 0)
    for pid in sorted(parents):  # children have higher numbers, but for the rare wrap-around
        if parents[pid] in family:
            family.add(pid)
            total += sizes[pid]
    return total


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
