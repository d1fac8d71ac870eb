"""What every benchmark shares: the machine it ran on, children to measure, and the result file."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("manyheads", "keras", "openvino", "tensorflow-cpu", "tensorflow", "numba", "numpy")

_COMMAND = "import sys; from manyheads.cli.main import main; sys.exit(main())"
_GLANCE = 0.05  # seconds between two looks at a child's memory


@dataclass(frozen=True)
class Run:
    """What a command took: seconds, and bytes at its peak, its own children included."""

    seconds: float
    peak: int
    output: str


def run(command: Sequence[str], changes: Mapping[str, str] | None = None) -> Run:
    """Run a command from the project's root to its end, and watch its memory (on Linux)."""
    calm = {"TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as complaints:
        started, peak = time.perf_counter(), 0
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **calm, **(changes or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=complaints,
            text=True,
        )
        code = None
        while code is None:
            peak = max(peak, _memory(child.pid))
            with suppress(subprocess.TimeoutExpired):
                code = child.wait(timeout=_GLANCE)
        seconds = time.perf_counter() - started
        if code:
            complaints.seek(0)
            sys.exit(f"{' '.join(command[:3])} … ended with {code}:\n{complaints.read()[-2000:]}")
        output.seek(0)
        return Run(seconds, peak, output.read())


def manyheads(*arguments: str | Path, **changes: str) -> Run:
    """Run the command `manyheads` as a whole process."""
    return run([sys.executable, "-P", "-c", _COMMAND, *map(str, arguments)], changes)


def part(name: str, environment: Mapping[str, str] | None = None, **arguments: Any) -> Any:
    """The answer of "module.function" in `benchmarks`, called in a process of its own.

    So neither memory nor threads of what is compared come together.
    """
    module, _, function = name.partition(".")
    command = [sys.executable, "-m", f"benchmarks.{module}", function, json.dumps(arguments)]
    tensorflow = {"KERAS_BACKEND": "tensorflow"} | dict(environment or {})
    return json.loads(run(command, tensorflow).output.splitlines()[-1])


def answer(functions: Mapping[str, Any]) -> None:
    """What a module does when `part` calls it: print the answer of the function that is named."""
    print(json.dumps(functions[sys.argv[1]](**json.loads(sys.argv[2]))))


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--data", type=Path, help="the clothing photographs (default: the catalog's)")
    made.add_argument("--results", type=Path, default=RESULTS, help="folder of the result file")
    return made


def photographs(given: Path | None) -> Path:
    """The folder of the clothing photographs, found before any cache is replaced."""
    from manyheads.data import catalog

    return (given or catalog.locate("clothing")).absolute()


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


def facts() -> list[str]:
    """The machine, the date and the versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    versions = []
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{package} {importlib.metadata.version(package)}")
    return [
        f"- {datetime.datetime.now().astimezone():%Y-%m-%d %H:%M %Z}, commit {_commit()}",
        f"- {_processor()}, {cores} cores, {_total_memory()}; load average at the end {load}",
        f"- {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        + ", ".join(versions),
    ]


def gib(count: int) -> str:
    """Bytes as GiB."""
    return f"{count / 2**30:.2f} GiB"


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


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


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _total_memory() -> str:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return gib(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return "unknown memory"
