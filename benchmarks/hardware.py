"""What the figures were measured on: processor, caches, memory, versions, and who else was busy."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from manyheads.core.machine import cores, memory

PACKAGES = (
    "manyheads",
    "keras",
    "openvino",
    "numba",
    "numpy",
    "scipy",
    "scikit-learn",
    "tensorflow-cpu",
    "tensorflow",
    "jax",
    "torch",
    "onnxruntime",
)
# What decides how fast float32 products and bfloat16 or int8 ones can be.
INSTRUCTIONS = (
    *("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni"),
    *("amx_tile", "amx_bf16", "amx_int8", "asimd", "asimdhp", "bf16", "i8mm", "sve"),
)
QUIET = 0.15  # cores that others may take before the figures are called disturbed

_CPUS = Path("/sys/devices/system/cpu/cpu0/cache")
_L2_ASSUMED = 2**20


def processor() -> list[str]:
    """Model, instruction sets, cores, caches and memory, as far as the system tells."""
    told = _cpuinfo()
    model = told.get("model name") or platform.processor() or platform.machine()
    flags = set((told.get("flags") or told.get("Features") or "").split())
    known = [name for name in INSTRUCTIONS if name in flags]
    kept = [f"L{level} {size // 1024:,} KiB" for level, size in caches().items()]
    return [
        f"{model}, {cores()} cores, {_memory()}",
        f"instruction sets: {', '.join(known) or 'unknown'}; "
        f"caches as a core sees them: {', '.join(kept) or 'unknown'}",
    ]


def caches() -> dict[str, int]:
    """Bytes of the first core's data caches, by level; empty where the system does not tell."""
    found = {}
    for folder in sorted(_CPUS.glob("index*")):
        with suppress(OSError, ValueError):
            if (folder / "type").read_text().strip() != "Instruction":
                size = re.sub(r"K$", "", (folder / "size").read_text().strip())
                found[(folder / "level").read_text().strip()] = int(size) * 1024
    return found


def l2_bytes() -> int:
    """A core's second-level cache; 1 MiB where the system does not tell."""
    return caches().get("2", _L2_ASSUMED)


def versions(packages: Iterable[str] = PACKAGES) -> list[str]:
    """System, Python, and the `packages` that are installed."""
    found = [f"{platform.system()} {platform.machine()}", f"Python {platform.python_version()}"]
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    return found


class Activity(NamedTuple):
    """A moment: the load average, and seconds that the whole machine and this process worked."""

    load: float
    wall: float
    all_cores: float
    own: float


def activity() -> Activity | None:
    """What was going on until now, or None where the system does not tell."""
    try:
        line = Path("/proc/stat").read_text().splitlines()[0].split()
        load = os.getloadavg()[0]
    except (OSError, IndexError):
        return None
    user, nice, system, _, _, interrupts, soft, stolen = map(int, line[1:9])
    ticks = user + nice + system + interrupts + soft + stolen
    times = os.times()  # children count once they have ended
    own = times.user + times.system + times.children_user + times.children_system
    return Activity(load, times.elapsed, ticks / os.sysconf("SC_CLK_TCK"), own)


def disturbance(before: Activity | None, after: Activity | None) -> list[str]:
    """The load at both ends, and a warning if other programs took more than `QUIET` cores."""
    if before is None or after is None:
        return ["load: this system does not tell"]
    others = (after.all_cores - before.all_cores) - (after.own - before.own)
    others = max(0.0, others) / max(after.wall - before.wall, 1e-9)
    lines = [
        f"load average {before.load:.1f} at the start, {after.load:.1f} at the end; "
        f"other programs took {others:.2f} cores on average"
    ]
    if others > QUIET:
        lines.append(
            "**WARNING: the machine was not quiet, so these figures are only an indication**"
        )
    return lines


def _cpuinfo() -> dict[str, str]:
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        pairs = (line.partition(":") for line in reversed(lines))
        return {name.strip(): value.strip() for name, _, value in pairs}
    return {}


def _memory() -> str:
    return f"{memory() / 2**30:.1f} GiB" if memory() else "unknown memory"
